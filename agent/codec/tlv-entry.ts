import { DecodeError, RequestError } from "../model/errors.js";

/** In the order of bits 7 and 6 of the type byte (LwM2M Core §7.4). */
const kinds = ["objectInstance", "resourceInstance", "multipleResource", "resource"] as const;
export type TlvKind = (typeof kinds)[number];

/** One type-length-value triple with its identifier. */
export interface TlvEntry {
  readonly kind: TlvKind;
  readonly id: number;
  /** Shares memory with the payload. */
  readonly value: Uint8Array;
  /** Where it begins in the payload. */
  readonly offset: number;
  /** Where its value begins in the payload. */
  readonly valueOffset: number;
}

const WIDE_ID = 0x20;
const MAXIMUM_LENGTH = 0xffffff;

/** Writes one entry in its shortest form. */
export function encodeEntry(kind: TlvKind, id: number, value: Uint8Array): Uint8Array {
  const { length } = value;
  if (length > MAXIMUM_LENGTH) throw new RequestError("4.06", `TLV cannot carry ${length} bytes`);
  const idSize = id < 0x100 ? 1 : 2;
  const lengthSize = length < 8 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const entry = new Uint8Array(1 + idSize + lengthSize + length);
  entry[0] =
    (kinds.indexOf(kind) << 6) |
    (idSize === 2 ? WIDE_ID : 0) |
    (lengthSize << 3) |
    (lengthSize === 0 ? length : 0);
  writeUint(entry, 1, idSize, id);
  writeUint(entry, 1 + idSize, lengthSize, length);
  entry.set(value, 1 + idSize + lengthSize);
  return entry;
}

function writeUint(bytes: Uint8Array, offset: number, size: number, value: number): void {
  for (let index = 0; index < size; index++) bytes[offset + index] = value >> (8 * (size - 1 - index));
}

/**
 * Reads the entries that lie side by side in `bytes`.
 * @param start where `bytes` begin in the payload
 * @throws DecodeError when the last entry is cut off
 */
export function decodeEntries(bytes: Uint8Array, start = 0): TlvEntry[] {
  const entries: TlvEntry[] = [];
  for (let position = 0; position < bytes.length; ) {
    const offset = start + position;
    const type = bytes[position++] ?? 0;
    const lengthSize = (type >> 3) & 3;
    const readUint = (size: number): number => {
      if (position + size > bytes.length) throw new DecodeError("this TLV entry is cut off", { offset });
      let value = 0;
      for (const end = position + size; position < end; position++)
        value = value * 256 + (bytes[position] ?? 0);
      return value;
    };
    const id = readUint(type & WIDE_ID ? 2 : 1);
    // With a length field of its own the three low bits mean nothing.
    const length = lengthSize === 0 ? type & 7 : readUint(lengthSize);
    if (length > bytes.length - position) throw new DecodeError("this TLV entry is cut off", { offset });
    const value = bytes.subarray(position, position + length);
    entries.push({ kind: kindOf(type), id, value, offset, valueOffset: start + position });
    position += length;
  }
  return entries;
}

const kindOf = (type: number): TlvKind => kinds[type >> 6] ?? "resource"; // two bits: each has its kind
