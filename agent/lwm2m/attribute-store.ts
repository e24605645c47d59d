/** The attributes that Servers attached to paths; each Server sees only its own. */
import type { NamedResource } from "../model/definition.js";
import { formatPath, isWithin, type Path } from "../model/path.js";
import {
  type AttributeChanges,
  type AttributeTexts,
  checkAttributes,
  mergedAttributes,
} from "./attributes.js";

/** What one Server attached to one path. */
export interface AttachedAttributes {
  readonly shortServerId: number;
  readonly path: Path;
  readonly attributes: AttributeTexts;
}

export class AttributeStore {
  readonly #byServer = new Map<number, Map<string, AttachedAttributes>>();
  readonly #changed: () => void;

  /** @param changed what is to survive a restart is another now */
  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
  }

  /**
   * Merges `changes` into what is attached at `path`; nothing changes when the result makes no sense.
   * @param resource that `path` names or is an instance of; undefined above
   * @throws RequestError 4.00
   */
  change(
    shortServerId: number,
    path: Path,
    changes: AttributeChanges,
    resource: NamedResource | undefined,
  ): void {
    const merged = mergedAttributes(this.at(shortServerId, path), changes);
    checkAttributes(path, resource, merged);
    this.#attach({ shortServerId, path, attributes: merged });
    this.#changed();
  }

  /** Attached at exactly this path. */
  at(shortServerId: number, path: readonly number[]): AttributeTexts {
    return this.#byServer.get(shortServerId)?.get(formatPath(path))?.attributes ?? none;
  }

  /** Attached at this path or inherited: for each attribute the most specific level counts (Core 1.2 §7.3.3). */
  effective(shortServerId: number, path: readonly number[]): AttributeTexts {
    if (!this.#byServer.has(shortServerId)) return none;
    let effective = none;
    for (let level = 1; level <= path.length; level++) {
      effective = mergedAttributes(effective, this.at(shortServerId, path.slice(0, level)));
    }
    return effective;
  }

  /** The Resource Instances of a Resource that have attributes of their own. */
  resourceInstancesBelow(path: readonly number[]): readonly number[] {
    const ids = new Set<number>();
    for (const attached of this.#byServer.values()) {
      for (const entry of attached.values()) {
        if (entry.path[3] !== undefined && isWithin(entry.path, path)) ids.add(entry.path[3]);
      }
    }
    return [...ids];
  }

  /** The node has gone, and what was attached to it or below with it. */
  forget(path: readonly number[]): void {
    let count = 0;
    for (const attached of this.#byServer.values()) {
      for (const [key, entry] of attached) {
        if (isWithin(entry.path, path) && attached.delete(key)) count++;
      }
    }
    if (count > 0) this.#changed();
  }

  /** The account of the Server has gone. */
  forgetServer(shortServerId: number): void {
    if (this.#byServer.delete(shortServerId)) this.#changed();
  }

  /** All that is attached, to be kept over a restart. */
  entries(): readonly AttachedAttributes[] {
    return [...this.#byServer.values()].flatMap((attached) => [...attached.values()]);
  }

  /** What was attached before the restart. */
  restore(entries: readonly AttachedAttributes[]): void {
    for (const entry of entries) this.#attach(entry);
  }

  #attach(entry: AttachedAttributes): void {
    const { shortServerId, path, attributes } = entry;
    let attached = this.#byServer.get(shortServerId);
    if (attached === undefined) {
      attached = new Map();
      this.#byServer.set(shortServerId, attached);
    }
    if (attributes.size === 0) attached.delete(formatPath(path));
    else attached.set(formatPath(path), entry);
  }
}

const none: AttributeTexts = new Map();
