import type { ResourcePath } from "./path.js";

/** The data types of LwM2M Core 1.2 appendix C, and how their values look in this program. */
export type ResourceType =
  | "string"
  | "integer"
  | "unsigned"
  | "float"
  | "boolean"
  | "opaque"
  | "time"
  | "objlnk"
  | "corelnk";

/** A reference to an Object Instance. `65535:65535` is the null link; `oid:65535` names a whole Object. */
export interface ObjectLink {
  readonly objectId: number;
  readonly objectInstanceId: number;
}

/**
 * One value of a Resource or Resource Instance:
 *
 * | type | value |
 * |---|---|
 * | string, corelnk | `string` |
 * | integer, unsigned | `number` where it is a safe integer, else `bigint`: all 64 bits stay exact |
 * | float | `number` |
 * | boolean | `boolean` |
 * | opaque | `Uint8Array` |
 * | time | `number`: whole seconds since 1970-01-01T00:00:00Z, may be negative |
 * | objlnk | `ObjectLink` |
 */
export type ResourceValue = string | number | bigint | boolean | Uint8Array | ObjectLink;

/** The Resource Instances of a multiple-instance Resource, by Resource Instance ID. */
export type ResourceInstances = ReadonlyMap<number, ResourceValue>;

/** What one Resource holds: a value, or its instances when the definition says `multiple`. */
export type ResourceContent = ResourceValue | ResourceInstances;

/** Resources by Resource ID. */
export type InstanceContent = ReadonlyMap<number, ResourceContent>;

/**
 * Object Instances by Object Instance ID: what a payload carries for one Object, always in full depth. A payload for
 * `/3/0/9` is `Map { 0 → Map { 9 → 100 } }`; for `/3/0/6/1` it is `Map { 0 → Map { 6 → Map { 1 → 5 } } }`. In a Create
 * the key 65535 (MAX_ID) holds an instance whose ID the client is to assign.
 */
export type ObjectContent = ReadonlyMap<number, InstanceContent>;

/** Objects by Object ID: what the payload of a composite operation, a Send or a Bootstrap-Pack carries. */
export type TreeContent = ReadonlyMap<number, ObjectContent>;

/** What a Resource held at a moment: a notification that was kept, or a sample of a Send. */
export interface TimedContent {
  readonly path: ResourcePath;
  readonly content: ResourceContent;
  /** Seconds since 1970-01-01T00:00:00Z, with a fraction; undefined: now. */
  readonly time: number | undefined;
}

export const isResourceInstances = (content: ResourceContent): content is ResourceInstances =>
  content instanceof Map;

/** A 64-bit integer as this program holds it: a `number` when that is exact, else a `bigint`. */
export const integerValue = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

/** Are two contents equal, bytes and Resource Instances compared by what they hold? */
export function equalContent(a: ResourceContent | undefined, b: ResourceContent | undefined): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, index) => byte === b[index]);
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [id, value] of a) if (!b.has(id) || !equalContent(value, b.get(id))) return false;
    return true;
  }
  if (isObjectLink(a)) {
    return isObjectLink(b) && a.objectId === b.objectId && a.objectInstanceId === b.objectInstanceId;
  }
  return false;
}

export const isObjectLink = (value: unknown): value is ObjectLink =>
  typeof value === "object" && value !== null && "objectId" in value && "objectInstanceId" in value;
