/**
 * The Software Management Object (/9): what it is (`definition.ts`), what it does when (`table.ts`), what it remembers
 * (`record.ts`), and what carries it out (`runner.ts`, `effects.ts`). How software gets onto the device is behind the port
 * `SoftwareInstaller`.
 */
import {
  type ExecuteArguments,
  type Handlers,
  type LiveObject,
  multipleInstances,
  type ObjectImplementation,
  type ValueSink,
} from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import type { Clock, Downloader, Log, PackageStorage, SoftwareInstaller, Store } from "../../agent/ports.js";
import { SoftwareManagement } from "./definition.js";
import type { SoftwareRecord } from "./record.js";
import { SoftwareRunner } from "./runner.js";
import { infoOf, isActive, updateStates } from "./state.js";

/** Where the packages of one piece of software come from and lie. */
export interface SoftwarePackages {
  readonly downloaders: readonly Downloader[];
  /** Shared with nobody. */
  readonly storage: PackageStorage;
}

export interface SoftwareManagementOptions {
  /** One Object Instance each, numbered in this order. */
  readonly software: readonly (SoftwarePackages & {
    /** Tells its record from others, over restarts too. */
    readonly name: string;
    readonly installer: SoftwareInstaller;
  })[];
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

type SoftwareHandlers = Handlers<typeof SoftwareManagement>;
type ResourceName = keyof typeof SoftwareManagement.resources;

/**
 * The Software Management Object. Its instances are given: Servers neither create nor delete any. It becomes alive with
 * `start`, which goes on with what was interrupted.
 */
export function createSoftwareManagement({
  software,
  ...shared
}: SoftwareManagementOptions): ObjectImplementation {
  let live: LiveObject<typeof SoftwareManagement> | undefined;
  const handlers = new Map<number, SoftwareHandlers>();
  const runners = software.map((one, id) => {
    const runner = new SoftwareRunner({
      ...shared,
      ...one,
      onChange: (before, now) => {
        const changes = changedResources(before, now);
        if (changes.length > 0) live?.changed(id, ...changes);
        const instance = handlers.get(id);
        // The registration hears of it, and tells its Servers which Objects there are now.
        if (instance && now.updateSupportedObjects && softwareChanged(before, now)) {
          live?.instanceAdded(id, instance);
        }
      },
    });
    handlers.set(id, handlersOf(runner));
    return runner;
  });
  return multipleInstances(SoftwareManagement, {
    instances: handlers,
    start: async (object) => {
      live = object;
      for (const runner of runners) await runner.start();
    },
    close: async () => {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  });
}

const handlersOf = (runner: SoftwareRunner): SoftwareHandlers => ({
  pkgName: { read: () => infoOf(runner.record.state)?.name ?? "" },
  pkgVersion: { read: () => infoOf(runner.record.state)?.version ?? "" },
  package: { receive: (size: number | undefined) => receivePackage(runner, size) },
  packageUri: {
    check: () => runner.refuseUnlessListed("packageUriWritten"),
    write: (uri) => runner.writePackageUri(uri),
  },
  install: { execute: () => runner.request({ type: "installExecuted" }) },
  uninstall: {
    execute: (args) => runner.request({ type: "uninstallExecuted", forUpdate: isForUpdate(args) }),
  },
  updateState: { read: () => updateStates[runner.record.state.name] },
  updateSupportedObjects: {
    read: () => runner.record.updateSupportedObjects,
    write: (updateSupportedObjects) => runner.configure({ updateSupportedObjects }),
  },
  updateResult: { read: () => runner.record.state.result },
  activate: { execute: () => runner.request({ type: "activateExecuted" }) },
  deactivate: { execute: () => runner.request({ type: "deactivateExecuted" }) },
  activationState: { read: () => isActive(runner.record.state) },
});

/** @throws RequestError 4.00 unless the arguments are none, `0` or `1` */
function isForUpdate(args: ExecuteArguments): boolean {
  const [only, ...others] = args;
  if (only === undefined) return false;
  const [digit, value] = only;
  if (others.length > 0 || value !== undefined || digit > 1) {
    throw new RequestError("4.00", "Uninstall takes no argument, 0, or 1 to prepare for an update");
  }
  return digit === 1;
}

async function receivePackage(runner: SoftwareRunner, size: number | undefined): Promise<ValueSink> {
  const pushed = await runner.openPush(size);
  return {
    write: (piece) => pushed.write(piece),
    async end() {
      await pushed.finish();
      await runner.verified();
    },
    abort: () => void pushed.abandon(),
  };
}

/** What may bring Objects, or take them away. */
const softwareChanged = ({ state: before }: SoftwareRecord, { state: now }: SoftwareRecord): boolean =>
  isInstalled(before) !== isInstalled(now) || isActive(before) !== isActive(now);

const isInstalled = (state: SoftwareRecord["state"]) => updateStates[state.name] === 4;

/** In the order in which the registry has them change: the Result before the State. */
function changedResources(before: SoftwareRecord, now: SoftwareRecord): readonly ResourceName[] {
  const readings: readonly [ResourceName, (record: SoftwareRecord) => unknown][] = [
    ["pkgName", ({ state }) => infoOf(state)?.name],
    ["pkgVersion", ({ state }) => infoOf(state)?.version],
    ["updateResult", ({ state }) => state.result],
    ["activationState", ({ state }) => isActive(state)],
    ["updateState", ({ state }) => updateStates[state.name]],
  ];
  return readings.filter(([, read]) => read(before) !== read(now)).map(([name]) => name);
}
