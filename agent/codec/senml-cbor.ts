import { DecodeError } from "../model/errors.js";
import { writeScalar } from "./cbor-item.js";
import { CborReader } from "./cbor-reader.js";
import { CborWriter, major } from "./cbor-writer.js";
import { contentFormats } from "./content-format.js";
import type { PayloadCodec } from "./payload-codec.js";
import { contentOf, type PartialRecord, recordsOf, resolveRecords, type SenmlRecord } from "./senml.js";
import { labels, type PackKind, takeField, valueFields } from "./senml-fields.js";

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
  writer.map([baseName, baseTime, name, time, value].filter((field) => field !== undefined).length);
  if (baseName !== undefined) {
    writer.integer(labels.bn);
    writer.text(baseName);
  }
  if (baseTime !== undefined) {
    writer.integer(labels.bt);
    writeNumber(writer, baseTime);
  }
  if (name !== undefined) {
    writer.integer(labels.n);
    writer.text(name);
  }
  if (time !== undefined) {
    writer.integer(labels.t);
    writeNumber(writer, time);
  }
  if (value !== undefined) {
    const field = valueFields[value.kind];
    if (field === "vlo") writer.text(field);
    else writer.integer(labels[field]);
    writeScalar(writer, value);
  }
}

const writeNumber = (writer: CborWriter, value: number): void =>
  Number.isSafeInteger(value) ? writer.integer(value) : writer.float(value);

/** @throws DecodeError */
export function decodeSenmlCbor(payload: Uint8Array, kind: PackKind = "pack"): SenmlRecord[] {
  const records: SenmlRecord[] = [];
  const reader = new CborReader(payload);
  for (let left = reader.array(); reader.more(left); left--) records.push(readRecord(reader, kind));
  reader.end();
  return records;
}

function readRecord(reader: CborReader, kind: PackKind): SenmlRecord {
  const record: PartialRecord = {};
  const seen: (number | bigint | string)[] = []; // a few at most, or else `MAXIMUM_FIELDS` ends it
  for (let left = reader.map(); reader.more(left); left--) {
    const label = reader.nextType === major.text ? reader.text() : reader.integer();
    if (seen.includes(label)) throw new DecodeError("a field comes twice");
    if (seen.push(label) > MAXIMUM_FIELDS) throw new DecodeError("a record has fewer fields");
    const scalar = isStructure(reader.nextType) ? reader.skip() : reader.scalar();
    takeField(record, fieldOf(label), scalar, kind);
  }
  return record;
}

/** RFC 8428 has 15 of them, and others may come. */
const MAXIMUM_FIELDS = 64;

const isStructure = (type: number | undefined) => type === major.array || type === major.map;

const fieldsByLabel = new Map<number | bigint | string, string>(
  Object.entries(labels).map(([field, label]) => [label, field]),
);

/** In CBOR the text "v" is not the label of `v`, but a field to ignore. */
function fieldOf(label: number | bigint | string): string {
  if (typeof label === "string") return label === "vlo" || label.endsWith("_") ? label : "";
  return fieldsByLabel.get(label) ?? "";
}
