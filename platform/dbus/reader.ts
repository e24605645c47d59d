import { DecodeError } from "../../agent/model/errors.js";
import { alignmentOf, parseSingleType, type Type } from "./type.js";
import { type Value, Variant } from "./value.js";

/** D-Bus Specification, "Valid signatures" and "Marshaling": variants nest with all the rest 64 deep. */
const maximumDepth = 64;
const maximumArray = 2 ** 26;
/** An array of empty structures cannot exist, so each element takes a byte or more; this bounds what is built of them. */
const maximumValues = 100_000;

/** Reads values from the bytes of one message. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #isLittleEndian: boolean;
  #values = 0;
  offset: number;

  constructor(bytes: Uint8Array, isLittleEndian: boolean, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#isLittleEndian = isLittleEndian;
    this.offset = offset;
  }

  /** @throws DecodeError when the bytes are not such a value */
  value(type: Type, depth = 0): Value {
    if (depth > maximumDepth) throw this.#wrong("nested too deep");
    if (++this.#values > maximumValues) throw this.#wrong("too many values");
    this.align(alignmentOf(type));
    switch (type.code) {
      case "a":
        return this.#array(type.element, depth);
      case "r":
        return type.fields.map((field) => this.value(field, depth + 1));
      case "e":
        return [this.value(type.key, depth + 1), this.value(type.value, depth + 1)];
      case "v": {
        const signature = this.#signature();
        return new Variant(signature, this.value(parseSingleType(signature), depth + 1));
      }
      case "s":
      case "o":
        return this.#text(this.uint32());
      case "g":
        return this.#signature();
      case "b":
        return this.#boolean();
      default:
        return this.#number(type.code);
    }
  }

  /** Padding is made of zeros. */
  align(alignment: number): void {
    const end = Math.ceil(this.offset / alignment) * alignment;
    while (this.offset < end) {
      if (this.#bytes[this.#advance(1)] !== 0) throw this.#wrong("padding is not zero");
    }
  }

  uint32(): number {
    this.align(4);
    return this.#view.getUint32(this.#advance(4), this.#isLittleEndian);
  }

  #array(element: Type, depth: number): Value {
    const length = this.uint32();
    if (length > maximumArray) throw this.#wrong(`an array of ${length} bytes is too long`);
    this.align(alignmentOf(element));
    const end = this.offset + length;
    if (end > this.#bytes.length) throw this.#wrong("the array is cut off");
    const values: Value[] = [];
    while (this.offset < end) values.push(this.value(element, depth + 1));
    if (this.offset !== end) throw this.#wrong("the last element does not fit into its array");
    return element.code === "e" ? new Map(values as [Value, Value][]) : values;
  }

  #number(code: "y" | "n" | "q" | "i" | "u" | "x" | "t" | "d" | "h"): number | bigint {
    const little = this.#isLittleEndian;
    switch (code) {
      case "y":
        return this.#view.getUint8(this.#advance(1));
      case "n":
        return this.#view.getInt16(this.#advance(2), little);
      case "q":
        return this.#view.getUint16(this.#advance(2), little);
      case "i":
        return this.#view.getInt32(this.#advance(4), little);
      case "u":
      case "h":
        return this.#view.getUint32(this.#advance(4), little);
      case "x":
        return this.#view.getBigInt64(this.#advance(8), little);
      case "t":
        return this.#view.getBigUint64(this.#advance(8), little);
      case "d":
        return this.#view.getFloat64(this.#advance(8), little);
    }
  }

  #boolean(): boolean {
    const value = this.uint32();
    if (value > 1) throw this.#wrong(`${value} is not a boolean`);
    return value === 1;
  }

  #signature(): string {
    return this.#text(this.#view.getUint8(this.#advance(1)));
  }

  #text(length: number): string {
    const start = this.#advance(length);
    if (this.#bytes[this.#advance(1)] !== 0) throw this.#wrong("a text does not end with a zero");
    const bytes = this.#bytes.subarray(start, start + length);
    if (bytes.includes(0)) throw this.#wrong("a text holds a zero");
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.#wrong("a text is not UTF-8");
    }
  }

  /** @returns where the next `length` bytes begin, which are there */
  #advance(length: number): number {
    const start = this.offset;
    if (start + length > this.#bytes.length) throw this.#wrong("the message is cut off");
    this.offset += length;
    return start;
  }

  #wrong(what: string): DecodeError {
    return new DecodeError(what, { offset: this.offset });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
