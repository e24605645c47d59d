/**
 * The Firmware Update Object (/5): what it is (`definition.ts`), what it does when (`table.ts`), what it remembers
 * (`record.ts`), and what carries it out (`runner.ts`, `effects.ts`, `push.ts`). How bytes are fetched and images written
 * is behind the ports, in `platform/`.
 */
import { type LiveObject, type ObjectImplementation, singleInstance } from "../../agent/model/definition.js";
import { deliveryMethods, FirmwareUpdate, protocolsByScheme } from "./definition.js";
import type { FirmwareUpdateProgress } from "./effects.js";
import { receivePackage } from "./push.js";
import type { FirmwareUpdateRecord } from "./record.js";
import type { UpdateResult } from "./results.js";
import { FirmwareUpdateRunner, type RunnerOptions } from "./runner.js";
import { type FirmwareUpdateState, packageOf, type StateNumber, stateNumbers, uriOf } from "./state.js";

export type FirmwareUpdateOptions = Omit<RunnerOptions, "onChange">;

export interface FirmwareUpdateObject extends ObjectImplementation {
  /**
   * Says how far the work is that a plugin took over. Where both change, the Result is set first.
   * @param state 0 Idle, 1 Downloading, 2 Downloaded, 3 Updating
   * @throws Error naming the states that are legal now; nothing has changed then
   */
  setFirmwareUpdateState(objectInstanceId: number, state: StateNumber): Promise<void>;
  /** @param result as in Update Result (/5/0/5), see `updateResults` */
  setFirmwareUpdateResult(objectInstanceId: number, result: UpdateResult): Promise<void>;
  state(): FirmwareUpdateState;
  /** undefined when nothing is under way, or it does not tell. */
  progress(): FirmwareUpdateProgress | undefined;
}

type ResourceName = keyof typeof FirmwareUpdate.resources;

/**
 * The Firmware Update Object: packages by push and pull, installed by the board. It becomes alive with `start`, which
 * also resolves what happened before.
 */
export function createFirmwareUpdate(options: FirmwareUpdateOptions): FirmwareUpdateObject {
  let live: LiveObject<typeof FirmwareUpdate> | undefined;
  const runner = new FirmwareUpdateRunner({
    ...options,
    onChange: (before, now) => {
      const changes = changedResources(before, now);
      if (changes.length > 0) live?.changed(0, ...changes);
    },
  });
  const protocols = protocolNumbers(options);
  const pulls = options.downloaders.length > 0 || options.hooks?.packageUriWritten !== undefined;

  return {
    ...singleInstance(
      FirmwareUpdate,
      {
        package: { receive: (size) => receivePackage(runner, size) },
        packageUri: {
          read: () => uriOf(runner.record.state),
          write: (uri) => runner.writePackageUri(uri),
        },
        update: { execute: () => runner.executeUpdate() },
        state: { read: () => stateNumbers[runner.record.state.name] },
        updateResult: { read: () => runner.record.state.result },
        pkgName: { read: () => packageOf(runner.record.state)?.info.name },
        pkgVersion: { read: () => packageOf(runner.record.state)?.info.version },
        protocolSupport: { read: () => protocols },
        deliveryMethod: { read: () => (pulls ? deliveryMethods.both : deliveryMethods.push) },
        cancel: { execute: () => runner.cancel() },
        severity: {
          read: () => runner.record.severity,
          write: (severity) => runner.configure({ severity }),
        },
        lastStateChangeTime: { read: () => runner.record.lastStateChange },
        maximumDeferPeriod: {
          read: () => runner.record.maximumDeferSeconds,
          write: (maximumDeferSeconds) => runner.configure({ maximumDeferSeconds }),
        },
      },
      {
        start: async (object) => {
          live = object;
          await runner.start();
        },
        close: () => runner.close(),
      },
    ),
    setFirmwareUpdateState: async (objectInstanceId, state) => {
      refuseOtherInstance(objectInstanceId);
      await runner.reportState(state);
    },
    setFirmwareUpdateResult: async (objectInstanceId, result) => {
      refuseOtherInstance(objectInstanceId);
      await runner.reportResult(result);
    },
    state: () => runner.record.state,
    progress: () => runner.progress,
  };
}

function refuseOtherInstance(objectInstanceId: number): void {
  if (objectInstanceId !== 0) throw new Error(`Firmware Update has instance 0 only, not ${objectInstanceId}`);
}

function protocolNumbers({ downloaders }: FirmwareUpdateOptions): ReadonlyMap<number, number> | undefined {
  const numbers = downloaders
    .flatMap(({ schemes }) => schemes.map((scheme) => protocolsByScheme.get(scheme)))
    .filter((number) => number !== undefined);
  const distinct = [...new Set(numbers)].sort((a, b) => a - b);
  return distinct.length === 0 ? undefined : new Map(distinct.entries());
}

/** In the order in which the registry has them change: the Result and the time before the State. */
function changedResources(before: FirmwareUpdateRecord, now: FirmwareUpdateRecord): readonly ResourceName[] {
  const readings: readonly [ResourceName, (record: FirmwareUpdateRecord) => unknown][] = [
    ["packageUri", ({ state }) => uriOf(state)],
    ["pkgName", ({ state }) => packageOf(state)?.info.name],
    ["pkgVersion", ({ state }) => packageOf(state)?.info.version],
    ["updateResult", ({ state }) => state.result],
    ["lastStateChangeTime", ({ lastStateChange }) => lastStateChange],
    ["state", ({ state }) => stateNumbers[state.name]],
  ];
  return readings.filter(([, read]) => read(before) !== read(now)).map(([name]) => name);
}
