import type { NamedResource } from "./definition.js";
import {
  isObjectLink,
  isResourceInstances,
  type ResourceContent,
  type ResourceType,
  type ResourceValue,
} from "./value.js";

/**
 * Why a Resource cannot hold `content`: its type, its range, or that it has Resource Instances or has none. For values that
 * come from a program, whose types nobody has checked.
 * @returns undefined when it can
 */
export function faultOf(resource: NamedResource, content: ResourceContent): string | undefined {
  const { name, type, multiple } = resource;
  if (type === undefined) return `${name} holds no value`;
  if (isResourceInstances(content) !== (multiple === true)) {
    return multiple ? `${name} has Resource Instances: give a Map of them` : `${name} has a single value`;
  }
  for (const value of isResourceInstances(content) ? content.values() : [content]) {
    if (!conforms[type](value)) return `${name} takes ${type}, not ${describe(value)}`;
    const fault = rangeFault(resource, value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** For text and bytes the range is that of their length in bytes. */
export function rangeFault({ name, range }: NamedResource, value: ResourceValue): string | undefined {
  if (range === undefined) return undefined;
  const [minimum, maximum] = range;
  const size = sizeOf(value);
  // Written this way round so that NaN is outside.
  const isOutside = size !== undefined && !(size >= minimum && size <= maximum);
  return isOutside ? `${name} is outside ${minimum} to ${maximum}` : undefined;
}

function sizeOf(value: ResourceValue): number | bigint | undefined {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  return value instanceof Uint8Array ? value.length : undefined;
}

const isInteger = (value: ResourceValue, minimum: bigint, maximum: bigint) =>
  (typeof value === "bigint" || Number.isSafeInteger(value)) &&
  (value as bigint | number) >= minimum && // the line above has seen that it is one of them
  (value as bigint | number) <= maximum;

const conforms: Readonly<Record<ResourceType, (value: ResourceValue) => boolean>> = {
  string: (value) => typeof value === "string",
  corelnk: (value) => typeof value === "string",
  integer: (value) => isInteger(value, -(2n ** 63n), 2n ** 63n - 1n),
  unsigned: (value) => isInteger(value, 0n, 2n ** 64n - 1n),
  float: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  opaque: (value) => value instanceof Uint8Array,
  time: (value) => Number.isSafeInteger(value),
  objlnk: isObjectLink,
};

const describe = (value: ResourceValue) =>
  value instanceof Uint8Array ? "bytes" : typeof value === "object" ? "an Object Link" : String(value);
