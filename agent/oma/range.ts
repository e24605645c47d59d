import type { ResourceDefinition } from "../model/definition.js";
import type { ResourceType } from "../model/value.js";

/** Types that a range can be checked of: a number, or a length in bytes. */
const ranged: ReadonlySet<ResourceType> = new Set([
  "integer",
  "unsigned",
  "float",
  "time",
  "string",
  "opaque",
  "corelnk",
]);

/**
 * Reads what the registry's files write as range: `0..100`, `1-65534`, `-90..90`, `0 to 255`, `[0, 7]`, `0..255 bytes`, also
 * with one number alone for a length (`32 bytes`). Prose, bits and enumerations say nothing that could be held by machine;
 * they are for people and lead to no check.
 */
export function parseRange(type: ResourceType, text: string): ResourceDefinition["range"] {
  if (!ranged.has(type)) return undefined;
  const exact = /^(\d+)\s*bytes?$/i.exec(text)?.[1];
  if (exact !== undefined) return hasLength(type) ? [0, Number(exact)] : undefined;
  const [, low, high, unit] =
    /^\[?\s*(-?\d+(?:\.\d+)?)\s*(?:\.{2,3}|-|–|to|,(?=[^,]*\]))\s*(-?\d+(?:\.\d+)?)\s*\]?\s*(bytes?)?$/i.exec(
      text,
    ) ?? [];
  if (low === undefined || high === undefined) return undefined;
  if (unit !== undefined && !hasLength(type)) return undefined; // the size of a number in memory, not its range
  const [minimum, maximum] = [Number(low), Number(high)];
  return minimum <= maximum ? [minimum, maximum] : undefined;
}

const hasLength = (type: ResourceType) => type === "string" || type === "opaque" || type === "corelnk";
