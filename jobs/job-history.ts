/** Jobs while they live: the state behind the records that callers see. */
import type { TaskOutcome } from "./device-task.js";
import {
  formatTally,
  isFinal,
  type JobError,
  type JobParameters,
  type JobRecord,
  type JobStatus,
  type JobType,
  statisticsOf,
} from "./job.js";

/** What the caller made. It holds its children together, and ends with the last of them. */
export class ParentJob {
  readonly jobId: string;
  readonly type: JobType;
  readonly children: readonly ChildJob[];
  cancelRequested = false;
  readonly #parameters: JobParameters;
  readonly #createdTimeUtc: string;
  #endTimeUtc: string | undefined;

  constructor(jobId: string, type: JobType, parameters: JobParameters, createdTimeUtc: string) {
    this.jobId = jobId;
    this.type = type;
    this.#parameters = parameters;
    this.#createdTimeUtc = createdTimeUtc;
    this.children = parameters.DeviceIds.map(
      (deviceId, index) => new ChildJob(jobId, index + 1, type, deviceId, createdTimeUtc),
    );
  }

  /** Failed children leave their parent completed: success is read from the tally. */
  get status(): JobStatus {
    if (this.#endTimeUtc !== undefined) return this.cancelRequested ? "cancelled" : "completed";
    return this.children.every(({ status }) => status === "enqueued") ? "enqueued" : "running";
  }

  childEnded(now: string): void {
    if (this.children.every(({ status }) => isFinal(status))) this.#endTimeUtc = now;
  }

  record(): JobRecord {
    const statistics = statisticsOf(this.children);
    const started = this.children.flatMap(({ startTimeUtc }) => startTimeUtc ?? []).sort();
    return {
      jobId: this.jobId,
      type: this.type,
      status: this.status,
      createdTimeUtc: this.#createdTimeUtc,
      ...present("startTimeUtc", started[0]),
      ...present("endTimeUtc", this.#endTimeUtc),
      statusMessage: formatTally(statistics),
      parameters: this.#parameters,
      deviceJobStatistics: statistics,
    };
  }
}

/** The part of a job that concerns one device. */
export class ChildJob {
  /** No caller can choose this one: theirs have no dot. */
  readonly jobId: string;
  readonly type: JobType;
  readonly deviceId: string;
  statusMessage: string | undefined;
  readonly #parentJobId: string;
  readonly #createdTimeUtc: string;
  #status: JobStatus = "enqueued";
  #startTimeUtc: string | undefined;
  #endTimeUtc: string | undefined;
  #error: JobError | undefined;
  #result: JobRecord["result"];

  constructor(parentJobId: string, number: number, type: JobType, deviceId: string, createdTimeUtc: string) {
    this.jobId = `${parentJobId}.${number}`;
    this.type = type;
    this.deviceId = deviceId;
    this.#parentJobId = parentJobId;
    this.#createdTimeUtc = createdTimeUtc;
  }

  get status(): JobStatus {
    return this.#status;
  }

  get startTimeUtc(): string | undefined {
    return this.#startTimeUtc;
  }

  begin(now: string): void {
    this.#status = "running";
    this.#startTimeUtc = now;
    this.statusMessage = undefined;
  }

  end(outcome: TaskOutcome, now: string): void {
    this.#status = outcome.status;
    this.#endTimeUtc = now;
    switch (outcome.status) {
      case "completed":
        this.#result = outcome.result;
        this.statusMessage = outcome.message;
        break;
      case "cancelled":
        this.statusMessage = outcome.message;
        break;
      case "failed":
        this.#error = outcome.error;
    }
  }

  record(): JobRecord {
    return {
      jobId: this.jobId,
      type: this.type,
      status: this.#status,
      createdTimeUtc: this.#createdTimeUtc,
      ...present("startTimeUtc", this.#startTimeUtc),
      ...present("endTimeUtc", this.#endTimeUtc),
      ...present("failureReason", this.#error?.message),
      ...present("statusMessage", this.statusMessage),
      deviceId: this.deviceId,
      parentJobId: this.#parentJobId,
      ...present("error", this.#error),
      ...present("result", this.#result),
    };
  }
}

/** Absent fields are left out of a record. */
const present = <Name extends keyof JobRecord>(
  name: Name,
  value: JobRecord[Name] | undefined,
): Partial<Pick<JobRecord, Name>> =>
  value === undefined ? {} : ({ [name]: value } as Partial<Pick<JobRecord, Name>>); // one field of a JobRecord
