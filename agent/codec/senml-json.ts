import { DecodeError } from "../model/errors.js";
import { decodeBase64 } from "./base64.js";
import { contentFormats } from "./content-format.js";
import { decodeJson, type JsonValue } from "./json.js";
import { formatJsonScalar } from "./json-scalar.js";
import type { PayloadCodec } from "./payload-codec.js";
import type { Scalar } from "./scalar.js";
import { contentOf, type PartialRecord, recordsOf, resolveRecords, type SenmlRecord } from "./senml.js";
import { type PackKind, takeField, valueFields } from "./senml-fields.js";
import { encodeUtf8 } from "./utf8.js";

/** application/senml+json (LwM2M Core §7.4). */
export const senmlJson: PayloadCodec = {
  contentFormat: contentFormats.senmlJson,
  encode: (definition, target, content) => encodeSenmlJson(recordsOf(definition, target, content)),
  decode: (definition, target, payload) =>
    contentOf(definition, target, resolveRecords(decodeSenmlJson(payload))),
};

/** @throws RequestError 4.06 for a float that is not finite: JSON has none */
export const encodeSenmlJson = (records: readonly SenmlRecord[]): Uint8Array =>
  encodeUtf8(`[${records.map(formatRecord).join(",")}]`);

function formatRecord({ baseName, baseTime, name, time, value }: SenmlRecord): string {
  const fields: string[] = [];
  if (baseName !== undefined) fields.push(`"bn":${JSON.stringify(baseName)}`);
  if (baseTime !== undefined) fields.push(`"bt":${baseTime}`);
  if (name !== undefined) fields.push(`"n":${JSON.stringify(name)}`);
  if (time !== undefined) fields.push(`"t":${time}`);
  if (value !== undefined) fields.push(`"${valueFields[value.kind]}":${formatJsonScalar(value, "url")}`);
  return `{${fields.join(",")}}`;
}

/** @throws DecodeError */
export function decodeSenmlJson(payload: Uint8Array, kind: PackKind = "pack"): SenmlRecord[] {
  const pack = decodeJson(payload);
  if (!Array.isArray(pack)) throw new DecodeError("SenML is an array of records");
  return pack.map((record) => recordOf(record, kind));
}

function recordOf(object: JsonValue, kind: PackKind): SenmlRecord {
  if (!(object instanceof Map)) throw new DecodeError("a record of SenML is an object");
  const record: PartialRecord = {};
  for (const [field, value] of object) takeField(record, field, scalarOfField(field, value), kind);
  return record;
}

function scalarOfField(field: string, value: JsonValue): Scalar | undefined {
  switch (typeof value) {
    case "string":
      return field === "vd" ? { kind: "bytes", value: decodeBase64(value) } : { kind: "text", value };
    case "boolean":
      return { kind: "boolean", value };
    case "bigint":
      return { kind: "integer", value };
    case "number":
      return { kind: Number.isInteger(value) ? "integer" : "float", value };
    default:
      return value === null ? { kind: "null", value } : undefined;
  }
}
