/**
 * Who may do what (LwM2M Core 1.2 §8): the rights that the instances of Object 2 give to Servers. With one Server Account
 * there is nothing to control, and without any instance of Object 2 every Server may do everything. Operations of the
 * Bootstrap-Server never come here.
 */
import { RequestError } from "../model/errors.js";
import { formatPath, MAX_ID, type Path } from "../model/path.js";
import type { Awaitable } from "./awaitable.js";
import type { Origin } from "./operations.js";

/** One instance of Object 2: whose Object Instance it is, and what others may do with it. */
export interface AccessControlEntry {
  readonly objectId: number;
  /** 65535 (MAX_ID): this entry gives the right to create instances of the Object. */
  readonly objectInstanceId: number;
  /** Short Server ID; 65535 (MAX_ID): only the Bootstrap-Server changes this entry. */
  readonly owner: number;
  /** Sums of `rights` by Short Server ID; 0 stands for every Server that has no sum of its own. */
  readonly acl: ReadonlyMap<number, number>;
}

/** What Object 2 holds. The Object implements it. */
export interface AccessControlEntries {
  entries(): readonly AccessControlEntry[];
  /** The entry of one instance of Object 2; undefined when there is none. */
  entry(accessControlInstanceId: number): AccessControlEntry | undefined;
  /** An Object Instance was created by a Server, its owner. */
  create(entry: AccessControlEntry): Awaitable<void>;
  /** The Object Instance has gone, and its entry with it. Harmless when there is none. */
  remove(objectId: number, objectInstanceId: number): Awaitable<void>;
}

/** Bits of the sums in /2/x/2. */
export const rights = { read: 1, write: 2, execute: 4, delete: 8, create: 16 } as const;

export type Right = keyof typeof rights;

/** Of the owner, while no sum says otherwise: everything that there is to do with an instance. */
const ownersRights = rights.read | rights.write | rights.execute | rights.delete;

export const accessControlObject = 2;

/** The rights of a Server on one Object Instance, or with MAX_ID on the creation of instances: a sum of `rights`. */
export function rightsOf(
  entries: readonly AccessControlEntry[],
  shortServerId: number,
  objectId: number,
  objectInstanceId: number,
): number {
  const entry = entries.find((one) => one.objectId === objectId && one.objectInstanceId === objectInstanceId);
  if (entry === undefined) return 0;
  const own = entry.acl.get(shortServerId);
  if (own !== undefined) return own;
  return entry.owner === shortServerId ? ownersRights : (entry.acl.get(0) ?? 0);
}

export interface AccessControlOptions {
  /** Is there more than one Server Account? */
  readonly severalServers: () => boolean;
  readonly entries: AccessControlEntries;
}

export class AccessControl {
  readonly #options: AccessControlOptions;

  constructor(options: AccessControlOptions) {
    this.#options = options;
  }

  /** May the Server read what is at `path`? An Object may always be read: instances without the right are left out. */
  canRead(origin: Origin, path: Path): boolean {
    return this.allows(origin, path, "read");
  }

  /** Has the Server this right on the Object Instance that `path` is in, or for `create` on the Object? */
  allows({ shortServerId }: Origin, path: Path, right: Right): boolean {
    if (!this.#isInForce()) return true;
    const [objectId, objectInstanceId] = path;
    if (objectId === accessControlObject) return this.#allowsOnItself(shortServerId, objectInstanceId, right);
    if (right !== "create" && objectInstanceId === undefined) return true; // instances are asked for one by one
    const subject = objectInstanceId ?? MAX_ID; // a Create has a path without instance
    return hasBit(rightsOf(this.#options.entries.entries(), shortServerId, objectId, subject), right);
  }

  #isInForce(): boolean {
    const { severalServers, entries } = this.#options;
    return entries.entries().length > 0 && severalServers();
  }

  /** Every Server may see who may do what; the owner alone may change it, and instances follow what they control. */
  #allowsOnItself(shortServerId: number, objectInstanceId: number | undefined, right: Right): boolean {
    if (right === "read") return true;
    if (right !== "write" || objectInstanceId === undefined) return false;
    return this.#options.entries.entry(objectInstanceId)?.owner === shortServerId;
  }

  /** @throws RequestError 4.01 */
  check(origin: Origin, path: Path, right: Right): void {
    if (this.allows(origin, path, right)) return;
    throw new RequestError(
      "4.01",
      `Server ${origin.shortServerId} has no right to ${right} ${formatPath(path)}`,
    );
  }

  /** A Server created an instance: it owns it. */
  created({ shortServerId }: Origin, objectId: number, objectInstanceId: number): Awaitable<void> {
    if (!this.#isInForce()) return undefined;
    return this.#options.entries.create({
      objectId,
      objectInstanceId,
      owner: shortServerId,
      acl: new Map(),
    });
  }

  deleted(objectId: number, objectInstanceId: number): Awaitable<void> {
    return this.#options.entries.remove(objectId, objectInstanceId);
  }
}

const hasBit = (sum: number, right: Right) => (sum & rights[right]) !== 0;

/** For a client without Object 2. */
export const noAccessControl = new AccessControl({
  severalServers: () => false,
  entries: {
    entries: () => [],
    entry: () => undefined,
    create: () => undefined,
    remove: () => undefined,
  },
});
