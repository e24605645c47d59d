/** The unprivileged side: a Board whose every call is made by the helper. */
import { connect, type Socket } from "node:net";
import {
  type ApplyOptions,
  type Board,
  type BoardDescription,
  BusyError,
  type Clock,
  type Finding,
  type ImageFile,
  type PackageInfo,
  seconds,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { describeError } from "../../system-error.js";
import { createLineCutter } from "./lines.js";
import {
  type Answer,
  formatRequest,
  maximumAnswer,
  parseAnswer,
  type Request,
  type Results,
  type Verb,
} from "./protocol.js";

/** Where lwm2m-agent-helper.socket listens. */
export const defaultHelperSocket = "/run/lwm2m-agent-helper.sock";

export interface RemoteBoardOptions {
  /** Path of the helper's socket; where its unit listens when not given. */
  readonly socket?: string;
  /** What the board behind it is called: `remote` when not given. */
  readonly name?: string;
  readonly clock: Clock;
}

export const createRemoteBoard = (options: RemoteBoardOptions): Board => new RemoteBoard(options);

/** For the helper to stop what we do not want any more. */
const patienceAfterAbort = seconds(30);

interface Listener {
  readonly signal?: AbortSignal;
  readonly progress?: ApplyOptions["progress"];
}

class RemoteBoard implements Board {
  readonly name: string;
  readonly #socket: string;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  constructor({ socket = defaultHelperSocket, clock, name = "remote" }: RemoteBoardOptions) {
    this.name = name;
    this.#socket = socket;
    this.#clock = clock;
  }

  bootId(): Promise<string> {
    return this.#ask({ verb: "bootId" });
  }

  describe(): Promise<BoardDescription> {
    return this.#ask({ verb: "describe" });
  }

  inspect(image: ImageFile, { signal }: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    return this.#ask({ verb: "inspect", image: plain(image) }, { signal });
  }

  apply(image: ImageFile, { signal, progress, attempt }: ApplyOptions): Promise<"restart" | "running"> {
    return this.#ask({ verb: "apply", image: plain(image), attempt }, { signal, progress });
  }

  outcome(attempt: UpdateAttempt): Promise<"new" | "old" | "unknown"> {
    return this.#ask({ verb: "outcome", attempt });
  }

  async commit(): Promise<void> {
    await this.#ask({ verb: "commit" });
  }

  revert(): Promise<"restart" | "done"> {
    return this.#ask({ verb: "revert" });
  }

  async restart(): Promise<void> {
    await this.#ask({ verb: "restart" });
  }

  async factoryReset(): Promise<void> {
    await this.#ask({ verb: "factoryReset" });
  }

  async check(): Promise<readonly Finding[]> {
    try {
      return await this.#ask({ verb: "check" });
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      return [
        { level: "error", found, remedy: "systemctl status lwm2m-agent-helper.socket lwm2m-agent-helper" },
      ];
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the agent is closing"));
  }

  /**
   * One connection for each request. On abort we hang up and wait until the helper has stopped, too: what comes next must not
   * find the board busy.
   * @throws BusyError when the helper is not there, or ends before it has answered: it will be there again
   */
  async #ask<V extends Verb>(
    request: Request & { verb: V },
    { signal, progress }: Listener = {},
  ): Promise<Results[V]> {
    const stop = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]);
    stop.throwIfAborted();
    const socket = connect(this.#socket);
    const hangUp = () => {
      socket.end();
      const patience = this.#clock.after(patienceAfterAbort, () => socket.destroy());
      socket.once("close", () => patience.cancel());
    };
    stop.addEventListener("abort", hangUp, { once: true });
    try {
      socket.write(formatRequest(request));
      return await answerOf(socket, request.verb, progress);
    } catch (cause) {
      stop.throwIfAborted();
      throw cause;
    } finally {
      stop.removeEventListener("abort", hangUp);
      socket.destroy();
    }
  }
}

/** Follows what the helper says until it hangs up. */
function answerOf<V extends Verb>(
  socket: Socket,
  verb: V,
  progress: ApplyOptions["progress"] | undefined,
): Promise<Results[V]> {
  return new Promise((resolve, reject) => {
    let last: Answer<V> | undefined;
    const take = (line: string) => {
      const answer = parseAnswer(verb, line);
      if ("progress" in answer) progress?.(answer.progress, answer.message);
      else last = answer;
    };
    const cutter = createLineCutter(maximumAnswer, take);
    const fail = (cause: unknown) => {
      reject(new Error(`the helper is not understood: ${describeError(cause)}`, { cause }));
      socket.destroy();
    };
    socket.on("data", (bytes) => {
      try {
        if (!cutter.push(bytes)) fail(new Error("a line is too long"));
      } catch (cause) {
        fail(cause);
      }
    });
    socket.on("error", (cause) =>
      reject(new BusyError(`the helper cannot be asked: ${describeError(cause)}`, { cause })),
    );
    socket.on("close", () => {
      if (last !== undefined && "result" in last) resolve(last.result);
      else if (last !== undefined && "error" in last) reject(last.error);
      else reject(new BusyError("the helper ended before it answered"));
    });
  });
}
/** What a subclass or a test may have added does not go over the line. */
const plain = ({ path, size, sha256 }: ImageFile): ImageFile => ({ path, size, sha256 });
