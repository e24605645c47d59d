/** The command line's side of the control socket. */
import { connect, type Socket } from "node:net";
import { describeError, errorCode } from "../../platform/system-error.js";
import { ConfigError } from "../model/errors.js";
import { TransportError } from "../ports.js";
import {
  type ControlAnswer,
  type ControlRequest,
  checkSocketPath,
  controlVersion,
  createLineReader,
  maximumAnswerLength,
} from "./protocol.js";
import type { ServiceStatus } from "./status.js";

/** What a request is answered with. */
export interface ControlResults {
  readonly status: ServiceStatus;
  /** OpenMetrics text. */
  readonly metrics: string;
  /** Each line is JSON; oldest first. */
  readonly log: readonly string[];
  /** The level before. */
  readonly logLevel: { readonly before: string };
  readonly hold: { readonly replaced: string | null };
  readonly release: { readonly held: string | null };
  readonly reload: ReloadResult;
  /** Short Server IDs of those that are told. */
  readonly triggerUpdate: { readonly servers: readonly number[] };
}

export interface ReloadResult {
  /** Keys whose new values are in force. */
  readonly applied: readonly string[];
  /** Keys whose new values need a restart of the service. */
  readonly needRestart: readonly string[];
  /** Why nothing was taken over; empty when the file is well. */
  readonly problems: readonly string[];
}

export interface ControlClient {
  /**
   * @throws ConfigError when no service listens or it may not be asked, TransportError when the connection is lost,
   *   ControlError when the service says no
   */
  ask<M extends ControlRequest["method"]>(
    request: Extract<ControlRequest, { method: M }>,
  ): Promise<ControlResults[M]>;
  close(): void;
}

/** The service says no, and why. */
export class ControlError extends ConfigError {}

interface Call {
  readonly resolve: (result: unknown) => void;
  readonly reject: (fault: Error) => void;
}

/** An agent that does not answer by then hangs. */
const patience = 15_000;

export function createControlClient(path: string): ControlClient {
  checkSocketPath(path);
  const calls = new Map<number, Call>();
  let socket: Socket | undefined;
  let lastId = 0;

  const received = (line: string): void => {
    const answer = JSON.parse(line) as ControlAnswer; // the service has the same version, or says that it has not
    const call = calls.get(answer.id);
    calls.delete(answer.id);
    if ("error" in answer) call?.reject(new ControlError(answer.error.message));
    else call?.resolve(answer.result);
  };
  const connected = (): Socket => {
    if (socket !== undefined) return socket;
    const opened = connect(path);
    socket = opened;
    let fault: Error = new TransportError("the service has ended the connection");
    const readLine = createLineReader(maximumAnswerLength, received);
    opened.setEncoding("utf8");
    opened.setTimeout(patience, () =>
      opened.destroy(new Error(`it did not answer within ${patience / 1000} s`)),
    );
    opened.on("data", (piece: string) => {
      try {
        if (!readLine(piece)) throw new Error("a line without end");
      } catch (cause) {
        opened.destroy(new Error("something else answers there", { cause }));
      }
    });
    opened.once("error", (cause) => {
      fault = connectionFault(path, cause);
    });
    opened.once("close", () => {
      socket = undefined;
      for (const { reject } of calls.values()) reject(fault);
      calls.clear();
    });
    return opened;
  };

  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        calls.set(id, { resolve: resolve as (result: unknown) => void, reject });
        connected().write(`${JSON.stringify({ v: controlVersion, id, ...request })}\n`);
      }),
    close: () => socket?.destroy(),
  };
}

function connectionFault(path: string, cause: Error): Error {
  switch (errorCode(cause)) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new ConfigError(
        `no agent runs here (nothing listens on ${path}): start it with systemctl start lwm2m-agent, or say --socket`,
        { cause },
      );
    case "EACCES":
      return new ConfigError(
        `${path} may not be opened by this user: use sudo, or become a member of the group in control.group`,
        { cause },
      );
    default:
      return new TransportError(`the service cannot be asked: ${describeError(cause)}`, { cause });
  }
}
