/** The Objects that an agent has when it is told so: those that come with it, and those of definition files. */
import { readFile, stat } from "node:fs/promises";
import { BinaryAppDataContainer } from "../objects/binary-app-data-container.js";
import { createConnectivityMonitoring } from "../objects/connectivity-monitoring.js";
import { createConnectivityStatistics } from "../objects/connectivity-statistics.js";
import { Location } from "../objects/location.js";
import { Portfolio } from "../objects/portfolio.js";
import { createSoftwareManagement, type SoftwarePackages } from "../objects/software-management/object.js";
import { createStoredObject } from "../objects/stored-object.js";
import { createVirtualObserve, VirtualObserveNotify } from "../objects/virtual-observe.js";
import type { ObjectTree } from "./lwm2m/object-tree.js";
import type { ObjectDefinition } from "./model/definition.js";
import { ConfigError } from "./model/errors.js";
import type { ObjectHandle } from "./model/object-handle.js";
import type { DeviceReadings } from "./model/readings.js";
import type { VirtualObserving } from "./model/virtual-observe.js";
import { parseObjectFile } from "./oma/object-file.js";
import type { Clock, Log, SoftwareInstaller, Store } from "./ports.js";

/** 6 Location, 16 Portfolio, 19 BinaryAppDataContainer, 22 Virtual Observe Notify. */
export type OptionalObjectId = keyof typeof stored | typeof VirtualObserveNotify.id;

/** Objects that only keep what Servers and plugins write. */
const stored = { 6: Location, 16: Portfolio, 19: BinaryAppDataContainer } as const;

/**
 * The number of an Object that comes with the agent, the path of a definition file of the OMA registry (XML), or a definition
 * made with `defineObject`.
 */
export type OptionalObject = OptionalObjectId | string | ObjectDefinition;

export interface OptionalObjectsOptions {
  readonly objects: readonly OptionalObject[];
  /** Objects 4 and 7 are there where it has values for them. */
  readonly readings: DeviceReadings;
  /** What Object 22 observes with. */
  readonly virtualObserving: () => VirtualObserving;
  readonly tree: ObjectTree;
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
}

/** The handles of those that are fed, by Object ID. */
export type ObjectHandles = ReadonlyMap<number, ObjectHandle>;

/**
 * Adds the Objects to the tree.
 * @throws ConfigError when a file cannot be used, or its Object is there already
 */
export async function addOptionalObjects(options: OptionalObjectsOptions): Promise<ObjectHandles> {
  const { objects, virtualObserving, tree, store, log } = options;
  addMonitoring(options);
  const handles = new Map<number, ObjectHandle>();
  const refusePresent = (id: number, source: string) => {
    const present = tree.definition(id);
    if (present === undefined) return;
    throw new ConfigError(`objects: ${source}: there is an Object ${id} already, ${present.name}`);
  };
  const add = async (definition: ObjectDefinition, serversCreate: boolean, source: string) => {
    refusePresent(definition.id, source);
    const object = await createStoredObject({ definition, store, log, serversCreate });
    tree.add(object);
    handles.set(definition.id, object);
  };
  for (const wanted of objects) {
    if (typeof wanted === "string") {
      for (const definition of await readObjectFile(wanted)) await add(definition, false, wanted);
    } else if (typeof wanted === "object") {
      await add(wanted, false, wanted.name);
    } else if (wanted === VirtualObserveNotify.id) {
      refusePresent(wanted, `${wanted}`);
      tree.add(await createVirtualObserve({ observing: virtualObserving, store, log }));
    } else if (Object.hasOwn(stored, wanted)) {
      const definition: ObjectDefinition = stored[wanted];
      await add(definition, definition.instances === "multiple", `${wanted}`);
    } else {
      const known = [...Object.keys(stored), VirtualObserveNotify.id].join(", ");
      throw new ConfigError(
        `objects: no Object ${String(wanted)} comes with the agent; there are ${known}, others need a definition file`,
      );
    }
  }
  return handles;
}

/** Software that Servers install, activate and remove: one Object Instance of Software Management (9). */
export interface ManagedSoftware {
  /** Tells it from other software, also over restarts: letters, digits and `-`. */
  readonly name: string;
  readonly installer: SoftwareInstaller;
}

/**
 * Adds Software Management when there is software to be managed; its Object Instances are numbered in the order given.
 * @throws ConfigError when a name cannot be used
 */
export async function addSoftwareManagement({
  software,
  packagesFor,
  tree,
  ...rest
}: {
  readonly software: readonly ManagedSoftware[];
  /** Where the packages of this software come from and lie. */
  readonly packagesFor: (name: string) => Promise<SoftwarePackages>;
  readonly tree: ObjectTree;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<void> {
  const names = software.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(name)) {
      throw new ConfigError(`software: "${name}" is no name: give 1 to 64 letters, digits and "-"`);
    }
    if (names.indexOf(name) !== index) throw new ConfigError(`software: there are two of the name "${name}"`);
  }
  if (software.length === 0) return;
  const instances = await Promise.all(
    software.map(async ({ name, installer }) => ({ name, installer, ...(await packagesFor(name)) })),
  );
  tree.add(createSoftwareManagement({ software: instances, ...rest }));
}

function addMonitoring({ readings, tree, clock, store, log }: OptionalObjectsOptions): void {
  const { connectivity, traffic } = readings;
  if (connectivity) tree.add(createConnectivityMonitoring({ clock, log, connectivity }));
  if (traffic) tree.add(createConnectivityStatistics({ clock, log, store, traffic }));
}

/** The largest file of the registry is a tenth of it. */
const maximumFileSize = 1024 * 1024;

/** @throws ConfigError */
export async function readObjectFile(path: string): Promise<readonly ObjectDefinition[]> {
  let document: string;
  try {
    const { size } = await stat(path);
    if (size > maximumFileSize) throw new ConfigError(`${path} is larger than ${maximumFileSize} bytes`);
    document = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parseObjectFile(document, path);
}
