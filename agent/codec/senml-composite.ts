/**
 * SenML for several Objects (LwM2M Core 1.2 §6.3.8, §7.4.4): packs, and the Fetch and Patch Packs of SenML-ETCH
 * (RFC 8790).
 */
import { DecodeError } from "../model/errors.js";
import { type CompositePath, formatPath, type ResourcePath } from "../model/path.js";
import type { TimedContent } from "../model/value.js";
import type { CompositeCodec, CompositeWrite, Definitions } from "./composite.js";
import { resourceOf } from "./object-content.js";
import { resourceValues } from "./path-value.js";
import { valueFrom } from "./scalar.js";
import { ABSOLUTE_TIME, type ResolvedRecord, resolveRecords, type SenmlRecord, valuePath } from "./senml.js";
import type { PackKind } from "./senml-fields.js";
import { TreeBuilder, treeValues } from "./tree-content.js";

/** One way of writing records down. */
export interface RecordForm {
  /** @throws RequestError 4.06 for a value that it cannot carry */
  encode(records: readonly SenmlRecord[]): Uint8Array;
  /** @throws DecodeError */
  decode(payload: Uint8Array, kind?: PackKind): SenmlRecord[];
}

/** SenML JSON and SenML CBOR. */
export const senmlComposite = (contentFormat: number, form: RecordForm): CompositeCodec => ({
  contentFormat,
  decodePaths: (payload) => pathsOf(resolveRecords(form.decode(payload))),
  decodeContent: (definitions, payload) => writeOf(definitions, resolveRecords(form.decode(payload))),
  encode: (definitions, content) =>
    form.encode(
      [...treeValues(definitions, content)].map(({ path, value }) => ({ name: formatPath(path), value })),
    ),
  encodeTimed: (definitions, records) => form.encode(timedRecords(definitions, records)),
});

/** SenML-ETCH JSON and CBOR, which are for requests alone. */
export const senmlEtchComposite = (contentFormat: number, form: RecordForm): CompositeCodec => ({
  contentFormat,
  decodePaths: (payload) => pathsOf(resolveRecords(form.decode(payload, "fetchPack"))),
  decodeContent: (definitions, payload) => patchOf(definitions, resolveRecords(form.decode(payload))),
});

// ---- Reading ---------------------------------------------------------------------------------------------------

/** Times and units would narrow the choice, but a Resource has no other value than the present one. */
function pathsOf(records: readonly ResolvedRecord[]): CompositePath[] {
  const paths = new Map<string, CompositePath>();
  for (const { path, value } of records) {
    const name = formatPath(path);
    if (value !== undefined) throw new DecodeError(`the record for ${name} has a value, and should only ask`);
    paths.set(name, path);
  }
  return [...paths.values()];
}

function writeOf(definitions: Definitions, records: readonly ResolvedRecord[]): CompositeWrite {
  const builder = new TreeBuilder(definitions);
  for (const { path, value } of records) {
    if (value === undefined) throw new DecodeError(`the record for ${formatPath(path)} has no value`);
    builder.addValue(valuePath(path), (resource) => valueFrom(resource, value));
  }
  return builder.finish();
}

/** RFC 8790 §3.2: the records of a Patch Pack apply in their order, so that the last for a name decides. */
function patchOf(definitions: Definitions, records: readonly ResolvedRecord[]): CompositeWrite {
  const last = new Map(records.map((record) => [formatPath(record.path), record]));
  const kept = [...last.values()];
  const builder = new TreeBuilder(definitions);
  for (const { path, value } of kept) {
    if (value === undefined) throw new DecodeError(`the record for ${formatPath(path)} has no value`);
    if (value.kind === "null") builder.addRemoval(valuePath(path));
    else builder.addValue(valuePath(path), (resource) => valueFrom(resource, value));
  }
  return builder.finish();
}

// ---- Writing ---------------------------------------------------------------------------------------------------

/**
 * Samples with their times: the first time is the base of the others. When all are of one Resource, its path is the
 * base of their names.
 */
function timedRecords(definitions: Definitions, samples: readonly TimedContent[]): SenmlRecord[] {
  const [first] = samples;
  const isOneResource = samples.every(({ path }) => formatPath(path) === formatPath(first?.path ?? []));
  const base = new BaseTime();
  const records: SenmlRecord[] = [];
  for (const { path, content, time } of samples) {
    const resource = resourceAt(definitions, path);
    const common = isOneResource ? formatPath(path) + (resource.multiple ? "/" : "") : "";
    for (const { path: valuePath, value } of resourceValues(resource, path, content)) {
      const name = formatPath(valuePath).slice(common.length);
      records.push({
        ...(isOneResource && records.length === 0 && { baseName: common }),
        ...(name !== "" && { name }),
        ...base.fieldsFor(time),
        value,
      });
    }
  }
  return records;
}

function resourceAt(definitions: Definitions, [objectId, , resourceId]: ResourcePath) {
  const definition = definitions(objectId);
  if (definition === undefined) throw new TypeError(`Object ${objectId} has no definition`);
  return resourceOf(definition, resourceId);
}

/** `bt` holds until the next one, and what `t` says is added to it (RFC 8428 §4.5.3). */
class BaseTime {
  /** 0 is as good as none: then a record without time is of now. */
  #base = 0;

  fieldsFor(time: number | undefined): Pick<SenmlRecord, "baseTime" | "time"> {
    // A clock that was never set is in 1970: such a time would count as relative, and tells nobody anything.
    if (time === undefined || time < ABSOLUTE_TIME) return this.#change(0);
    const change = this.#base === 0 ? this.#change(Math.floor(time)) : {};
    const milliseconds = Math.round((time - this.#base) * 1000);
    return milliseconds === 0 ? change : { ...change, time: milliseconds / 1000 };
  }

  #change(base: number): Pick<SenmlRecord, "baseTime"> {
    if (base === this.#base) return {};
    this.#base = base;
    return { baseTime: base };
  }
}
