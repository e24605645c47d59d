/**
 * Runs another program: by its path and an argument vector, never through a shell, in a process group of its own, bounded
 * in time and in what is kept of its output.
 */
import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { type Clock, type Millis, seconds } from "../../agent/ports.js";
import { describeError, errorCode } from "../system-error.js";

export interface ProgramOptions {
  readonly arguments?: readonly string[];
  /** Beside PATH, HOME, LANG and TZ, which are all that is handed on of our own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** What the program reads; nothing when not given. Closed when the program does not want the rest. */
  readonly input?: Uint8Array | Readable;
  /** Until it is asked to end. */
  readonly timeLimit: Millis;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Each line as it comes, without its end, cut at 4096 characters. */
  readonly onLine?: (line: string, stream: "output" | "error" | "progress") => void;
  /** Opens file descriptor 3 for lines of progress, and names it in LWM2M_PROGRESS_FD. */
  readonly progressFd?: boolean;
}

export interface ProgramResult {
  /** undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** The first 64 KiB of standard output. */
  readonly output: string;
  /** The last non-empty line of standard error, without control characters, at most 256 characters; may be empty. */
  readonly reason: string;
}

/** Why a program did not run to its end. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  /** `not-started`: it is not there or may not be run · `time-limit`: it took too long and was ended */
  readonly kind: "not-started" | "time-limit";
  constructor(kind: ProgramError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** `ended with exit code 2`, for a program that gave no reason itself. */
export const describeEnd = ({ exitCode }: Pick<ProgramResult, "exitCode">): string =>
  exitCode === undefined ? "was ended by a signal" : `ended with exit code ${exitCode}`;

const maximumOutput = 64 * 1024;
const maximumLine = 4096;
const maximumReason = 256;
/** Between the polite signal and the one that cannot be refused. */
const grace = seconds(5);
/** For the last words of a program that has ended. What it left behind may hold its output open for ever. */
const lastWords = seconds(2);
const progressDescriptor = 3;

/**
 * Resolves when the program has ended, with whatever exit code.
 * @throws ProgramError when it could not be started or was ended for its time; the abort reason when `signal` fired; what
 *   was wrong with `input` when it broke off
 */
export async function runProgram(path: string, options: ProgramOptions): Promise<ProgramResult> {
  const { signal, clock, timeLimit } = options;
  signal?.throwIfAborted();
  const child = start(path, options);
  const ended = new Promise<number | undefined>((resolve, reject) => {
    child.once("error", (cause) => reject(notStarted(path, cause)));
    child.once("exit", () => {
      const timer = clock.after(lastWords, () => {
        for (const stream of child.stdio) stream?.destroy();
      });
      child.once("close", () => timer.cancel());
    });
    child.once("close", (code) => resolve(code ?? undefined));
  });
  let unreadable: Error | undefined;
  feed(child.stdin, options.input, (error) => {
    unreadable = error;
    stop(); // it must not take what it has got for the whole
  });
  const output = collect(child.stdout as Readable, "output", options.onLine);
  const error = collect(child.stderr as Readable, "error", options.onLine);
  const progress = child.stdio[progressDescriptor];
  if (progress) collect(progress as Readable, "progress", options.onLine);

  let overdue = false;
  const stop = () => endGroup(child, clock, ended);
  const limit = clock.after(timeLimit, () => {
    overdue = true;
    stop();
  });
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const exitCode = await ended;
    signal?.throwIfAborted();
    if (unreadable !== undefined) throw unreadable;
    if (overdue)
      throw new ProgramError("time-limit", `${path} did not end within ${timeLimit / 1000} s and was ended`);
    return { exitCode, output: output.text(), reason: reasonOf(error.lastLine()) };
  } finally {
    limit.cancel();
    signal?.removeEventListener("abort", stop);
  }
}

/** Some faults come as an event later, others are thrown at once, such as a file that is being written (ETXTBSY). */
function start(path: string, options: ProgramOptions): ChildProcess {
  // Not before it is needed: most starts run no program. At once all the same, before `input` can break off unheard.
  const { spawn } = process.getBuiltinModule("node:child_process");
  try {
    return spawn(path, options.arguments ?? [], {
      cwd: options.workingDirectory,
      env: {
        ...inherited(),
        ...options.environment,
        ...(options.progressFd && { LWM2M_PROGRESS_FD: `${progressDescriptor}` }),
      },
      stdio: [
        options.input === undefined ? "ignore" : "pipe",
        "pipe",
        "pipe",
        ...(options.progressFd ? (["pipe"] as const) : []),
      ],
      detached: true, // a group of its own, so that its children end with it
      shell: false,
    });
  } catch (cause) {
    if (options.input !== undefined && !(options.input instanceof Uint8Array)) options.input.destroy();
    throw notStarted(path, cause);
  }
}

const notStarted = (path: string, cause: unknown) =>
  new ProgramError(
    "not-started",
    `${path} cannot be run: ${faults[errorCode(cause) ?? ""] ?? describeError(cause)}`,
    {
      cause,
    },
  );

/** In words that say what to look at. */
const faults: Readonly<Record<string, string>> = {
  ENOENT: "it is not there, or the interpreter that its first line names is not (ENOENT)",
  EACCES: "it is not executable for this user (chmod +x), or its file system is mounted noexec (EACCES)",
  ETXTBSY: "somebody is still writing to it (ETXTBSY)",
};

/** Our own environment may hold secrets; a program has no need of it. */
function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "LANG", "TZ", "DBUS_SYSTEM_BUS_ADDRESS"];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

function feed(
  stdin: Writable | null,
  input: Uint8Array | Readable | undefined,
  fail: (error: Error) => void,
): void {
  if (stdin === null || input === undefined) return;
  stdin.on("error", () => undefined); // it ended without reading all; its exit code says whether that was well
  if (input instanceof Uint8Array) stdin.end(input);
  else {
    input.on("error", (error) => {
      fail(error);
      stdin.destroy();
    });
    stdin.on("close", () => input.destroy());
    input.pipe(stdin);
  }
}

function collect(stream: Readable, name: "output" | "error" | "progress", onLine: ProgramOptions["onLine"]) {
  const decoder = new StringDecoder("utf8");
  let kept = "";
  let line = "";
  let last = "";
  const endLine = () => {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    line = "";
    if (text.trim() !== "") last = text;
    onLine?.(text, name);
  };
  const take = (text: string) => {
    if (kept.length < maximumOutput) kept += text.slice(0, maximumOutput - kept.length);
    for (const [index, part] of text.split("\n").entries()) {
      if (index > 0) endLine();
      line += part.slice(0, maximumLine - line.length);
    }
  };
  stream.on("data", (bytes: Buffer) => take(decoder.write(bytes)));
  stream.on("end", () => {
    take(decoder.end());
    if (line !== "") endLine();
  });
  stream.on("error", () => undefined); // the end of the program says enough
  return { text: () => kept, lastLine: () => last };
}

function endGroup(child: ChildProcess, clock: Clock, ended: Promise<unknown>): void {
  signalGroup(child, "SIGTERM");
  const timer = clock.after(grace, () => signalGroup(child, "SIGKILL"));
  ended.then(timer.cancel, timer.cancel);
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // it has ended
  }
}

/** A control character goes, and with it what makes it the colour of a terminal. */
const reasonOf = (line: string): string =>
  line
    .replace(/\p{Cc}(\[[0-9;]*[A-Za-z])?/gu, " ")
    .trim()
    .slice(0, maximumReason);
