import { DecodeError } from "../model/errors.js";
import { type CborItem, decodeCbor, scalarOfItem, writeScalar } from "./cbor-item.js";
import { CborWriter } from "./cbor-writer.js";
import { contentFormats } from "./content-format.js";
import type { PayloadCodec } from "./payload-codec.js";
import type { Scalar } from "./scalar.js";
import { contentOf, recordsOf, resolveRecords, type SenmlRecord } from "./senml.js";
import { labels, type PackKind, recordOfFields, valueFields } from "./senml-fields.js";

/** application/senml+cbor (LwM2M Core §7.4). */
export const senmlCbor: PayloadCodec = {
  contentFormat: contentFormats.senmlCbor,
  encode: (definition, target, content) => encodeSenmlCbor(recordsOf(definition, target, content)),
  decode: (definition, target, payload) =>
    contentOf(definition, target, resolveRecords(decodeSenmlCbor(payload))),
};

export function encodeSenmlCbor(records: readonly SenmlRecord[]): Uint8Array {
  const writer = new CborWriter();
  writer.array(records.length);
  for (const record of records) writeRecord(writer, record);
  return writer.finish();
}

function writeRecord(writer: CborWriter, { baseName, baseTime, name, time, value }: SenmlRecord): void {
  const fields: [label: number | "vlo", value: Scalar][] = [];
  if (baseName !== undefined) fields.push([labels.bn, { kind: "text", value: baseName }]);
  if (baseTime !== undefined) fields.push([labels.bt, numberScalar(baseTime)]);
  if (name !== undefined) fields.push([labels.n, { kind: "text", value: name }]);
  if (time !== undefined) fields.push([labels.t, numberScalar(time)]);
  if (value !== undefined) fields.push([valueLabel(value), value]);
  writer.map(fields.length);
  for (const [label, field] of fields) {
    if (typeof label === "number") writer.integer(label);
    else writer.text(label);
    writeScalar(writer, field);
  }
}

const numberScalar = (value: number): Scalar =>
  Number.isSafeInteger(value) ? { kind: "integer", value } : { kind: "float", value };

function valueLabel({ kind }: Scalar): number | "vlo" {
  const field = valueFields[kind];
  return field === "vlo" ? field : labels[field];
}

/** @throws DecodeError */
export function decodeSenmlCbor(payload: Uint8Array, kind?: PackKind): SenmlRecord[] {
  const pack = decodeCbor(payload);
  if (!Array.isArray(pack)) throw new DecodeError("SenML is an array of records");
  return pack.map((record) => recordOf(record, kind));
}

function recordOf(record: CborItem, kind: PackKind = "pack"): SenmlRecord {
  if (!(record instanceof Map)) throw new DecodeError("a record of SenML is a map");
  const fields = new Map<string, Scalar | undefined>();
  for (const [label, item] of record) {
    const field = fieldOf(label);
    if (field !== undefined) fields.set(field, scalarOfField(item));
    else if (kind === "fetchPack") throw new DecodeError("a Fetch Pack has no such field");
  }
  return recordOfFields(fields, kind);
}

const fieldsByLabel = new Map<number, string>(Object.entries(labels).map(([field, label]) => [label, field]));

/** undefined for a field to ignore: in CBOR the text "v" is not the label of `v`. */
function fieldOf(label: number | bigint | string): string | undefined {
  if (typeof label !== "string") return fieldsByLabel.get(Number(label));
  return label === "vlo" || label.endsWith("_") ? label : undefined;
}

const scalarOfField = (item: CborItem): Scalar | undefined =>
  Array.isArray(item) || item instanceof Map ? undefined : scalarOfItem(item);
