import { DecodeError } from "../model/errors.js";
import type { ObjectLink, ResourceValue } from "../model/value.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import {
  booleanOf,
  bytesOf,
  checkedInteger,
  checkedTime,
  floatOf,
  type IntegerType,
  integerOf,
  objectLinkOf,
  textOf,
  timeOf,
  type ValueResource,
} from "./value-types.js";

/** Writes the value bytes of a TLV entry, numbers in the shortest length that holds them exactly. */
export function encodeTlvValue({ type }: ValueResource, value: ResourceValue): Uint8Array {
  switch (type) {
    case "string":
    case "corelnk":
      return encodeUtf8(textOf(value));
    case "integer":
    case "unsigned":
      return encodeInteger(type, integerOf(type, value));
    case "float":
      return encodeFloat(floatOf(value));
    case "boolean":
      return Uint8Array.of(booleanOf(value) ? 1 : 0);
    case "opaque":
      return bytesOf(value);
    case "time":
      return encodeInteger("integer", timeOf(value));
    case "objlnk":
      return encodeObjectLink(objectLinkOf(value));
  }
}

/**
 * @param offset where `bytes` lie in the payload
 * @throws DecodeError when they are no value of that type
 */
export function decodeTlvValue({ type }: ValueResource, bytes: Uint8Array, offset: number): ResourceValue {
  switch (type) {
    case "string":
    case "corelnk":
      return decodeUtf8(bytes, offset);
    case "integer":
    case "unsigned":
      return checkedInteger(type, decodeInteger(type, bytes, offset));
    case "float":
      return decodeFloat(bytes, offset);
    case "boolean":
      return decodeBoolean(bytes, offset);
    case "opaque":
      return new Uint8Array(bytes);
    case "time":
      return checkedTime(decodeInteger("integer", bytes, offset));
    case "objlnk":
      return decodeObjectLink(bytes, offset);
  }
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function encodeInteger(type: IntegerType, value: number | bigint): Uint8Array {
  const integer = BigInt(value);
  const wrap = type === "integer" ? BigInt.asIntN : BigInt.asUintN;
  const size = [1, 2, 4].find((candidate) => wrap(8 * candidate, integer) === integer) ?? 8;
  const full = new Uint8Array(8);
  viewOf(full).setBigUint64(0, BigInt.asUintN(64, integer));
  return full.subarray(8 - size);
}

function decodeInteger(type: IntegerType, bytes: Uint8Array, offset: number): number | bigint {
  const view = viewOf(bytes);
  const isSigned = type === "integer";
  switch (bytes.length) {
    case 1:
      return isSigned ? view.getInt8(0) : view.getUint8(0);
    case 2:
      return isSigned ? view.getInt16(0) : view.getUint16(0);
    case 4:
      return isSigned ? view.getInt32(0) : view.getUint32(0);
    case 8:
      return isSigned ? view.getBigInt64(0) : view.getBigUint64(0);
    default:
      throw new DecodeError(`an integer has 1, 2, 4 or 8 bytes, not ${bytes.length}`, { offset });
  }
}

function encodeFloat(value: number): Uint8Array {
  const isExact = Object.is(Math.fround(value), value);
  const bytes = new Uint8Array(isExact ? 4 : 8);
  if (isExact) viewOf(bytes).setFloat32(0, value);
  else viewOf(bytes).setFloat64(0, value);
  return bytes;
}

function decodeFloat(bytes: Uint8Array, offset: number): number {
  if (bytes.length === 4) return viewOf(bytes).getFloat32(0);
  if (bytes.length === 8) return viewOf(bytes).getFloat64(0);
  throw new DecodeError(`a float has 4 or 8 bytes, not ${bytes.length}`, { offset });
}

function decodeBoolean(bytes: Uint8Array, offset: number): boolean {
  const [byte] = bytes;
  if (bytes.length !== 1 || (byte !== 0 && byte !== 1)) {
    throw new DecodeError("a boolean is one byte, 0 or 1", { offset });
  }
  return byte === 1;
}

function encodeObjectLink({ objectId, objectInstanceId }: ObjectLink): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint16(0, objectId);
  viewOf(bytes).setUint16(2, objectInstanceId);
  return bytes;
}

function decodeObjectLink(bytes: Uint8Array, offset: number): ObjectLink {
  if (bytes.length !== 4)
    throw new DecodeError(`an Object Link has 4 bytes, not ${bytes.length}`, { offset });
  const view = viewOf(bytes);
  return { objectId: view.getUint16(0), objectInstanceId: view.getUint16(2) };
}
