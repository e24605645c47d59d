/**
 * CBOR items (RFC 8949), below the formats that are made of them: `cbor.ts` is the Content-Format for one value,
 * `senml-cbor.ts` the one for many.
 */
import { Decoder } from "cbor-x/decode-no-eval"; // the part that we use, without the search for native code
import { DecodeError } from "../model/errors.js";
import { checkCbor } from "./cbor-check.js";
import type { CborWriter } from "./cbor-writer.js";
import type { Scalar } from "./scalar.js";

/** Integers of 8 bytes come as `bigint` whatever their size, dates (tag 0) as `Date`. */
export type CborItem = null | boolean | number | bigint | string | Uint8Array | Date | CborArray | CborMap;
export type CborArray = readonly CborItem[];
export type CborMap = ReadonlyMap<number | bigint | string, CborItem>;

const decoder = new Decoder({ useRecords: false, mapsAsObjects: false });

/** @throws DecodeError unless `payload` is exactly one item */
export function decodeCbor(payload: Uint8Array): CborItem {
  const checked = checkCbor(payload);
  try {
    return decoder.decode(checked) as CborItem; // the check lets no other type through
  } catch (cause) {
    throw new DecodeError("this CBOR cannot be read", { cause });
  }
}

/** @throws DecodeError for an array, a map, or a date that is none */
export function scalarOfItem(item: CborItem): Scalar {
  switch (typeof item) {
    case "string":
      return { kind: "text", value: item };
    case "bigint":
      return { kind: "integer", value: item };
    case "number":
      return { kind: Number.isInteger(item) ? "integer" : "float", value: item };
    case "boolean":
      return { kind: "boolean", value: item };
  }
  if (item === null) return { kind: "null", value: null };
  if (item instanceof Uint8Array) return { kind: "bytes", value: new Uint8Array(item) };
  const seconds = item instanceof Date ? item.getTime() / 1000 : Number.NaN;
  if (Number.isNaN(seconds)) throw new DecodeError("this CBOR item is no value");
  return { kind: "float", value: seconds };
}

export function writeScalar(writer: CborWriter, scalar: Scalar): void {
  switch (scalar.kind) {
    case "text":
    case "objectLink":
      writer.text(scalar.value);
      break;
    case "integer":
      writer.integer(scalar.value);
      break;
    case "float":
      writer.float(scalar.value);
      break;
    case "boolean":
      writer.boolean(scalar.value);
      break;
    case "bytes":
      writer.bytes(scalar.value);
      break;
    case "null":
      writer.null();
      break;
  }
}
