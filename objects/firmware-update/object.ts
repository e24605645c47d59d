/**
 * The Firmware Update Object (/5): what it is (`definition.ts`), what it does when (`table.ts`), what it remembers
 * (`record.ts`), and what carries it out (`runner.ts`, `effects.ts`, `push.ts`). How bytes are fetched and images written
 * is behind the ports, in `platform/`.
 */
import { type LiveObject, type ObjectImplementation, singleInstance } from "../../agent/model/definition.js";
import { ConfigError, RequestError } from "../../agent/model/errors.js";
import type { Downloader, PackageInfo } from "../../agent/ports.js";
import { deliveryMethods, FirmwareUpdate, protocolsByScheme } from "./definition.js";
import type { FirmwareUpdateProgress, Waiting } from "./effect-options.js";
import type { UpdateOutcome } from "./outcome.js";
import { receivePackage } from "./push.js";
import type { FirmwareUpdateRecord } from "./record.js";
import type { UpdateResult } from "./results.js";
import { FirmwareUpdateRunner, type RunnerOptions } from "./runner.js";
import { type FirmwareUpdateState, packageOf, type StateNumber, stateNumbers, uriOf } from "./state.js";
import type { TrialStatus } from "./trial.js";

export interface FirmwareUpdateOptions extends Omit<RunnerOptions, "onChange"> {
  /** How packages may come; `both` unless told. What is left out answers 4.05. */
  readonly delivery?: keyof typeof deliveryMethods;
  /** Schemes by which packages may be fetched, of those that the downloaders serve; all of them unless told. */
  readonly schemes?: readonly string[];
}

export interface FirmwareUpdateObject extends ObjectImplementation {
  /**
   * Says how far the work is that a plugin took over. Where both change, the Result is set first.
   * @param state 0 Idle, 1 Downloading, 2 Downloaded, 3 Updating
   * @throws Error naming the states that are legal now; nothing has changed then
   */
  setFirmwareUpdateState(objectInstanceId: number, state: StateNumber): Promise<void>;
  /** @param result as in Update Result (/5/0/5), see `updateResults` */
  setFirmwareUpdateResult(objectInstanceId: number, result: Exclude<UpdateResult, 12 | 13>): Promise<void>;
  state(): FirmwareUpdateState;
  /** undefined when nothing is under way, or it does not tell. */
  progress(): FirmwareUpdateProgress | undefined;
  /** Of the package that is downloaded or being installed. */
  package(): PackageInfo | undefined;
  /** What the update waits for; undefined while it goes on, and when there is none. */
  waiting(): Waiting | undefined;
  /** While a new image has yet to prove itself. */
  trial(): TrialStatus | undefined;
  /** How the last update ended, also one of an earlier run; undefined when none ever did. */
  lastOutcome(): UpdateOutcome | undefined;
  /** The operator may think otherwise by now: what waits for him asks at once. */
  askAgain(): void;
}

type ResourceName = keyof typeof FirmwareUpdate.resources;

/**
 * The Firmware Update Object: packages by push and pull, installed by the board. It becomes alive with `start`, which
 * also resolves what happened before.
 */
export function createFirmwareUpdate(given: FirmwareUpdateOptions): FirmwareUpdateObject {
  const { pulls, pushes, ...options } = deliveryOf(given);
  let live: LiveObject<typeof FirmwareUpdate> | undefined;
  const runner = new FirmwareUpdateRunner({
    ...options,
    onChange: (before, now) => {
      const changes = changedResources(before, now);
      if (changes.length > 0) live?.changed(0, ...changes);
    },
  });
  const protocols = protocolNumbers(options);

  return {
    ...singleInstance(
      FirmwareUpdate,
      {
        package: {
          receive: (size) => {
            if (!pushes) throw new RequestError("4.05", "packages are not pushed to this device");
            return receivePackage(runner, size);
          },
        },
        packageUri: {
          read: () => uriOf(runner.record.state),
          write: (uri) => {
            if (!pulls) throw new RequestError("4.05", "this device does not fetch packages");
            return runner.writePackageUri(uri);
          },
        },
        update: { execute: () => runner.executeUpdate() },
        state: { read: () => stateNumbers[runner.record.state.name] },
        updateResult: { read: () => runner.record.state.result },
        pkgName: { read: () => packageOf(runner.record.state)?.info.name },
        pkgVersion: { read: () => packageOf(runner.record.state)?.info.version },
        protocolSupport: { read: () => protocols },
        deliveryMethod: {
          read: () => (pulls && pushes ? deliveryMethods.both : deliveryMethods[pulls ? "pull" : "push"]),
        },
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
        automaticUpgrade: {
          read: () => runner.record.automaticUpgrade,
          write: (automaticUpgrade) => runner.configure({ automaticUpgrade }),
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
    package: () => packageOf(runner.record.state)?.info,
    waiting: () => runner.waiting,
    trial: () => runner.trial,
    lastOutcome: () => runner.record.lastOutcome,
    askAgain: () => runner.askAgain(),
  };
}

function refuseOtherInstance(objectInstanceId: number): void {
  if (objectInstanceId !== 0) throw new Error(`Firmware Update has instance 0 only, not ${objectInstanceId}`);
}

/** @throws ConfigError when no package could ever come */
function deliveryOf({ delivery = "both", schemes, ...options }: FirmwareUpdateOptions) {
  const downloaders = delivery === "push" ? [] : options.downloaders.flatMap((one) => limited(one, schemes));
  const pulls =
    delivery !== "push" && (downloaders.length > 0 || options.hooks?.packageUriWritten !== undefined);
  const pushes = delivery !== "pull";
  if (!pulls && !pushes) {
    throw new ConfigError(
      "firmware packages are to be pulled only, and nothing fetches them: allow a scheme that is served, or push",
    );
  }
  return { ...options, downloaders, pulls, pushes };
}

function limited(downloader: Downloader, schemes: readonly string[] | undefined): readonly Downloader[] {
  if (schemes === undefined) return [downloader];
  const served = downloader.schemes.filter((scheme) => schemes.includes(scheme));
  return served.length === 0
    ? []
    : [{ schemes: served, download: (uri, options) => downloader.download(uri, options) }];
}

function protocolNumbers({
  downloaders,
}: Pick<FirmwareUpdateOptions, "downloaders">): ReadonlyMap<number, number> | undefined {
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
