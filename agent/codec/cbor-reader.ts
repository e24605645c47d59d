import { DecodeError } from "../model/errors.js";
import { integerValue } from "../model/value.js";
import { CborWriter, major } from "./cbor-writer.js";
import { parseDecimal } from "./decimal.js";
import type { Scalar } from "./scalar.js";
import { decodeUtf8 } from "./utf8.js";

/** Deeper than any payload of LwM2M. */
const MAXIMUM_DEPTH = 8;
/** Thousands of records fit, and what is built from the items stays in proportion. */
const MAXIMUM_ITEMS = 65_536;

const tags = { date: 0, epoch: 1, decimalFraction: 4 } as const;
const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const simple = { false: 20, true: 21, null: 22, half: 25, single: 26, double: 27 } as const;
const INDEFINITE = 31;
const BREAK = 0xff;

/**
 * Takes the CBOR of a stranger apart, item by item, where the reader of a format knows what comes next. It builds
 * nothing of its own and believes no length before it has seen as many bytes.
 *
 * Arrays and maps announce their size, `Infinity` when a break ends them:
 * `for (let left = reader.map(); reader.more(left); left--) …`
 */
export class CborReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  #items = 0;
  /** Of the head that was read last. */
  #info = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The major type of what comes next; undefined at the end. */
  get nextType(): number | undefined {
    const byte = this.#bytes[this.#offset];
    return byte === undefined ? undefined : byte >> 5;
  }

  /** @throws DecodeError unless an array comes next */
  array(): number {
    return this.#size(major.array, 1);
  }

  /** @throws DecodeError unless a map comes next */
  map(): number {
    return this.#size(major.map, 2);
  }

  /** Does another item of the array, or pair of the map, follow? */
  more(left: number): boolean {
    return left === Number.POSITIVE_INFINITY ? !this.#skipBreak() : left > 0;
  }

  /** @throws DecodeError unless an integer comes next */
  integer(): number | bigint {
    const offset = this.#offset;
    const type = this.#type();
    if (type > major.negative) throw unexpected(offset);
    if (this.#info < 24) return type === major.uint ? this.#info : -1 - this.#info; // like every label of SenML
    return this.#integer(type, offset);
  }

  /** @throws DecodeError unless text comes next */
  text(): string {
    const offset = this.#offset;
    if (this.#type() !== major.text) throw unexpected(offset);
    return this.#text(offset);
  }

  /**
   * A value that is no array and no map. Times and decimal fractions, which have tags, come as the numbers that they are.
   * Bytes are a copy.
   */
  scalar(): Scalar {
    const offset = this.#offset;
    const type = this.#type();
    switch (type) {
      case major.uint:
      case major.negative:
        return { kind: "integer", value: this.#integer(type, offset) };
      case major.text:
        return { kind: "text", value: this.#text(offset) };
      case major.bytes:
        return { kind: "bytes", value: new Uint8Array(this.#string(major.bytes, offset)) };
      case major.tag:
        return numberScalar(this.#tagged(offset));
      case major.other:
        return this.#simple(offset);
      default:
        throw unexpected(offset);
    }
  }

  /** Passes over the next item, whatever it is, if its syntax is right. */
  skip(depth = 0): undefined {
    if (depth > MAXIMUM_DEPTH) throw new DecodeError("this nests too deep", { offset: this.#offset });
    switch (this.nextType) {
      case major.array:
        for (let left = this.array(); this.more(left); left--) this.skip(depth + 1);
        break;
      case major.map:
        for (let left = this.map(); this.more(left); left--) {
          this.skip(depth + 1);
          this.skip(depth + 1);
        }
        break;
      default:
        this.scalar();
    }
    return undefined;
  }

  /** @throws DecodeError unless everything has been read */
  end(): void {
    if (this.#offset < this.#bytes.length) {
      throw new DecodeError("nothing may follow the item", { offset: this.#offset });
    }
  }

  // ---- Heads ---------------------------------------------------------------------------------------------------

  /** Begins an item; what its head says beyond the type is in `#info` and follows. */
  #type(): number {
    if (++this.#items > MAXIMUM_ITEMS) throw new DecodeError("these are too many items");
    const offset = this.#offset;
    const byte = this.#bytes[offset];
    if (byte === undefined) throw cutOff(offset);
    this.#offset = offset + 1;
    this.#info = byte & 31;
    return byte >> 5;
  }

  #argument(offset: number): number | bigint {
    const info = this.#info;
    if (info < 24) return info;
    if (info > 27) throw unexpected(offset);
    const start = this.#take(1 << (info - 24));
    switch (info) {
      case 24:
        return this.#view.getUint8(start);
      case 25:
        return this.#view.getUint16(start);
      case 26:
        return this.#view.getUint32(start);
      default:
        return this.#view.getBigUint64(start);
    }
  }

  #size(type: number, itemsEach: number): number {
    const offset = this.#offset;
    if (this.#type() !== type) throw unexpected(offset);
    if (this.#info === INDEFINITE) return Number.POSITIVE_INFINITY;
    const size = Number(this.#argument(offset));
    // No item is shorter than a byte; a count beyond that is refused before anyone believes it.
    if (size * itemsEach > this.#bytes.length - this.#offset) throw cutOff(offset);
    return size;
  }

  /** Where the next `length` bytes begin. */
  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw cutOff(start);
    this.#offset = start + length;
    return start;
  }

  #skipBreak(): boolean {
    if (this.#bytes[this.#offset] !== BREAK) return false;
    this.#offset += 1;
    return true;
  }

  // ---- Values --------------------------------------------------------------------------------------------------

  #integer(type: number, offset: number): number | bigint {
    const argument = this.#argument(offset);
    if (typeof argument === "bigint") return integerValue(type === major.uint ? argument : -1n - argument);
    return type === major.uint ? argument : -1 - argument;
  }

  #text(offset: number): string {
    if (this.#info < 24) return this.#shortText(this.#take(this.#info), this.#info);
    return decodeUtf8(this.#string(major.text, offset), offset);
  }

  /** The names of records are short; calling the decoder for each would be most of the work. Four characters at a time. */
  #shortText(start: number, length: number): string {
    const bytes = this.#bytes;
    const end = start + length;
    let text = "";
    let index = start;
    for (; index + 4 <= end; index += 4) {
      const a = bytes[index] as number;
      const b = bytes[index + 1] as number;
      const c = bytes[index + 2] as number;
      const d = bytes[index + 3] as number;
      if ((a | b | c | d) > 0x7f) return decodeUtf8(bytes.subarray(start, end), start);
      text += String.fromCharCode(a, b, c, d);
    }
    for (; index < end; index++) {
      const byte = bytes[index] as number;
      if (byte > 0x7f) return decodeUtf8(bytes.subarray(start, end), start);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** @returns the content, sharing memory with the input unless it comes in chunks */
  #string(type: number, offset: number): Uint8Array {
    if (this.#info !== INDEFINITE) return this.#content(offset);
    const whole = new CborWriter();
    while (!this.#skipBreak()) {
      const chunkOffset = this.#offset;
      if (this.#type() !== type) throw unexpected(chunkOffset);
      const chunk = this.#content(chunkOffset);
      if (type === major.text) decodeUtf8(chunk, chunkOffset); // RFC 8949 §3.2.3: no character spans two chunks
      whole.raw(chunk);
    }
    return whole.finish();
  }

  #content(offset: number): Uint8Array {
    const length = Number(this.#argument(offset));
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #simple(offset: number): Scalar {
    switch (this.#info) {
      case simple.false:
      case simple.true:
        return { kind: "boolean", value: this.#info === simple.true };
      case simple.null:
        return { kind: "null", value: null };
      default:
        return numberScalar(this.#float(offset));
    }
  }

  #float(offset: number): number {
    switch (this.#info) {
      case simple.half:
        return half(this.#view.getUint16(this.#take(2)));
      case simple.single:
        return this.#view.getFloat32(this.#take(4));
      case simple.double:
        return this.#view.getFloat64(this.#take(8));
      default:
        throw unexpected(offset);
    }
  }

  /** Tags are few (RFC 8949 §3.4): any other would change what its content means. */
  #tagged(offset: number): number | bigint {
    const tag = this.#argument(offset);
    if (tag === tags.date) return this.#date();
    if (tag === tags.epoch) return this.#number();
    if (tag === tags.decimalFraction) return this.#decimalFraction();
    throw unexpected(offset);
  }

  #date(): number {
    const offset = this.#offset;
    const text = this.text();
    const milliseconds = date.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(milliseconds)) throw new DecodeError("this is no date", { offset });
    return milliseconds / 1000;
  }

  #number(): number | bigint {
    if (this.nextType !== major.other) return this.integer();
    const offset = this.#offset;
    this.#type();
    return this.#float(offset);
  }

  /** RFC 8949 §3.4.4: an exponent to the base of ten, and what it is to multiply. */
  #decimalFraction(): number | bigint {
    const offset = this.#offset;
    if (this.array() !== 2) throw unexpected(offset);
    const exponent = this.integer();
    const mantissa = this.integer();
    return parseDecimal(`${mantissa}e${exponent}`);
  }
}

/** On the way in 5.0 is an integer like 5. */
const numberScalar = (value: number | bigint): Scalar =>
  typeof value === "bigint" || Number.isInteger(value)
    ? { kind: "integer", value }
    : { kind: "float", value };

/** IEEE 754 in 16 bits, as RFC 8949 appendix D reads it. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

const cutOff = (offset: number) => new DecodeError("this is cut off", { offset });
const unexpected = (offset: number) => new DecodeError("this CBOR item has no meaning here", { offset });
