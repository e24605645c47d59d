/**
 * What the data types of LwM2M Core appendix C demand of a value, whatever the format. `…Of` takes a value from an
 * Object: a wrong one is a mistake in this program, a TypeError. `checked…` takes one from the network: a DecodeError.
 */
import { rangeFault } from "../model/conformity.js";
import type { NamedResource, ResourceDefinition } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";
import { integerValue, isObjectLink, type ObjectLink, type ResourceValue } from "../model/value.js";

export type IntegerType = "integer" | "unsigned";

/** A Resource that holds a value: one that is not executable. */
export type ValueResource = NamedResource & Required<Pick<ResourceDefinition, "type">>;

export const holdsValue = (resource: NamedResource): resource is ValueResource => resource.type !== undefined;

const bounds: Readonly<Record<IntegerType, readonly [minimum: bigint, maximum: bigint]>> = {
  integer: [-(2n ** 63n), 2n ** 63n - 1n],
  unsigned: [0n, 2n ** 64n - 1n],
};

const fits = (type: IntegerType, value: number | bigint) => {
  const [minimum, maximum] = bounds[type];
  return value >= minimum && value <= maximum;
};

/** Most integers are of a size that needs no thought, and `bigint` is slow. */
const isPlain = (type: IntegerType, value: unknown): value is number =>
  Number.isSafeInteger(value) && (type === "integer" || (value as number) >= 0); // isSafeInteger is no type guard

// ---- Values from Objects ---------------------------------------------------------------------------------------

/** Either half; to look for whole pairs costs more, and most text has none. */
const surrogate = /[\ud800-\udfff]/;

/** Half of a surrogate pair has no UTF-8 form; it becomes U+FFFD, the same in each format. */
export function textOf(value: ResourceValue): string {
  if (typeof value !== "string") throw mismatch("text", value);
  return surrogate.test(value) ? value.replace(/\p{Surrogate}/gu, "\uFFFD") : value;
}

export function integerOf(type: IntegerType, value: ResourceValue): number | bigint {
  if (isPlain(type, value)) return value + 0;
  if (typeof value !== "bigint" && !Number.isInteger(value)) throw mismatch(`an ${type}`, value);
  const integer = integerValue(BigInt(value as number | bigint)); // the line above has seen that it is one
  if (!fits(type, integer)) throw mismatch(`an ${type} of 64 bits`, value);
  return integer;
}

export function floatOf(value: ResourceValue): number {
  if (typeof value !== "number") throw mismatch("a float", value);
  return value;
}

export function booleanOf(value: ResourceValue): boolean {
  if (typeof value !== "boolean") throw mismatch("a boolean", value);
  return value;
}

export function bytesOf(value: ResourceValue): Uint8Array {
  if (!(value instanceof Uint8Array)) throw mismatch("bytes", value);
  return value;
}

/** Whole seconds. */
export function timeOf(value: ResourceValue): number {
  if (!Number.isSafeInteger(value)) throw mismatch("a time in whole seconds", value);
  return value as number; // isSafeInteger is no type guard
}

export function objectLinkOf(value: ResourceValue): ObjectLink {
  if (!isObjectLink(value)) throw mismatch("an Object Link", value);
  return value;
}

const mismatch = (wanted: string, value: unknown) => new TypeError(`${String(value)} is not ${wanted}`);

// ---- Values from the network -----------------------------------------------------------------------------------

/** Also takes what a number with a fraction of zero has become: `5.0` is an integer (LwM2M Core appendix C). */
export function checkedInteger(type: IntegerType, value: number | bigint): number | bigint {
  if (isPlain(type, value)) return value + 0; // which makes 0 of -0
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new DecodeError(`${value} is not an exact integer`);
  }
  if (!fits(type, value)) throw new DecodeError(`${value} does not fit an ${type} of 64 bits`);
  return integerValue(BigInt(value));
}

/** Fractions of a second are cut off. */
export function checkedTime(value: number | bigint): number {
  const seconds = Math.trunc(Number(value));
  if (!Number.isSafeInteger(seconds)) throw new DecodeError(`${value} is not a time in seconds`);
  return seconds + 0;
}

/** @throws DecodeError when `value` is outside the range of its definition; for text and bytes that is their length */
export function checkRange(resource: NamedResource, value: ResourceValue): void {
  const fault = rangeFault(resource, value);
  if (fault !== undefined) throw new DecodeError(fault);
}
