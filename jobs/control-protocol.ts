/**
 * What goes over the control socket. One line of JSON is one message; a request has an id, and every answer to it
 * carries that id.
 */
import { ConfigError } from "../agent/model/errors.js";
import type { JobRecord } from "./job.js";
import type { JobWork } from "./job-request.js";

/** A job as the control interface takes it. */
export type Submission = ControlWork & {
  /** Made by the service when it is absent: `firmware-update-1`. */
  readonly jobId?: string | undefined;
  /** All registered ones when it is absent. */
  readonly devices?: readonly string[] | undefined;
};

/** As for a job; a firmware update without a package installs the one that the simulation serves. */
export type ControlWork =
  | Exclude<JobWork, { type: "firmwareUpdate" }>
  | {
      readonly type: "firmwareUpdate";
      readonly packageUri?: string | undefined;
      readonly timeout?: number | undefined;
    };

export type ControlRequest =
  | { readonly method: "devices" }
  | { readonly method: "jobs" }
  | { readonly method: "submit"; readonly job: Submission }
  /** Sends the job and its children as they are, then each change as an event, until the job has ended. */
  | { readonly method: "follow"; readonly jobId: string }
  | { readonly method: "cancel"; readonly jobId: string };

export type ControlMessage = { readonly id: number } & (
  | { readonly result: unknown }
  | { readonly event: JobRecord }
  | { readonly error: ControlFault }
);

export interface ControlFault {
  /** As in JobRequestError: 400, 404, 409, 410; 500 for a fault of ours. */
  readonly statusCode: number;
  readonly message: string;
}

/** What `devices` answers, for each device. */
export interface DeviceSummary {
  readonly endpointName: string;
  readonly address: string;
  readonly port: number;
  readonly lwm2mVersion: string;
  readonly lifetimeSeconds: number;
  /** ISO 8601 */
  readonly registeredAt: string;
}

/** Longer lines end the connection. A job for a thousand devices has about 30 kB. */
const maxLineLength = 1024 * 1024;

/**
 * Cuts a stream of text into lines.
 * @returns what takes the next piece; it answers false when a line is too long, and wants no more then
 */
export function createLineReader(onLine: (line: string) => void): (piece: string) => boolean {
  let rest = "";
  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.length > maxLineLength) return false;
      if (line !== "") onLine(line);
    }
    return rest.length <= maxLineLength;
  };
}

/** sockaddr_un holds 108 bytes, the last of them a zero; beyond that the path would be cut off in silence. */
const maxSocketPathBytes = 107;

/** @throws ConfigError when the path is too long for a socket */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return;
  throw new ConfigError(`${path} is too long for a socket: at most ${maxSocketPathBytes} bytes`);
}
