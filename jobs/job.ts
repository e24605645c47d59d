/**
 * The vocabulary of device jobs: their types, states and records. Field names and the spelling of states, types and
 * parameters are those of Azure IoT Hub's device management preview of 2016, which this service takes the place of.
 */

export const jobTypes = [
  "firmwareUpdate",
  "rebootDevice",
  "factoryResetDevice",
  "updateDeviceConfiguration",
  "readDeviceProperties",
  "writeDeviceProperties",
] as const;
export type JobType = (typeof jobTypes)[number];

/** The last three are final. */
export type JobStatus = "enqueued" | "running" | "completed" | "failed" | "cancelled";

export const isFinal = (status: JobStatus): boolean => status !== "enqueued" && status !== "running";

/** A value as records and the control interface carry it. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** What was asked, as it goes over the wire. */
export interface JobParameters {
  readonly DeviceIds: readonly string[];
  readonly PackageUri?: string;
  /** `hh:mm:ss` */
  readonly Timeout?: string;
  readonly Value?: string;
  readonly DevicePropertyNames?: readonly string[];
  readonly DeviceProperties?: Readonly<Record<string, JsonValue>>;
}

/** Why a child failed. `code` is for programs: `deviceTimeout`, `notAllowed`, `firmware.5` … */
export interface JobError {
  readonly code: string;
  readonly message: string;
}

export interface DeviceJobStatistics {
  readonly deviceCount: number;
  readonly pendingCount: number;
  readonly runningCount: number;
  readonly succeededCount: number;
  readonly failedCount: number;
  readonly cancelledCount: number;
}

/** One job as it stands: a parent, made by the caller, or one of its children, which concerns one device. */
export interface JobRecord {
  readonly jobId: string;
  readonly type: JobType;
  readonly status: JobStatus;
  /** ISO 8601, as the other two. */
  readonly createdTimeUtc: string;
  /** Absent until it starts. */
  readonly startTimeUtc?: string;
  /** Absent until it ends. */
  readonly endTimeUtc?: string;
  /** For people, on a failed job. */
  readonly failureReason?: string;
  /** Progress, for people; on a parent the tally. */
  readonly statusMessage?: string;
  /** Children only. */
  readonly deviceId?: string;
  /** Children only. */
  readonly parentJobId?: string;
  /** Parents only. */
  readonly parameters?: JobParameters;
  /** Parents only. */
  readonly deviceJobStatistics?: DeviceJobStatistics;
  /** Failed children only. */
  readonly error?: JobError;
  /** The values by property name, on the children of a read job. */
  readonly result?: Readonly<Record<string, JsonValue>>;
}

export function statisticsOf(children: readonly Pick<JobRecord, "status">[]): DeviceJobStatistics {
  const count = (wanted: JobStatus) => children.filter(({ status }) => status === wanted).length;
  return {
    deviceCount: children.length,
    pendingCount: count("enqueued"),
    runningCount: count("running"),
    succeededCount: count("completed"),
    failedCount: count("failed"),
    cancelledCount: count("cancelled"),
  };
}

/** Programs split this on `;` and `:`, so order and punctuation never change. */
export const formatTally = (statistics: DeviceJobStatistics): string =>
  `Devices: ${statistics.deviceCount}; Succeeded: ${statistics.succeededCount}; Failed: ${statistics.failedCount};`;

/** `hh:mm:ss` */
export function formatTimeSpan(milliseconds: number): string {
  const total = Math.round(milliseconds / 1000);
  const parts = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
