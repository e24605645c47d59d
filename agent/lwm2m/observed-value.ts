/** What an observed path holds at a moment, and which difference to what was sent is worth a notification. */
import type { CompositePath } from "../model/path.js";
import {
  isObjectLink,
  type ResourceContent,
  type ResourceValue,
  type TimedContent,
  type TreeContent,
} from "../model/value.js";

/** A value, or what lies below the path by the identifiers there; undefined: nothing. */
export type ObservedValue =
  | ResourceValue
  | { readonly below: ReadonlyMap<number, ObservedValue> }
  | undefined;

/** What `path` holds of what was read, as a copy: Objects may change theirs afterwards. */
export function valueAt(content: TreeContent, path: CompositePath): ObservedValue {
  let node: unknown = content;
  for (const id of path) node = node instanceof Map ? node.get(id) : undefined;
  return copyOf(node);
}

function copyOf(node: unknown): ObservedValue {
  if (node instanceof Map) {
    return { below: new Map([...node].map(([id, value]: [number, unknown]) => [id, copyOf(value)])) };
  }
  return node instanceof Uint8Array ? node.slice() : (node as ResourceValue | undefined); // maps hold nothing else
}

export const isBranch = (
  value: ObservedValue,
): value is { readonly below: ReadonlyMap<number, ObservedValue> } =>
  typeof value === "object" && "below" in value;

/** Are both the same, bytes and branches compared by what they hold? */
export function equalValues(a: ObservedValue, b: ObservedValue): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, index) => byte === b[index]);
  }
  if (isBranch(a)) {
    if (!isBranch(b) || a.below.size !== b.below.size) return false;
    for (const [id, value] of a.below) {
      if (!b.below.has(id) || !equalValues(value, b.below.get(id))) return false;
    }
    return true;
  }
  if (isObjectLink(a)) {
    return isObjectLink(b) && a.objectId === b.objectId && a.objectInstanceId === b.objectInstanceId;
  }
  return false;
}

/**
 * The Resources of an observed value, each with the time at which it was so.
 * @param time seconds since 1970-01-01T00:00:00Z
 */
export function timedContents(path: CompositePath, value: ObservedValue, time: number): TimedContent[] {
  if (value === undefined) return [];
  const [objectId = 0, objectInstanceId = 0, resourceId = 0, resourceInstanceId] = path;
  if (path.length < 3) {
    const below = isBranch(value) ? [...value.below] : [];
    return below.flatMap(([id, child]) =>
      timedContents([...path, id] as unknown as CompositePath, child, time),
    );
  }
  const content = contentOf(value);
  return [
    {
      path: [objectId, objectInstanceId, resourceId],
      content:
        resourceInstanceId === undefined
          ? content
          : new Map([[resourceInstanceId, content as ResourceValue]]),
      time,
    },
  ];
}

/** As the rest of the program holds it. Below a Resource there are values only. */
const contentOf = (value: Exclude<ObservedValue, undefined>): ResourceContent =>
  isBranch(value) ? (value.below as ReadonlyMap<number, ResourceValue>) : value;

/** Changes that count; without any of these every change does (LwM2M Core 1.2 §7.3.2). */
export interface ChangeConditions {
  readonly greaterThan?: number;
  readonly lessThan?: number;
  readonly step?: number;
  readonly edge?: number;
}

/** Where a path takes conditions: a Resource has one set for itself and one for each of its Resource Instances. */
export interface ValueConditions {
  readonly own: ChangeConditions;
  /** Absent unless the path is a Resource with Resource Instances. */
  readonly ofResourceInstance?: (resourceInstanceId: number) => ChangeConditions;
}

/**
 * Is the change from what was last sent worth a notification? Thresholds, steps and edges are joined by "or", and they
 * compare with what the Server knows, not with the sample before. Something that comes or goes always counts.
 * @param conditions undefined for Objects and Object Instances, which take none
 */
export function isSignificant(
  sent: ObservedValue,
  current: ObservedValue,
  conditions: ValueConditions | undefined,
): boolean {
  if (equalValues(sent, current)) return false;
  if (conditions === undefined || sent === undefined || current === undefined) return true;
  if (!isBranch(sent) || !isBranch(current)) return meets(conditions.own, sent, current);
  const [before, now] = [sent.below, current.below];
  if (before.size !== now.size) return true;
  for (const [id, value] of now) {
    if (!before.has(id)) return true;
    const own = conditions.ofResourceInstance?.(id) ?? conditions.own;
    if (isSignificant(before.get(id), value, { own })) return true;
  }
  return false;
}

function meets(conditions: ChangeConditions, sent: ObservedValue, current: ObservedValue): boolean {
  const { greaterThan, lessThan, step, edge } = conditions;
  if (isNumber(sent) && isNumber(current)) {
    if (greaterThan === undefined && lessThan === undefined && step === undefined) return true;
    return (
      crosses(greaterThan, sent, current) ||
      crosses(lessThan, sent, current) ||
      (step !== undefined && Math.abs(Number(current) - Number(sent)) >= step)
    );
  }
  if (typeof current === "boolean" && edge !== undefined) return current === (edge === 1);
  return true;
}

const isNumber = (value: ObservedValue): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

/** Upwards or downwards: the examples of 1.2 report both, for gt and for lt. */
const crosses = (threshold: number | undefined, sent: number | bigint, current: number | bigint): boolean =>
  threshold !== undefined &&
  ((sent <= threshold && current > threshold) || (sent >= threshold && current < threshold));
