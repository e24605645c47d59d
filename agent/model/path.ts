/**
 * The vocabulary of LwM2M that every layer shares: paths, values, definitions, errors. What lives here imports
 * nothing from the rest of the agent and does no work of its own.
 */

/** Reserved as an identifier of anything; in a Create it stands for "assign one" (LwM2M Core 1.2 §7.4.6). */
export const MAX_ID = 65535;

export type ObjectPath = readonly [objectId: number];
export type InstancePath = readonly [objectId: number, objectInstanceId: number];
export type ResourcePath = readonly [objectId: number, objectInstanceId: number, resourceId: number];
export type ResourceInstancePath = readonly [
  objectId: number,
  objectInstanceId: number,
  resourceId: number,
  resourceInstanceId: number,
];

/** What an operation addresses: an Object, an Object Instance, a Resource or a Resource Instance. */
export type Path = ObjectPath | InstancePath | ResourcePath | ResourceInstancePath;

/** What a composite operation may name beside these: everything. */
export type RootPath = readonly [];
export type CompositePath = RootPath | Path;

/**
 * Reads `/3/0/9`. Segments are decimal without leading zeros, each below 65535.
 * @returns undefined when `text` is no path of one to four segments
 */
export function parsePath(text: string): Path | undefined {
  const ids: number[] = [];
  let start = 0;
  while (start < text.length) {
    if (text[start] !== "/" || ids.length === 4) return undefined;
    const slash = text.indexOf("/", start + 1);
    const end = slash < 0 ? text.length : slash;
    const id = idBetween(text, start + 1, end);
    if (id === undefined) return undefined;
    ids.push(id);
    start = end;
  }
  return ids.length === 0 ? undefined : (ids as unknown as Path); // its length is one to four
}

/** Reads a path from its segments, as CoAP carries them; undefined when they form none. */
export function pathFromSegments(segments: readonly string[]): Path | undefined {
  if (segments.length < 1 || segments.length > 4) return undefined;
  const ids: number[] = [];
  for (const segment of segments) {
    const id = parseId(segment);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids as unknown as Path; // the length was checked above
}

/** Reads one identifier, 0 to 65534, decimal and without leading zeros. */
export const parseId = (text: string): number | undefined => idBetween(text, 0, text.length);

/** Payloads name each of their values: this is called more often than anything else of theirs. */
function idBetween(text: string, start: number, end: number): number | undefined {
  let id = 0;
  for (let index = start; index < end; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9 || (id === 0 && index > start)) return undefined;
    id = id * 10 + digit;
    if (id >= MAX_ID) return undefined;
  }
  return end > start ? id : undefined;
}

/** Writes `/3/0/9`. */
export const formatPath = (path: readonly number[]): string => `/${path.join("/")}`;

/** Is `path` the same as `ancestor`, or below it? The empty path is above everything. */
export function isWithin(path: readonly number[], ancestor: readonly number[]): boolean {
  for (let level = 0; level < ancestor.length; level++) if (path[level] !== ancestor[level]) return false;
  return true;
}
