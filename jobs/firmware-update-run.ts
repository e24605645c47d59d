/** Runs the table of `firmware-update.ts` against one device. */
import { DecodeError } from "../agent/model/errors.js";
import type { ResourcePath } from "../agent/model/path.js";
import type { ObjectContent } from "../agent/model/value.js";
import type { Millis, Timer } from "../agent/ports.js";
import { Device } from "../objects/device.js";
import { FirmwareUpdate } from "../objects/firmware-update/definition.js";
import {
  type DeviceGateway,
  DeviceTimeoutError,
  type Observation,
  resourceContent,
  resourceIn,
} from "./device-gateway.js";
import { type DeviceTask, jobErrorOf, type TaskContext } from "./device-task.js";
import {
  type FirmwareEffect,
  type FirmwareEvent,
  type FirmwareOutcome,
  type FirmwareState,
  firmwareStart,
  firmwareStep,
} from "./firmware-update.js";

const { resources } = FirmwareUpdate;
const statePath = [FirmwareUpdate.id, 0, resources.state.id] as const;
const resultPath = [FirmwareUpdate.id, 0, resources.updateResult.id] as const;
const packageUriPath = [FirmwareUpdate.id, 0, resources.packageUri.id] as const;
const updatePath = [FirmwareUpdate.id, 0, resources.update.id] as const;
const cancelPath = [FirmwareUpdate.id, 0, resources.cancel.id] as const;
const firmwareVersionPath = [Device.id, 0, Device.resources.firmwareVersion.id] as const;

export interface FirmwareUpdateOptions {
  readonly packageUri: string;
  readonly pollInterval: Millis;
}

export const firmwareUpdateTask =
  ({ packageUri, pollInterval }: FirmwareUpdateOptions): DeviceTask =>
  (context) =>
    new FirmwareUpdateRun(context, packageUri, pollInterval).run();

class FirmwareUpdateRun {
  readonly #context: TaskContext;
  readonly #packageUri: string;
  readonly #pollInterval: Millis;
  #state: FirmwareState = firmwareStart[0];
  /** As far as notifications have told since the device registered. */
  #notified: { state?: number; result?: number } = {};
  #observations: Observation[] = [];
  #pollTimer: Timer | undefined;
  #over = false;
  #finish: (outcome: FirmwareOutcome) => void = () => undefined;

  constructor(context: TaskContext, packageUri: string, pollInterval: Millis) {
    this.#context = context;
    this.#packageUri = packageUri;
    this.#pollInterval = pollInterval;
  }

  async run(): Promise<FirmwareOutcome> {
    const { gateway, endpointName, cancelRequested, ended } = this.#context;
    const stopListening = gateway.onDeviceEvent(({ type, device }) => {
      if (device.endpointName !== endpointName || type === "updated") return;
      this.#notified = {};
      this.#happened({ type: type === "registered" ? "registered" : "gone" });
    });
    const cancel = () => this.#happened({ type: "cancelRequested" });
    cancelRequested.addEventListener("abort", cancel, { once: true });
    try {
      return await new Promise<FirmwareOutcome>((resolve, reject) => {
        this.#finish = resolve;
        ended.addEventListener("abort", () => reject(ended.reason), { once: true });
        const [, ...effects] = firmwareStart;
        this.#perform(effects);
        if (cancelRequested.aborted) cancel();
      });
    } finally {
      stopListening();
      cancelRequested.removeEventListener("abort", cancel);
      this.#pollTimer?.cancel();
      this.#over = true; // answers may still come
      for (const observation of this.#observations) void observation.cancel();
    }
  }

  #happened(event: FirmwareEvent): void {
    if (this.#over) return;
    const [state, ...effects] = firmwareStep(this.#state, event);
    this.#state = state;
    if (state.name === "ended") this.#finish(state.outcome);
    else this.#perform(effects);
  }

  #perform(effects: readonly FirmwareEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: FirmwareEffect): void {
    const { gateway, endpointName, clock, report } = this.#context;
    switch (effect.do) {
      case "report":
        report(effect.message);
        return;
      case "observe":
        void this.#observe();
        return;
      case "read":
        this.#pollTimer?.cancel();
        void this.#read();
        return;
      case "readLater":
        this.#pollTimer?.cancel();
        this.#pollTimer = clock.after(this.#pollInterval, () => void this.#read());
        return;
      case "reset":
        this.#order(this.#writePackageUri(""));
        return;
      case "offer":
        this.#order(this.#writePackageUri(this.#packageUri));
        return;
      case "execute":
        this.#order(gateway.execute(endpointName, updatePath));
        return;
      case "readVersion":
        void this.#readVersion();
        return;
      case "cancel":
        this.#order(
          hasCancel(gateway, endpointName)
            ? gateway.execute(endpointName, cancelPath)
            : this.#writePackageUri(""),
        );
        return;
    }
  }

  #writePackageUri(uri: string): Promise<void> {
    const { gateway, endpointName } = this.#context;
    return gateway.write(endpointName, packageUriPath, resourceContent(packageUriPath, uri), "replace");
  }

  #order(answer: Promise<void>): void {
    answer.then(
      () => this.#happened({ type: "accepted" }),
      (fault: unknown) => {
        const type = fault instanceof DeviceTimeoutError ? "unanswered" : "refused";
        this.#happened({ type, error: jobErrorOf(fault) });
      },
    );
  }

  async #read(): Promise<void> {
    const { gateway, endpointName } = this.#context;
    try {
      // A device sets Result before State: in this order a new State never comes with an old Result.
      const state = numberAt(await gateway.read(endpointName, statePath), statePath);
      const result = numberAt(await gateway.read(endpointName, resultPath), resultPath);
      if (state === undefined || result === undefined) throw new DecodeError("no State or no Update Result");
      this.#happened({ type: "reported", by: "read", state, result });
    } catch (fault) {
      this.#unread(fault);
    }
  }

  async #readVersion(): Promise<void> {
    const { gateway, endpointName } = this.#context;
    try {
      const content = await gateway.read(endpointName, firmwareVersionPath);
      const version = resourceIn(content, firmwareVersionPath);
      this.#happened({ type: "version", version: typeof version === "string" ? version : undefined });
    } catch (fault) {
      this.#unread(fault);
    }
  }

  #unread(fault: unknown): void {
    const answered = !(fault instanceof DeviceTimeoutError);
    if (!answered && fault.restarted) return; // the new registration has led to another read
    this.#happened({ type: "unread", answered, error: jobErrorOf(fault) });
  }

  async #observe(): Promise<void> {
    this.#observations = []; // those of an older registration are void
    for (const [path, name] of [
      [resultPath, "result"],
      [statePath, "state"],
    ] as const) {
      try {
        const { gateway, endpointName } = this.#context;
        const observation = await gateway.observe(endpointName, path, (content) =>
          this.#notice(name, numberAt(content, path)),
        );
        if (this.#over) void observation.cancel();
        else this.#observations.push(observation);
      } catch {
        // Reads find out the same, a little later.
      }
    }
  }

  #notice(name: "state" | "result", value: number | undefined): void {
    if (value === undefined) return;
    this.#notified[name] = value;
    const { state, result } = this.#notified;
    if (state === undefined || result === undefined) return;
    this.#happened({ type: "reported", by: "notification", state, result });
  }
}

function numberAt(content: ObjectContent, path: ResourcePath): number | undefined {
  const value = resourceIn(content, path);
  return typeof value === "number" ? value : undefined;
}

/** Cancel came with version 1.1 of the Object, which LwM2M 1.2 implies (LwM2M Core 1.2, table of core Objects). */
function hasCancel(gateway: DeviceGateway, endpointName: string): boolean {
  const device = gateway.device(endpointName);
  if (device === undefined) return false;
  const implied = Number(device.lwm2mVersion) >= 1.2 ? "1.1" : "1.0";
  return Number(device.objects.get(FirmwareUpdate.id)?.version ?? implied) >= 1.1;
}
