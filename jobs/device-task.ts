/** What a job does on one device, whatever its type, and how it ends. */
import { DecodeError, RequestError } from "../agent/model/errors.js";
import type { Clock } from "../agent/ports.js";
import {
  type DeviceGateway,
  DeviceNotConnectedError,
  DeviceResponseError,
  DeviceTimeoutError,
} from "./device-gateway.js";
import type { JobError, JobRecord } from "./job.js";

export interface TaskContext {
  readonly endpointName: string;
  readonly gateway: DeviceGateway;
  readonly clock: Clock;
  /** Aborted when nobody waits for the end any more: the time is up, or the service closes. */
  readonly ended: AbortSignal;
  /** Aborted when somebody wants the job cancelled. A task that cannot stop half-way ends as it would have. */
  readonly cancelRequested: AbortSignal;
  /** Progress, for people. */
  report(message: string): void;
}

export type TaskOutcome =
  | { readonly status: "completed"; readonly message?: string; readonly result?: JobRecord["result"] }
  | { readonly status: "cancelled"; readonly message: string }
  | { readonly status: "failed"; readonly error: JobError };

/** What it throws makes the job of this device fail, with the error that `jobErrorOf` makes of it. */
export type DeviceTask = (context: TaskContext) => Promise<TaskOutcome>;

/** A failure whose code is known where it happens. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
  readonly error: JobError;
  constructor(error: JobError) {
    super(error.message);
    this.error = error;
  }
}

const codesByResponse: Readonly<Record<string, string>> = {
  "4.00": "badValue",
  "4.01": "unauthorized",
  "4.04": "notFound",
  "4.05": "notAllowed",
  "4.06": "badValue",
  "4.15": "badValue",
};

/** The one place where a fault becomes the code of a failed job. */
export function jobErrorOf(error: unknown): JobError {
  if (error instanceof JobFailure) return error.error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DeviceNotConnectedError) return { code: "deviceNotConnected", message };
  if (error instanceof DeviceTimeoutError) return { code: "deviceTimeout", message };
  if (error instanceof DeviceResponseError)
    return { code: codesByResponse[error.code] ?? "deviceError", message };
  // Ours: the value could not be put into a payload, so the device was never asked.
  if (error instanceof RequestError) return { code: codesByResponse[error.code] ?? "badValue", message };
  if (error instanceof DecodeError)
    return { code: "deviceError", message: `the answer makes no sense: ${message}` };
  return { code: "internalError", message };
}
