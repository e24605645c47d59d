/**
 * application/vnd.oma.lwm2m+cbor (LwM2M Core 1.2 §7.4.6): nested maps, whose keys are the identifiers of a path one by one
 * or several in an array. What we write is absolute, and joins the keys that lead to one thing alone.
 */
import type { ObjectDefinition } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";
import { formatPath, isWithin, MAX_ID, type Path } from "../model/path.js";
import type { ObjectContent } from "../model/value.js";
import { writeScalar } from "./cbor-item.js";
import { CborReader } from "./cbor-reader.js";
import { CborWriter, major } from "./cbor-writer.js";
import type { CompositeCodec } from "./composite.js";
import { contentFormats } from "./content-format.js";
import { ContentBuilder, unassignedIn } from "./object-content.js";
import { type PathValue, pathValues } from "./path-value.js";
import type { PayloadCodec } from "./payload-codec.js";
import { bareValueFrom, type Scalar } from "./scalar.js";
import { valuePath } from "./senml.js";
import { TreeBuilder, treeValues } from "./tree-content.js";

export const lwm2mCbor: PayloadCodec = {
  contentFormat: contentFormats.lwm2mCbor,
  encode(definition, target, content) {
    unassignedIn(content);
    // An array of Resource Instances stays a map of its own, even when there is one.
    return encodeValues(pathValues(definition, content), target.length === 3 ? 3 : MAXIMUM_LENGTH);
  },
  decode(definition, target, payload) {
    const values = decodeValues(payload);
    return contentOf(definition, target, isAbsolute(target, values) ? values : below(target, values));
  },
};

/** It says no times, and asks for nothing: it answers a Read-Composite, and is a Write-Composite, a Send or a Pack. */
export const lwm2mCborComposite: CompositeCodec = {
  contentFormat: contentFormats.lwm2mCbor,
  decodeContent(definitions, payload) {
    const builder = new TreeBuilder(definitions);
    for (const { path, value } of decodeValues(payload)) {
      if (path.includes(MAX_ID)) throw new DecodeError(`${formatPath(path)} has a reserved identifier`);
      builder.addValue(valuePath(path), (resource) => bareValueFrom(resource, value));
    }
    return builder.finish();
  },
  encode: (definitions, content) => encodeValues(treeValues(definitions, content), MAXIMUM_LENGTH),
};

/** Of a path. */
const MAXIMUM_LENGTH = 4;

// ---- Reading ---------------------------------------------------------------------------------------------------

/** The leaves, in the order of the payload. Only the outermost map may be empty: that is how nothing at all looks. */
function decodeValues(payload: Uint8Array): PathValue[] {
  const values: PathValue[] = [];
  const reader = new CborReader(payload);
  readMap(reader, [], values);
  reader.end();
  return values;
}

/** Each level adds an identifier to the path, whose length ends the nesting. */
function readMap(reader: CborReader, prefix: readonly number[], values: PathValue[]): void {
  const keys = new Set<string>();
  for (let left = reader.map(); reader.more(left); left--) {
    const path = [...prefix, ...readKey(reader)];
    const key = formatPath(path);
    if (path.length > MAXIMUM_LENGTH) throw new DecodeError(`${key} has too many levels`);
    if (keys.has(key)) throw new DecodeError(`${key} comes twice`);
    keys.add(key);
    if (reader.nextType === major.map) readMap(reader, path, values);
    else values.push({ path, value: reader.scalar() });
  }
  if (keys.size === 0 && prefix.length > 0)
    throw new DecodeError(`the map at ${formatPath(prefix)} is empty`);
}

/** Text, the prefix of a device behind a gateway, is no identifier of ours. */
function readKey(reader: CborReader): readonly number[] {
  if (reader.nextType !== major.array) return [readId(reader)];
  const ids: number[] = [];
  for (let left = reader.array(); reader.more(left); left--) {
    if (ids.length === MAXIMUM_LENGTH) throw new DecodeError("a path has at most four levels");
    ids.push(readId(reader));
  }
  if (ids.length === 0) throw new DecodeError("a key without identifiers names nothing");
  return ids;
}

function readId(reader: CborReader): number {
  const id = Number(reader.integer());
  if (!(id >= 0 && id <= MAX_ID)) throw new DecodeError(`${id} is no identifier`);
  return id;
}

/**
 * Keys of a Write or a Create may leave the target out (LwM2M Core §7.4.6). They are absolute if all begin with it and
 * are long enough to name a value that way.
 */
const isAbsolute = (target: Path, values: readonly PathValue[]): boolean =>
  values.every(({ path }) => path.length >= 3 && isWithin(path, target));

const below = (target: Path, values: readonly PathValue[]): PathValue[] =>
  values.map(({ path, value }) => ({ path: [...target, ...path], value }));

function contentOf(definition: ObjectDefinition, target: Path, values: readonly PathValue[]): ObjectContent {
  const builder = new ContentBuilder(definition, target);
  for (const { path, value } of values) {
    const [, , resourceId] = path;
    if (resourceId === MAX_ID || path.length > MAXIMUM_LENGTH) {
      throw new DecodeError(`${formatPath(path)} is no path`);
    }
    builder.addValue(valuePath(path), (resource) => bareValueFrom(resource, value));
  }
  const content = builder.finish();
  if (content.size > 1 && content.has(MAX_ID)) throw new DecodeError("an instance without ID comes alone");
  return content;
}

// ---- Writing ---------------------------------------------------------------------------------------------------

/** Values by the rest of their path. */
type Branch = Map<number, Branch | Scalar>;

/** @param joined how many identifiers a key may have from the top, before the first map within */
function encodeValues(values: Iterable<PathValue>, joined: number): Uint8Array {
  const writer = new CborWriter();
  writeBranch(writer, branchOf(values), joined);
  return writer.finish();
}

function branchOf(values: Iterable<PathValue>): Branch {
  const root: Branch = new Map();
  for (const { path, value } of values) {
    let branch = root;
    for (const id of path.slice(0, -1)) {
      const present = branch.get(id);
      const next: Branch = present instanceof Map ? present : new Map();
      if (next !== present) branch.set(id, next);
      branch = next;
    }
    branch.set(path.at(-1) ?? 0, value);
  }
  return root;
}

function writeBranch(writer: CborWriter, branch: Branch, joined: number): void {
  writer.map(branch.size);
  for (const [id, entry] of branch) {
    const key = [id];
    let rest = entry;
    while (rest instanceof Map && rest.size === 1 && key.length < joined) {
      const [only] = rest;
      if (only === undefined) break;
      key.push(only[0]);
      rest = only[1];
    }
    writeKey(writer, key);
    if (rest instanceof Map) writeBranch(writer, rest, MAXIMUM_LENGTH);
    else writeScalar(writer, rest);
  }
}

function writeKey(writer: CborWriter, key: readonly number[]): void {
  if (key.length > 1) writer.array(key.length);
  for (const id of key) writer.integer(id);
}
