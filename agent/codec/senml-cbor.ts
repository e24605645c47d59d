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
  writer.map(count(baseName) + count(baseTime) + count(name) + count(time) + count(value));
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

const count = (field: unknown): number => (field === undefined ? 0 : 1);

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
  let known = 0; // a bit for each label that has come
  let others: (number | bigint | string)[] | undefined;
  for (let left = reader.map(); reader.more(left); left--) {
    const label = reader.nextType === major.text ? reader.text() : reader.integer();
    const field = typeof label === "number" ? fieldsByLabel[label - lowestLabel] : undefined;
    if (field !== undefined) {
      const bit = 1 << ((label as number) - lowestLabel);
      if (known & bit) throw comesTwice();
      known |= bit;
    } else {
      others ??= [];
      if (others.includes(label)) throw comesTwice();
      if (others.push(label) > MAXIMUM_FIELDS) throw new DecodeError("a record has fewer fields");
    }
    if (field === "n" && reader.nextType === major.text) {
      record.name = reader.text();
      continue;
    }
    const scalar = isStructure(reader.nextType) ? reader.skip() : reader.scalar();
    takeField(record, field ?? otherField(label), scalar, kind);
  }
  return record;
}

const comesTwice = () => new DecodeError("a field comes twice");

/** Beside the 15 of RFC 8428 others may come. */
const MAXIMUM_FIELDS = 64;

const isStructure = (type: number | undefined) => type === major.array || type === major.map;

const lowestLabel = Math.min(...Object.values(labels));

const fieldsByLabel: readonly (string | undefined)[] = Object.entries(labels).reduce<string[]>(
  (fields, [field, label]) => {
    fields[label - lowestLabel] = field;
    return fields;
  },
  [],
);

/** In CBOR the text "v" is not the label of `v`, but a field to ignore. */
const otherField = (label: number | bigint | string): string =>
  typeof label === "string" && (label === "vlo" || label.endsWith("_")) ? label : "";
