/** The command line's side of the control interface. */
import { connect, type Socket } from "node:net";
import { ConfigError } from "../agent/model/errors.js";
import { TransportError } from "../agent/ports.js";
import {
  type ControlMessage,
  type ControlRequest,
  checkSocketPath,
  createLineReader,
  type DeviceSummary,
  type Submission,
} from "./control-protocol.js";
import type { JobRecord } from "./job.js";

/**
 * Every call connects when needed. It throws ConfigError when nothing listens, TransportError when the connection is
 * lost, ControlError when the simulation refuses.
 */
export interface ControlClient {
  devices(): Promise<readonly DeviceSummary[]>;
  /** Parents and children. */
  jobs(): Promise<readonly JobRecord[]>;
  /** @returns the parent as it was made */
  submit(submission: Submission): Promise<JobRecord>;
  /**
   * @param changed called with each child as it is, then with every change of the job and its children
   * @returns the job when it has ended
   */
  follow(jobId: string, changed: (record: JobRecord) => void): Promise<JobRecord>;
  cancel(jobId: string): Promise<JobRecord>;
  close(): void;
}

/** The simulation refused, and says why. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  /** 400 invalid, 404 unknown device or job, 409 job id in use, 410 closing, 500 a fault of the simulation. */
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

export const createControlClient = (path: string): ControlClient => new Client(path);

interface Call {
  readonly resolve: (result: unknown) => void;
  readonly reject: (fault: Error) => void;
  readonly event: (record: JobRecord) => void;
}

class Client implements ControlClient {
  readonly #path: string;
  readonly #calls = new Map<number, Call>();
  #socket: Socket | undefined;
  #lastId = 0;

  constructor(path: string) {
    this.#path = path;
  }

  devices(): Promise<readonly DeviceSummary[]> {
    return this.#call({ method: "devices" });
  }

  jobs(): Promise<readonly JobRecord[]> {
    return this.#call({ method: "jobs" });
  }

  submit(job: Submission): Promise<JobRecord> {
    return this.#call({ method: "submit", job });
  }

  follow(jobId: string, changed: (record: JobRecord) => void): Promise<JobRecord> {
    return this.#call({ method: "follow", jobId }, changed);
  }

  cancel(jobId: string): Promise<JobRecord> {
    return this.#call({ method: "cancel", jobId });
  }

  close(): void {
    this.#socket?.destroy();
  }

  /** The other end is the same program in the same version, so a result is taken for what its method answers. */
  #call<T>(request: ControlRequest, event: (record: JobRecord) => void = () => undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      checkSocketPath(this.#path);
      const id = ++this.#lastId;
      this.#calls.set(id, { resolve: resolve as (result: unknown) => void, reject, event });
      this.#connected().write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  #connected(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connect(this.#path);
    this.#socket = socket;
    let fault: Error = new TransportError("the simulation has ended");
    const readLine = createLineReader((line) => this.#received(line));
    socket.setEncoding("utf8");
    socket.on("data", (piece: string) => {
      try {
        if (!readLine(piece)) throw new Error("a line without end");
      } catch (cause) {
        socket.destroy(new Error("something else answers there", { cause }));
      }
    });
    socket.once("error", (cause) => {
      fault = connectionFault(this.#path, cause);
    });
    socket.once("close", () => {
      this.#socket = undefined;
      for (const { reject } of this.#calls.values()) reject(fault);
      this.#calls.clear();
    });
    return socket;
  }

  #received(line: string): void {
    const message = JSON.parse(line) as ControlMessage; // see #call
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    if ("event" in message) {
      call.event(message.event);
      return;
    }
    this.#calls.delete(message.id);
    if ("error" in message) call.reject(new ControlError(message.error.statusCode, message.error.message));
    else call.resolve(message.result);
  }
}

function connectionFault(path: string, cause: Error & { code?: string }): Error {
  switch (cause.code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new ConfigError(
        `no simulation is running: start one with \`lwm2m-agent simulate --wait\` (nothing listens on ${path})`,
        { cause },
      );
    case "EACCES":
      return new ConfigError(`${path} belongs to another user`, { cause });
    default:
      return new TransportError(`the connection to the simulation was lost: ${cause.message}`, { cause });
  }
}
