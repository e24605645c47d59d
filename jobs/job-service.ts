/**
 * The job engine: takes jobs for many devices, runs each device's in turn, and keeps their history in memory. What a job
 * does on a device is elsewhere; here is who runs when, and what becomes of it.
 */
import type { Clock, Log, Millis, Timer } from "../agent/ports.js";
import { seconds } from "../agent/ports.js";
import { DEFAULT_CONFIGURATION_OBJECT_ID } from "../objects/configuration.js";
import type { DeviceEvent, DeviceGateway } from "./device-gateway.js";
import { DeviceNotConnectedError } from "./device-gateway.js";
import { DeviceQueue } from "./device-queue.js";
import { type DeviceTask, JobFailure, jobErrorOf, type TaskOutcome } from "./device-task.js";
import { formatTimeSpan, isFinal, type JobRecord, type JsonValue } from "./job.js";
import { type ChildJob, ParentJob } from "./job-history.js";
import {
  checkJobRequest,
  type DeviceIds,
  type JobRequest,
  JobRequestError,
  type JobSettings,
} from "./job-request.js";
import { createPropertyMap } from "./properties.js";

export interface JobServiceOptions {
  readonly gateway: DeviceGateway;
  readonly clock: Clock;
  readonly log: Log;
  /** Number of the Configuration Object, the same on all devices. */
  readonly configurationObjectId?: number;
  /** For one device's part of any job but a firmware update; 2 minutes unless given. */
  readonly timeout?: Millis;
  /** Between two looks at a device that updates its firmware; 5 seconds unless given. */
  readonly pollInterval?: Millis;
  /** How many parents are remembered, the ended ones being dropped first; 1000 unless given. */
  readonly historySize?: number;
}

/**
 * Every schedule method answers with the parent as it was made, and does not wait for devices.
 * @throws JobRequestError when a request is refused; nothing was begun then
 */
export interface JobService {
  schedule(request: JobRequest): Promise<JobRecord>;
  /** @param timeout for each device, from its start to its end; 30 minutes unless given */
  scheduleFirmwareUpdate(
    jobId: string,
    devices: DeviceIds,
    packageUri: string,
    timeout?: Millis,
  ): Promise<JobRecord>;
  scheduleReboot(jobId: string, devices: DeviceIds): Promise<JobRecord>;
  scheduleFactoryReset(jobId: string, devices: DeviceIds): Promise<JobRecord>;
  scheduleDeviceConfigurationUpdate(jobId: string, devices: DeviceIds, value: string): Promise<JobRecord>;
  scheduleDevicePropertyRead(
    jobId: string,
    devices: DeviceIds,
    names: string | readonly string[],
  ): Promise<JobRecord>;
  scheduleDevicePropertyWrite(
    jobId: string,
    devices: DeviceIds,
    properties: Readonly<Record<string, JsonValue>>,
  ): Promise<JobRecord>;
  /** A parent or a child. */
  getJob(jobId: string): Promise<JobRecord>;
  /** All of them in the order of creation, the children of a job before their parent. */
  getJobs(): Promise<readonly JobRecord[]>;
  /**
   * Cancels what has not begun, and a firmware update that has not come to its installation; the rest ends as it would
   * have. A job that has ended stays as it is.
   */
  cancelJob(jobId: string): Promise<JobRecord>;
  /** Resolves with the final record; rejects with the reason of `signal`, which leaves the job alone. */
  waitForJob(jobId: string, options?: { readonly signal?: AbortSignal }): Promise<JobRecord>;
  /** Tells of every change of a parent or child. @returns the way to stop listening */
  onChange(listener: (record: JobRecord) => void): () => void;
  /** Abandons what runs; every later call fails. */
  close(): Promise<void>;
}

export const createJobService = (options: JobServiceOptions): JobService => new Jobs(options);

class Jobs implements JobService {
  readonly #gateway: DeviceGateway;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: JobSettings;
  readonly #historySize: number;
  /** By job id, in the order of creation. */
  readonly #parents = new Map<string, ParentJob>();
  readonly #queues = new Map<string, DeviceQueue<ScheduledChild>>();
  readonly #listeners = new Set<(record: JobRecord) => void>();
  /** Ends the waiting of those who wait for a job. */
  readonly #waiting = new Set<() => void>();
  #isClosed = false;
  readonly #stopListening: () => void;

  constructor(options: JobServiceOptions) {
    const { configurationObjectId = DEFAULT_CONFIGURATION_OBJECT_ID } = options;
    this.#gateway = options.gateway;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#settings = {
      configurationObjectId,
      properties: createPropertyMap(configurationObjectId),
      timeout: options.timeout ?? seconds(120),
      pollInterval: options.pollInterval ?? seconds(5),
    };
    this.#historySize = options.historySize ?? 1000;
    this.#stopListening = this.#gateway.onDeviceEvent((event) => this.#deviceChanged(event));
  }

  async schedule(request: JobRequest): Promise<JobRecord> {
    this.#ensureOpen();
    const { jobId, type, devices, parameters, timeout, task } = checkJobRequest(request, this.#settings);
    if (this.#parents.has(jobId)) throw new JobRequestError(409, `the job id ${jobId} is in use`);
    const unknown = devices.filter((device) => !this.#gateway.isKnown(device));
    if (unknown.length > 0) throw new JobRequestError(404, `no such device: ${unknown.join(", ")}`);

    const parent = new ParentJob(jobId, type, parameters, this.#now());
    this.#forgetOld();
    this.#parents.set(jobId, parent);
    const scheduled = parent.children.map((child) => new ScheduledChild(parent, child, task, timeout));
    for (const { child } of scheduled) this.#publish(child.record());
    this.#publish(parent.record());
    this.#log.info("job created", { jobId, type, devices: devices.length });
    const record = parent.record();
    for (const entry of scheduled) this.#enqueue(entry);
    return record;
  }

  scheduleFirmwareUpdate(
    jobId: string,
    devices: DeviceIds,
    packageUri: string,
    timeout?: Millis,
  ): Promise<JobRecord> {
    return this.schedule({ type: "firmwareUpdate", jobId, devices, packageUri, timeout });
  }

  scheduleReboot(jobId: string, devices: DeviceIds): Promise<JobRecord> {
    return this.schedule({ type: "rebootDevice", jobId, devices });
  }

  scheduleFactoryReset(jobId: string, devices: DeviceIds): Promise<JobRecord> {
    return this.schedule({ type: "factoryResetDevice", jobId, devices });
  }

  scheduleDeviceConfigurationUpdate(jobId: string, devices: DeviceIds, value: string): Promise<JobRecord> {
    return this.schedule({ type: "updateDeviceConfiguration", jobId, devices, value });
  }

  scheduleDevicePropertyRead(
    jobId: string,
    devices: DeviceIds,
    names: string | readonly string[],
  ): Promise<JobRecord> {
    const list = typeof names === "string" ? [names] : names;
    return this.schedule({ type: "readDeviceProperties", jobId, devices, names: list });
  }

  scheduleDevicePropertyWrite(
    jobId: string,
    devices: DeviceIds,
    properties: Readonly<Record<string, JsonValue>>,
  ): Promise<JobRecord> {
    return this.schedule({ type: "writeDeviceProperties", jobId, devices, properties });
  }

  async getJob(jobId: string): Promise<JobRecord> {
    this.#ensureOpen();
    return this.#find(jobId).record();
  }

  async getJobs(): Promise<readonly JobRecord[]> {
    this.#ensureOpen();
    return [...this.#parents.values()].flatMap((parent) => [
      ...parent.children.map((child) => child.record()),
      parent.record(),
    ]);
  }

  async cancelJob(jobId: string): Promise<JobRecord> {
    this.#ensureOpen();
    const job = this.#find(jobId);
    if (job instanceof ParentJob && !isFinal(job.status)) job.cancelRequested = true;
    const concerned = job instanceof ParentJob ? job.children : [job];
    for (const queue of this.#queues.values()) {
      for (const entry of queue.entries()) if (concerned.includes(entry.child)) this.#cancel(entry);
    }
    return job.record();
  }

  #cancel(entry: ScheduledChild): void {
    if (entry.child.status === "running") entry.cancelling.abort();
    else this.#end(entry, { status: "cancelled", message: "cancelled before it began" });
  }

  async waitForJob(jobId: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<JobRecord> {
    this.#ensureOpen();
    const job = this.#find(jobId);
    if (isFinal(job.status)) return job.record();
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const settle = () => {
        stop();
        signal?.removeEventListener("abort", abandon);
        this.#waiting.delete(abandon);
      };
      const stop = this.onChange((record) => {
        if (record.jobId !== jobId || !isFinal(record.status)) return;
        settle();
        resolve(record);
      });
      const abandon = () => {
        settle();
        reject(signal?.aborted === true ? signal.reason : closed());
      };
      signal?.addEventListener("abort", abandon);
      this.#waiting.add(abandon);
    });
  }

  onChange(listener: (record: JobRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    for (const abandon of [...this.#waiting]) abandon();
    for (const entry of [...this.#queues.values()].flatMap((queue) => queue.entries())) {
      entry.deadline?.cancel();
      entry.ended.abort(closed());
    }
    this.#queues.clear();
    this.#listeners.clear();
  }

  #ensureOpen(): void {
    if (this.#isClosed) throw closed();
  }

  #find(jobId: string): ParentJob | ChildJob {
    const parent = this.#parents.get(jobId);
    if (parent !== undefined) return parent;
    for (const { children } of this.#parents.values()) {
      const child = children.find((one) => one.jobId === jobId);
      if (child !== undefined) return child;
    }
    throw new JobRequestError(404, `no such job: ${jobId}`);
  }

  // ---- Who runs when -------------------------------------------------------------------------------------------

  #enqueue(entry: ScheduledChild): void {
    const { deviceId } = entry.child;
    let queue = this.#queues.get(deviceId);
    if (queue === undefined) {
      queue = new DeviceQueue();
      this.#queues.set(deviceId, queue);
    }
    queue.add(entry);
    this.#startNext(deviceId);
  }

  #deviceChanged({ device, type }: DeviceEvent): void {
    if (type === "registered" || type === "updated") this.#startNext(device.endpointName);
  }

  #startNext(deviceId: string): void {
    const entry = this.#queues.get(deviceId)?.next;
    if (entry === undefined) return;
    if (this.#gateway.device(deviceId) === undefined) {
      this.#end(entry, { status: "failed", error: jobErrorOf(new DeviceNotConnectedError(deviceId)) });
    } else if (this.#gateway.isReachable(deviceId)) {
      this.#run(entry);
    } else {
      // It sleeps, and says so by an Update when it has woken up.
      entry.child.statusMessage = "Waiting for the device to wake up";
      entry.deadline ??= this.#clock.after(entry.timeout, () => this.#timeUp(entry));
      this.#publish(entry.child.record());
    }
  }

  #run(entry: ScheduledChild): void {
    const { child, parent, task } = entry;
    this.#queues.get(child.deviceId)?.begin(entry);
    entry.deadline?.cancel();
    entry.deadline = this.#clock.after(entry.timeout, () => this.#timeUp(entry));
    const parentBegins = parent.status === "enqueued";
    child.begin(this.#now());
    this.#publish(child.record());
    if (parentBegins) this.#publish(parent.record());
    task({
      endpointName: child.deviceId,
      gateway: this.#gateway,
      clock: this.#clock,
      ended: entry.ended.signal,
      cancelRequested: entry.cancelling.signal,
      report: (message) => this.#report(child, message),
    }).then(
      (outcome) => this.#end(entry, outcome),
      (fault: unknown) => this.#end(entry, { status: "failed", error: jobErrorOf(fault) }),
    );
  }

  #report(child: ChildJob, message: string): void {
    if (isFinal(child.status) || child.statusMessage === message) return;
    child.statusMessage = message;
    this.#publish(child.record());
  }

  #timeUp(entry: ScheduledChild): void {
    const during = entry.child.statusMessage;
    const message = `no end after ${formatTimeSpan(entry.timeout)}${during === undefined ? "" : ` (${during})`}`;
    const error = { code: "jobTimeout", message };
    entry.ended.abort(new JobFailure(error)); // first: what it leaves on the device is undone before the next job
    this.#end(entry, { status: "failed", error });
  }

  /** What comes after the end, such as the answer to a request of a job whose time was up, changes nothing. */
  #end(entry: ScheduledChild, outcome: TaskOutcome): void {
    const { child, parent } = entry;
    if (isFinal(child.status) || this.#isClosed) return;
    entry.deadline?.cancel();
    child.end(outcome, this.#now());
    if (outcome.status === "failed" && outcome.error.code === "internalError") {
      this.#log.error("job failed by a fault of ours", { jobId: child.jobId, reason: outcome.error.message });
    }
    const queue = this.#queues.get(child.deviceId);
    queue?.remove(entry);
    if (queue?.isEmpty) this.#queues.delete(child.deviceId);
    this.#publish(child.record());
    parent.childEnded(this.#now());
    this.#publish(parent.record());
    if (isFinal(parent.status)) this.#log.info("job ended", { jobId: parent.jobId, status: parent.status });
    this.#startNext(child.deviceId);
  }

  #publish(record: JobRecord): void {
    for (const listener of this.#listeners) {
      try {
        listener(record);
      } catch (fault) {
        this.#log.error("a listener to job changes failed", { fault });
      }
    }
  }

  #forgetOld(): void {
    for (const [jobId, { status }] of this.#parents) {
      if (this.#parents.size < this.#historySize) return;
      if (isFinal(status)) this.#parents.delete(jobId);
    }
  }

  #now(): string {
    return this.#clock.date().toISOString();
  }
}

/** A child on its way through the queue of its device. */
class ScheduledChild {
  readonly parent: ParentJob;
  readonly child: ChildJob;
  readonly task: DeviceTask;
  readonly timeout: Millis;
  readonly cancelling = new AbortController();
  readonly ended = new AbortController();
  deadline: Timer | undefined;

  constructor(parent: ParentJob, child: ChildJob, task: DeviceTask, timeout: Millis) {
    this.parent = parent;
    this.child = child;
    this.task = task;
    this.timeout = timeout;
  }

  get overtakes(): boolean {
    return this.child.type === "rebootDevice";
  }
}

const closed = () => new JobRequestError(410, "client is closed");
