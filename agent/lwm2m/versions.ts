/**
 * What each version of the enabler has (LwM2M Core 1.0.2, 1.1.1, 1.2.2): operations, how deep their paths go, and which
 * formats go with them. A registration is of one version, and what a later one brought does not exist for it. This is
 * the one place that decides.
 */
import { contentFormats, formatVersions } from "../codec/content-format.js";
import { type ObjectDefinition, resourceById } from "../model/definition.js";
import type { Path } from "../model/path.js";
import { type CompositeOperation, isSince, type LwM2mVersion, type Operation } from "./operations.js";

// ---- Operations ------------------------------------------------------------------------------------------------

/** A Write is one of two; everything else is called by its kind. */
export type OperationName = Exclude<Operation["kind"], "write"> | "replace" | "partial";

/** For each number of identifiers in its path: since when the operation takes such a path (Core §6.3). */
const levels: Record<OperationName | CompositeOperation["kind"], Partial<Record<number, LwM2mVersion>>> = {
  read: { 1: "1.0", 2: "1.0", 3: "1.0", 4: "1.1" },
  discover: { 1: "1.0", 2: "1.0", 3: "1.0" },
  replace: { 2: "1.0", 3: "1.0", 4: "1.1" },
  partial: { 2: "1.0", 3: "1.0" },
  writeAttributes: { 1: "1.0", 2: "1.0", 3: "1.0", 4: "1.1" },
  execute: { 3: "1.0" },
  create: { 1: "1.0" },
  delete: { 2: "1.0", 4: "1.2" },
  // What the paths in their payloads may be; the operations themselves have none.
  readComposite: { 1: "1.1", 2: "1.1", 3: "1.1", 4: "1.1" },
  writeComposite: { 3: "1.1", 4: "1.1" },
};

export function hasLevel(
  version: LwM2mVersion,
  operation: OperationName | CompositeOperation["kind"],
  length: number,
): boolean {
  const since = levels[operation][length];
  return since !== undefined && isSince(version, since);
}

/** Read-Composite, Write-Composite and Observe-Composite. */
export const hasComposites = (version: LwM2mVersion): boolean => isSince(version, "1.1");

/** `depth` in a Discover. Before, such a query meant nothing. */
export const hasDiscoverDepth = (version: LwM2mVersion): boolean => isSince(version, "1.2");

/** Resource Instances have paths of their own, and so Discover lists them. */
export const hasResourceInstancePaths = (version: LwM2mVersion): boolean => isSince(version, "1.1");

// ---- Formats ---------------------------------------------------------------------------------------------------

/** May a Server of that version send us this format? */
export function isUnderstood(version: LwM2mVersion, contentFormat: number): boolean {
  const versions = formatVersions(contentFormat);
  return versions !== undefined && isSince(version, versions.since);
}

/** May we send a Server of that version this format? */
export function isServed(version: LwM2mVersion, contentFormat: number): boolean {
  const writtenUntil = formatVersions(contentFormat)?.writtenUntil;
  const isOver = writtenUntil !== undefined && !isSince(writtenUntil, version);
  return isUnderstood(version, contentFormat) && !isOver;
}

/** The formats of which one may be chosen for what has no Accept and is no single value. */
export type StructuredFormat = typeof contentFormats.senmlCbor | typeof contentFormats.lwm2mCbor;

/**
 * What a Read without Accept is answered in, and what is observed so is told in: one value as it is, everything else in the
 * structured format. LwM2M CBOR is not for Servers before 1.2: they get SenML CBOR.
 */
export function defaultFormat(
  version: LwM2mVersion,
  definition: ObjectDefinition,
  path: Path,
  structured: StructuredFormat = contentFormats.senmlCbor,
): number {
  const resource = path[2] === undefined ? undefined : resourceById(definition, path[2]);
  const isSingleValue = resource !== undefined && (!resource.multiple || path.length === 4);
  if (isSingleValue) return resource.type === "opaque" ? contentFormats.opaque : contentFormats.text;
  if (!isSince(version, "1.1")) return contentFormats.tlv;
  return isServed(version, structured) ? structured : contentFormats.senmlCbor;
}

/** What a Read-Composite without Accept is answered in: JSON to whom speaks JSON, CBOR to all others. */
export const defaultCompositeFormat = (requestFormat: number): number =>
  requestFormat === contentFormats.senmlJson || requestFormat === contentFormats.senmlEtchJson
    ? contentFormats.senmlJson
    : contentFormats.senmlCbor;

// ---- Objects ---------------------------------------------------------------------------------------------------

/**
 * Server, Access Control and Firmware Update belong to the enabler: each of its versions has its own of them (Core §7.2.2,
 * appendix E).
 */
const enablerObjects: ReadonlyMap<number, Readonly<Record<LwM2mVersion, string>>> = new Map([
  [1, { "1.0": "1.0", "1.1": "1.1", "1.2": "1.2" }],
  [2, { "1.0": "1.0", "1.1": "1.0", "1.2": "1.1" }],
  [5, { "1.0": "1.0", "1.1": "1.1", "1.2": "1.2" }],
]);

/**
 * The version of an Object as a registration says it. A Server knows the enabler's own Objects as of its own version: an
 * older Leshan takes the values of a newer `/1` for bytes without a type.
 */
export const announcedVersion = (version: LwM2mVersion, { id, version: ours }: ObjectDefinition): string =>
  enablerObjects.get(id)?.[version] ?? ours;
