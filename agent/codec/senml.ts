/**
 * SenML (RFC 8428) as LwM2M Core §7.4 uses it, between values and the two ways of writing records down
 * (`senml-json.ts`, `senml-cbor.ts`): names, times, and what a record for a Resource looks like.
 */
import type { ObjectDefinition } from "../model/definition.js";
import { DecodeError, RequestError } from "../model/errors.js";
import {
  type CompositePath,
  formatPath,
  MAX_ID,
  type Path,
  parsePath,
  type ResourceInstancePath,
  type ResourcePath,
} from "../model/path.js";
import type { InstanceContent, ObjectContent } from "../model/value.js";
import { ascending, ContentBuilder, resourceOf, singleOf, unassignedIn } from "./object-content.js";
import { type PathValue, pathValues } from "./path-value.js";
import { type Scalar, scalarOf, valueFrom } from "./scalar.js";

/** One record as it is written; what is absent is not written. */
export interface SenmlRecord {
  /** `bn`: stands before the names of this record and of those that follow. */
  readonly baseName?: string;
  /** `bt`: is added to the times of this record and of those that follow. Seconds. */
  readonly baseTime?: number;
  /** `n` */
  readonly name?: string;
  /** `t`: seconds. */
  readonly time?: number;
  /** `v`, `vs`, `vb`, `vd` or `vlo`, by its kind. */
  readonly value?: Scalar;
}

/** A record while its fields come together. */
export type PartialRecord = { -readonly [Field in keyof SenmlRecord]: SenmlRecord[Field] };

/** One record with its base values worked in. */
export interface ResolvedRecord {
  readonly path: CompositePath;
  /** Seconds, absolute from `ABSOLUTE_TIME` on and otherwise relative to now; undefined when the record has no time. */
  readonly time: number | undefined;
  /** undefined in the requests of composite operations, which only name paths. */
  readonly value: Scalar | undefined;
}

/** Seconds since 1970 from here on, less is relative to now (RFC 8428 §4.5.3). */
export const ABSOLUTE_TIME = 2 ** 28;

// ---- Reading ---------------------------------------------------------------------------------------------------

/** @throws DecodeError when a name does not become a path */
export function resolveRecords(records: readonly SenmlRecord[]): ResolvedRecord[] {
  let baseName = "";
  let baseTime: number | undefined;
  return records.map((record) => {
    baseName = record.baseName ?? baseName;
    baseTime = record.baseTime ?? baseTime;
    const name = record.name === undefined ? baseName : baseName + record.name;
    return { path: pathOf(name), time: sum(baseTime, record.time), value: record.value };
  });
}

const sum = (baseTime: number | undefined, time: number | undefined) =>
  baseTime === undefined ? time : baseTime + (time ?? 0);

function pathOf(name: string): CompositePath {
  const path: CompositePath | undefined = name === "/" ? [] : parsePath(name);
  if (path === undefined) throw new DecodeError("the name of a record is not a path");
  return path;
}

/**
 * What the records say about `target`. Times are not looked at: a Write happens now.
 * @throws DecodeError when a record has no value or leaves the target
 */
export function contentOf(
  definition: ObjectDefinition,
  target: Path,
  records: readonly ResolvedRecord[],
  read: typeof valueFrom = valueFrom,
): ObjectContent {
  const builder = new ContentBuilder(definition, target);
  const isUnassigned = namesNoInstance(target, records);
  for (const { path, value } of records) {
    if (value === undefined) throw new DecodeError(`the record for ${formatPath(path)} has no value`);
    builder.addValue(valuePath(path, isUnassigned), (resource) => read(resource, value));
  }
  return builder.finish();
}

/**
 * In a Create the names may leave the Object Instance out (LwM2M Core §6.3.6): then `/16/1` is Resource 1 of an instance
 * whose ID the client assigns. With three identifiers the second is always the instance.
 */
function namesNoInstance(target: Path, records: readonly ResolvedRecord[]): boolean {
  if (target.length > 1) return false;
  const short = records.filter(({ path }) => path.length === 2).length;
  if (short > 0 && short < records.length) throw new DecodeError("some names lack the Object Instance");
  return short > 0;
}

export function valuePath(
  path: readonly number[],
  isUnassigned = false,
): ResourcePath | ResourceInstancePath {
  const [objectId, second] = path;
  if (isUnassigned && objectId !== undefined && second !== undefined) return [objectId, MAX_ID, second];
  if (isValuePath(path)) return path;
  throw new DecodeError(`${formatPath(path)} holds no value of its own`);
}

const isValuePath = (path: readonly number[]): path is ResourcePath | ResourceInstancePath =>
  path.length === 3 || path.length === 4;

// ---- Writing ---------------------------------------------------------------------------------------------------

/**
 * The records for what `target` holds, in ascending order: the first carries the target as base name, all of them the
 * rest of their path as name.
 * @throws RequestError 4.06 for Resource Instances of an Object Instance without ID: such a name would mean another
 */
export function recordsOf(definition: ObjectDefinition, target: Path, content: ObjectContent): SenmlRecord[] {
  const records: SenmlRecord[] = [];
  let baseName: string | undefined;
  for (const { path, value } of valuesIn(definition, content)) {
    const name = nameBelow(target, path);
    const record: PartialRecord = {};
    if (baseName === undefined) {
      baseName = formatPath(target) + (name === "" ? "" : "/");
      record.baseName = baseName;
    }
    if (name !== "") record.name = name;
    record.value = value;
    records.push(record);
  }
  return records;
}

/** What a path has more than the target: empty, or without a slash at its ends. */
function nameBelow(target: Path, path: readonly number[]): string {
  let name = "";
  for (let level = target.length; level < path.length; level++) {
    name += level === target.length ? path[level] : `/${path[level]}`;
  }
  return name;
}

function valuesIn(definition: ObjectDefinition, content: ObjectContent): Iterable<PathValue> {
  const unassigned = unassignedIn(content);
  return unassigned === undefined
    ? pathValues(definition, content)
    : unassignedValues(definition, unassigned);
}

function* unassignedValues(definition: ObjectDefinition, resources: InstanceContent): Generator<PathValue> {
  for (const [resourceId, held] of ascending(resources)) {
    const resource = resourceOf(definition, resourceId);
    if (resource.multiple) throw new RequestError("4.06", `${resource.name} has no name without an instance`);
    yield { path: [definition.id, resourceId], value: scalarOf(resource.type, singleOf(resource, held)) };
  }
}
