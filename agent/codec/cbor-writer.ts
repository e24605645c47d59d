/** The major types of RFC 8949 §3.1. */
export const major = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, other: 7 } as const;

const encoder = new TextEncoder();

/**
 * Writes CBOR in its preferred form: each head as short as it can be. Floats are the exception: they have 8 bytes
 * whatever their value, as in the examples of LwM2M Core §7.4 This is why `cbor-x` does not write for us: it makes
 * an integer of the float 23.0, and a float of every integer beyond 32 bits that comes as a number.
 */
export class CborWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** What has been written; the writer is used up. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** @param value from -2^64 to 2^64 - 1 */
  integer(value: number | bigint): void {
    if (value >= 0) this.head(major.uint, value);
    else this.head(major.negative, typeof value === "bigint" ? -1n - value : -1 - value);
  }

  float(value: number): void {
    this.#reserve(9);
    this.#view.setUint8(this.#length, (major.other << 5) | 27);
    this.#view.setFloat64(this.#length + 1, value);
    this.#length += 9;
  }

  boolean(value: boolean): void {
    this.head(major.other, value ? 21 : 20);
  }

  null(): void {
    this.head(major.other, 22);
  }

  text(value: string): void {
    if (this.#shortAscii(value)) return;
    const bytes = encoder.encode(value);
    this.head(major.text, bytes.length);
    this.raw(bytes);
  }

  bytes(value: Uint8Array): void {
    this.head(major.bytes, value.length);
    this.raw(value);
  }

  /** Begins an array: its items follow. */
  array(length: number): void {
    this.head(major.array, length);
  }

  /** Begins a map: its keys and values follow in turn. */
  map(size: number): void {
    this.head(major.map, size);
  }

  head(majorType: number, argument: number | bigint): void {
    this.#reserve(9);
    const type = majorType << 5;
    const start = this.#length;
    if (argument < 24) {
      this.#bytes[start] = type | Number(argument);
      this.#length += 1;
    } else if (argument < 0x100) {
      this.#bytes[start] = type | 24;
      this.#bytes[start + 1] = Number(argument);
      this.#length += 2;
    } else if (argument < 0x10000) {
      this.#view.setUint8(start, type | 25);
      this.#view.setUint16(start + 1, Number(argument));
      this.#length += 3;
    } else if (argument < 0x100000000) {
      this.#view.setUint8(start, type | 26);
      this.#view.setUint32(start + 1, Number(argument));
      this.#length += 5;
    } else {
      this.#view.setUint8(start, type | 27);
      this.#view.setBigUint64(start + 1, BigInt(argument));
      this.#length += 9;
    }
  }

  /** Bytes that are CBOR already, or belong to the head before. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The names of records are short; calling the encoder for each would be most of the work. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    if (length > 23) return false;
    this.#reserve(9 + length); // what `head` reserves too: it must not move the memory from under the text
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#bytes[this.#length + 1 + index] = code;
    }
    this.head(major.text, length);
    this.#length += length;
    return true;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
