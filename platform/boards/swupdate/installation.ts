/** One installation: the package goes to the daemon through `swupdate-client`, its progress comes from the daemon. */
import { createReadStream } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import {
  type ApplyOptions,
  BusyError,
  type Clock,
  type Log,
  type Millis,
  PackageError,
} from "../../../agent/ports.js";
import { ProgramError, runProgram } from "../../exec/program.js";
import { describeError } from "../../system-error.js";
import { installerError } from "../error-texts.js";
import { ControlError, type ControlOptions, canReach, readLastErrors } from "./control.js";
import { withoutPlace } from "./control-message.js";
import { fractionOf, ProgressDecoder, type ProgressFrame } from "./progress-frame.js";

export interface InstallationOptions extends Omit<ApplyOptions, "attempt"> {
  /** Of the package. */
  readonly path: string;
  readonly clientProgram: string;
  readonly socketDirectory: string;
  readonly selection: string | undefined;
  readonly timeLimit: Millis;
  readonly clock: Clock;
  readonly log: Log;
}

export const controlSocket = "sockinstctrl";
export const progressSocket = "swupdateprog";
const maximumErrors = 20;

/** @throws PackageError or BusyError for what the daemon says; the abort reason when `signal` fires, which ends the installation */
export async function install(options: InstallationOptions): Promise<void> {
  const { clientProgram, socketDirectory, clock, signal, timeLimit } = options;
  signal.throwIfAborted();
  const control = { path: join(socketDirectory, controlSocket), clock };
  if (!(await canReach(control))) {
    throw new PackageError(
      "failed",
      `SWUpdate does not listen at ${control.path}: is swupdate.service running?`,
    );
  }
  const errors: string[] = [];
  let isRefused = false;
  const onLine = (line: string) => {
    if (/swupdate_async_start returns/.test(line)) isRefused = true;
    const [, error] = /^Status: 4 message: (.*)/.exec(line) ?? [];
    if (error !== undefined && errors.length < maximumErrors) errors.push(withoutPlace(error));
  };
  const progress = followProgress(options);
  try {
    const { exitCode } = await runProgram(clientProgram, {
      arguments: ["-v", ...(options.selection === undefined ? [] : ["-e", options.selection]), "-"],
      // Older releases look for the sockets in the one, newer ones in the other.
      environment: { TMPDIR: socketDirectory, RUNTIME_DIRECTORY: socketDirectory },
      input: createReadStream(options.path, { signal }),
      timeLimit,
      clock,
      signal,
      onLine,
    });
    if (exitCode === 0) return options.progress(1);
    if (isRefused) throw await refusalOf(control);
    // Seen under load: the client loses sight of an installation that goes on. The daemon's own word counts.
    if (errors.length === 0 && (await progress.end()) === "success") return options.progress(1);
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    throw new PackageError("failed", `the installation failed: ${cause.message}`, { cause });
  } finally {
    progress.close();
  }
  throw await failureOf(errors, control);
}

/** The daemon can be reached, but began nothing. To the client both reasons look the same. */
async function refusalOf(control: ControlOptions): Promise<Error> {
  const errors = await readLastErrors(control).catch(() => []);
  const selection = errors.find((text) => /Selection .* is not allowed/.test(text));
  return selection === undefined
    ? new BusyError("SWUpdate is busy with another installation")
    : new PackageError(
        "failed",
        `SWUpdate: ${selection}: start the daemon with -q SOFTWARE,MODE for each copy`,
      );
}

/** A daemon that refuses closes the connection at once, and the client says no more than that: the reason has to be fetched. */
async function failureOf(errors: readonly string[], control: ControlOptions): Promise<Error> {
  try {
    const reasons = errors.length > 0 ? errors : await readLastErrors(control);
    return installerError(`SWUpdate: ${reasons.join("; ") || "it gives no reason"}`);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return new PackageError("failed", `SWUpdate ended during the installation (${error.message})`, {
      cause: error,
    });
  }
}

interface Progress {
  /** How our installation ended; undefined when it was never begun, or nothing is heard of it any more. */
  end(): Promise<"success" | "failure" | undefined>;
  close(): void;
}

/** Whatever goes wrong here leaves the installation without a percentage. */
function followProgress({
  socketDirectory,
  progress,
  log,
  clock,
  timeLimit,
  signal,
}: InstallationOptions): Progress {
  const decoder = new ProgressDecoder();
  const socket = connect(join(socketDirectory, progressSocket));
  let hasBegun = false;
  let furthest = 0;
  let finish: (end: "success" | "failure" | undefined) => void;
  const ended = new Promise<"success" | "failure" | undefined>((resolve) => {
    finish = resolve;
  });
  const report = (frame: ProgressFrame) => {
    const { status, image, handler } = frame;
    if (status === "start") hasBegun = true;
    if (!hasBegun) return; // newer releases begin with what they said last, of the run before
    if (status === "success" || status === "failure") finish(status);
    const fraction = fractionOf(frame);
    if (fraction === undefined) return;
    furthest = Math.max(furthest, fraction);
    progress(furthest, image === "" ? undefined : `${image} (${handler})`);
  };
  const giveUp = (error: unknown) => {
    finish(undefined);
    socket.destroy();
    log.debug("the progress of SWUpdate cannot be followed", { error: describeError(error) });
  };
  socket.on("error", giveUp);
  socket.on("close", () => finish(undefined));
  socket.on("data", (bytes: Buffer) => {
    try {
      for (const frame of decoder.take(bytes)) report(frame);
    } catch (error) {
      giveUp(error);
    }
  });
  return {
    async end() {
      if (!hasBegun) return undefined;
      const limit = clock.after(timeLimit, () => finish(undefined));
      const stop = () => finish(undefined);
      signal.addEventListener("abort", stop, { once: true });
      try {
        const end = await ended;
        signal.throwIfAborted();
        return end;
      } finally {
        signal.removeEventListener("abort", stop);
        limit.cancel();
      }
    },
    close: () => socket.destroy(),
  };
}
