/** What a caller may ask for, and the checks before anything is sent. */
import { DecodeError } from "../agent/model/errors.js";
import { type Millis, millis, seconds } from "../agent/ports.js";
import type { DeviceTask } from "./device-task.js";
import {
  configurationTask,
  factoryResetTask,
  type PropertyValue,
  readTask,
  rebootTask,
  writeTask,
} from "./device-tasks.js";
import { firmwareUpdateTask } from "./firmware-update-run.js";
import { formatTimeSpan, type JobParameters, type JobType, type JsonValue } from "./job.js";
import { type DeviceProperty, fromJson, hasOwnJob, type PropertyMap } from "./properties.js";

/** One device or several, by endpoint name. */
export type DeviceIds = string | readonly string[];

export type JobWork =
  | { readonly type: "firmwareUpdate"; readonly packageUri: string; readonly timeout?: Millis | undefined }
  | { readonly type: "rebootDevice" }
  | { readonly type: "factoryResetDevice" }
  | { readonly type: "updateDeviceConfiguration"; readonly value: string }
  | { readonly type: "readDeviceProperties"; readonly names: readonly string[] }
  | { readonly type: "writeDeviceProperties"; readonly properties: Readonly<Record<string, JsonValue>> };

export type JobRequest = JobWork & {
  /** Chosen by the caller: 1 to 64 letters, digits, `-` or `_`. */
  readonly jobId: string;
  readonly devices: DeviceIds;
};

/** The caller asked for something that cannot be; nothing was begun. */
export class JobRequestError extends Error {
  override readonly name = "JobRequestError";
  /** 400 invalid argument, 404 unknown device or job, 409 the id is in use, 410 the service is closed. */
  readonly statusCode: 400 | 404 | 409 | 410;
  constructor(statusCode: JobRequestError["statusCode"], message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

const invalid = (message: string) => new JobRequestError(400, message);

export interface JobSettings {
  readonly properties: PropertyMap;
  readonly configurationObjectId: number;
  /** From the start of a child to its end, for all but firmware updates. */
  readonly timeout: Millis;
  readonly pollInterval: Millis;
}

/** A request that was found in order. */
export interface CheckedJob {
  readonly jobId: string;
  readonly type: JobType;
  readonly devices: readonly string[];
  readonly parameters: JobParameters;
  readonly timeout: Millis;
  readonly task: DeviceTask;
}

export const defaultFirmwareTimeout = seconds(30 * 60);
const firmwareTimeoutRange = [seconds(60), seconds(24 * 3600)] as const;
/** Range of /5/0/1, and of /<configuration>/0/2 on the device. */
const maxPackageUriBytes = 255;

/** @throws JobRequestError 400, saying what is wrong */
export function checkJobRequest(request: JobRequest, settings: JobSettings): CheckedJob {
  const jobId = checkJobId(request.jobId);
  const devices = checkDevices(request.devices);
  const { parameters, task, timeout = settings.timeout } = checkWork(request, settings);
  return {
    jobId,
    type: request.type,
    devices,
    parameters: { DeviceIds: devices, ...parameters },
    task,
    timeout,
  };
}

function checkJobId(jobId: unknown): string {
  if (typeof jobId === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(jobId)) return jobId;
  throw invalid(`a job id has 1 to 64 letters, digits, "-" or "_"; ${JSON.stringify(jobId)} is none`);
}

function checkDevices(devices: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(devices) ? devices : [devices];
  if (list.length === 0) throw invalid("a job needs at least one device");
  return [...new Set(list.map((device) => checkText(device, "a device id")))];
}

function checkText(value: unknown, what: string): string {
  if (typeof value === "string" && value.trim() !== "") return value;
  throw invalid(`${what} must be text that is not blank`);
}

interface CheckedWork {
  readonly parameters: Omit<JobParameters, "DeviceIds">;
  readonly task: DeviceTask;
  readonly timeout?: Millis;
}

function checkWork(work: JobWork, settings: JobSettings): CheckedWork {
  switch (work.type) {
    case "firmwareUpdate":
      return checkFirmwareUpdate(work.packageUri, work.timeout ?? defaultFirmwareTimeout, settings);
    case "rebootDevice":
      return { parameters: {}, task: rebootTask };
    case "factoryResetDevice":
      return { parameters: {}, task: factoryResetTask };
    case "updateDeviceConfiguration": {
      const { value } = work;
      if (typeof value !== "string") throw invalid("the configuration value must be text");
      return { parameters: { Value: value }, task: configurationTask(settings.configurationObjectId, value) };
    }
    case "readDeviceProperties": {
      const properties = checkNames(work.names, settings.properties);
      const names = properties.map(({ name }) => name);
      return { parameters: { DevicePropertyNames: names }, task: readTask(properties) };
    }
    case "writeDeviceProperties": {
      const values = checkValues(work.properties, settings.properties);
      return { parameters: { DeviceProperties: work.properties }, task: writeTask(values) };
    }
    default:
      throw invalid(`${JSON.stringify((work as { type: unknown }).type)} is no type of job`);
  }
}

function checkFirmwareUpdate(uri: unknown, timeout: Millis, { pollInterval }: JobSettings): CheckedWork {
  const packageUri = checkText(uri, "the package URI");
  if (Buffer.byteLength(packageUri) > maxPackageUriBytes) {
    throw invalid(`the package URI has more than ${maxPackageUriBytes} bytes`);
  }
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/]+/i.test(packageUri)) {
    throw invalid(`${JSON.stringify(packageUri)} is no absolute URI such as http://192.0.2.1/firmware.img`);
  }
  const [shortest, longest] = firmwareTimeoutRange;
  if (!(timeout >= shortest && timeout <= longest)) {
    throw invalid("the timeout of a firmware update is between 1 minute and 24 hours");
  }
  return {
    parameters: { PackageUri: packageUri, Timeout: formatTimeSpan(timeout) },
    task: firmwareUpdateTask({ packageUri, pollInterval }),
    timeout: millis(timeout),
  };
}

function checkNames(names: unknown, map: PropertyMap): readonly DeviceProperty[] {
  const list: readonly unknown[] = Array.isArray(names) ? names : [names];
  if (list.length === 0) throw invalid("name at least one property to read");
  const found = list.map((name) => findProperty(name, "read", map));
  return [...new Map(found.map((property) => [property.name, property])).values()];
}

function checkValues(properties: unknown, map: PropertyMap): readonly PropertyValue[] {
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) {
    throw invalid("the properties to write must be an object of names and values");
  }
  const entries = Object.entries(properties as Record<string, JsonValue | undefined>);
  if (entries.length === 0) throw invalid("name at least one property to write");
  return entries.map(([name, value]) => {
    const property = findProperty(name, "write", map);
    if (value === null || value === undefined) throw invalid(`${name} has no value`);
    try {
      return { property, content: fromJson(value, property.definition) };
    } catch (fault) {
      if (!(fault instanceof DecodeError)) throw fault;
      throw invalid(`${name}: ${fault.message}`);
    }
  });
}

function findProperty(given: unknown, operation: "read" | "write", map: PropertyMap): DeviceProperty {
  const name = checkText(given, "a property name");
  const property = map.find(name);
  if (property === undefined) {
    throw invalid(
      `${JSON.stringify(name)} is no property: use a path such as /3/0/15, or one of ${map.names.join(", ")}`,
    );
  }
  if (hasOwnJob(property, operation))
    throw invalid(`${name} has a job of its own; it cannot be ${operation === "read" ? "read" : "written"}`);
  return property;
}
