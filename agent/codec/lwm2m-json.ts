/**
 * application/vnd.oma.lwm2m+json, the JSON of LwM2M 1.0 (Core 1.0 §6.4.4). Later versions read it and write SenML.
 */
import { DecodeError } from "../model/errors.js";
import { formatPath, type Path } from "../model/path.js";
import type { ResourceValue } from "../model/value.js";
import { decodeBase64 } from "./base64.js";
import { contentFormats } from "./content-format.js";
import { decodeJson, type JsonObject, type JsonValue } from "./json.js";
import { formatJsonScalar } from "./json-scalar.js";
import type { PayloadCodec } from "./payload-codec.js";
import { type Scalar, valueFrom } from "./scalar.js";
import { contentOf, recordsOf, resolveRecords, type SenmlRecord } from "./senml.js";
import { encodeUtf8 } from "./utf8.js";
import type { ValueResource } from "./value-types.js";

export const lwm2mJson: PayloadCodec = {
  contentFormat: contentFormats.json,
  encode(definition, target, content) {
    const records = recordsOf(definition, target, content);
    const baseName = records[0]?.baseName ?? formatPath(target);
    return encodeUtf8(`{"bn":${JSON.stringify(baseName)},"e":[${records.map(formatEntry).join(",")}]}`);
  },
  decode: (definition, target, payload) =>
    contentOf(definition, target, resolveRecords(recordsIn(decodeJson(payload), target)), valueOfEntry),
};

// ---- Writing ---------------------------------------------------------------------------------------------------

/** Which field carries which kind of value. */
const fields: Readonly<Record<Scalar["kind"], string>> = {
  text: "sv",
  bytes: "sv",
  integer: "v",
  float: "v",
  boolean: "bv",
  objectLink: "ov",
  null: "v",
};

function formatEntry({ name, value }: SenmlRecord): string {
  if (value === undefined) throw new TypeError("an entry has a value");
  const field = `"${fields[value.kind]}":${formatJsonScalar(value, "standard")}`;
  return name === undefined ? `{${field}}` : `{"n":${JSON.stringify(name)},${field}}`;
}

// ---- Reading ---------------------------------------------------------------------------------------------------

/**
 * An object with its entries in `e`, or the entries by themselves, of which any may then carry the base name of those
 * that follow (ETS 220). Times are of no use to a Write.
 */
function recordsIn(document: JsonValue, target: Path): SenmlRecord[] {
  let baseName: string | undefined;
  const readBase = (object: JsonObject) => {
    baseName = textIn(object, "bn") ?? baseName;
    checkTime(object, "bt");
  };
  if (document instanceof Map) readBase(document);
  const entries = document instanceof Map ? document.get("e") : document;
  if (!Array.isArray(entries)) throw new DecodeError("this JSON has no entries");
  return entries.map((entry: JsonValue) => {
    if (!(entry instanceof Map)) throw new DecodeError("an entry of JSON is an object");
    if (entries === document) readBase(entry);
    checkTime(entry, "t");
    return { name: nameOf(baseName, textIn(entry, "n") ?? "", target), value: valueIn(entry) };
  });
}

/** Without a base name the target is what names begin with, unless they say it themselves. */
function nameOf(baseName: string | undefined, name: string, target: Path): string {
  if (baseName !== undefined) return baseName + name;
  if (name.startsWith("/")) return name;
  return formatPath(target) + (name === "" ? "" : `/${name}`);
}

function textIn(object: JsonObject, field: string): string | undefined {
  const text = object.get(field);
  if (text !== undefined && typeof text !== "string") throw new DecodeError(`the field ${field} is text`);
  return text;
}

function checkTime(object: JsonObject, field: "bt" | "t"): void {
  const type = typeof (object.get(field) ?? 0);
  if (type !== "number" && type !== "bigint") throw new DecodeError(`the field ${field} is a number`);
}

function valueIn(entry: JsonObject): Scalar {
  const values = [...new Set(Object.values(fields))].flatMap((field) => {
    const value = entry.get(field);
    return value === undefined ? [] : [scalarOfField(field, value)];
  });
  const [value] = values;
  if (value === undefined || values.length > 1) throw new DecodeError("an entry has one value");
  return value;
}

/** A number may have a fraction: which there may be is up to the Resource. */
function scalarOfField(field: string, value: JsonValue): Scalar {
  switch (typeof value) {
    case "string":
      if (field === "sv") return { kind: "text", value };
      if (field === "ov") return { kind: "objectLink", value };
      break;
    case "boolean":
      if (field === "bv") return { kind: "boolean", value };
      break;
    case "number":
    case "bigint":
      if (field === "v") return { kind: "integer", value };
      break;
  }
  throw new DecodeError(`the field ${field} has a value of another type`);
}

/** Only the Resource tells bytes from other text. */
const valueOfEntry = (resource: ValueResource, scalar: Scalar): ResourceValue =>
  resource.type === "opaque" && scalar.kind === "text"
    ? decodeBase64(scalar.value)
    : valueFrom(resource, scalar);
