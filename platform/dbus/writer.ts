import { alignmentOf, parseSingleType, type Type } from "./type.js";
import { type Value, Variant } from "./value.js";

/** Writes values into the bytes of one message, little-endian. */
export class Writer {
  #bytes = Buffer.alloc(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Shares its memory with this writer. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @throws TypeError when the value is not of that type */
  value(type: Type, value: Value): this {
    this.align(alignmentOf(type));
    switch (type.code) {
      case "a":
        return this.#array(type.element, value);
      case "r":
        return this.#fields(type.fields, value);
      case "e":
        return this.#fields([type.key, type.value], value);
      case "v":
        if (!(value instanceof Variant)) throw mismatch(type, value);
        return this.#signature(value.signature).value(parseSingleType(value.signature), value.value);
      case "s":
      case "o":
        return this.#text(type, value);
      case "g":
        if (typeof value !== "string") throw mismatch(type, value);
        return this.#signature(value);
      case "b":
        if (typeof value !== "boolean") throw mismatch(type, value);
        return this.uint32(value ? 1 : 0);
      default:
        return this.#number(type, value);
    }
  }

  align(alignment: number): this {
    this.#reserve(Math.ceil(this.#length / alignment) * alignment - this.#length);
    return this;
  }

  uint8(value: number): this {
    this.#bytes.writeUInt8(value, this.#reserve(1));
    return this;
  }

  uint32(value: number): this {
    this.#bytes.writeUInt32LE(value, this.align(4).#reserve(4));
    return this;
  }

  append(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  #array(element: Type, value: Value): this {
    const elements = value instanceof Map ? [...value] : value;
    if (!Array.isArray(elements)) throw mismatch({ code: "a", element }, value);
    const lengthAt = this.uint32(0).length - 4;
    const start = this.align(alignmentOf(element)).length;
    for (const item of elements as Value[]) this.value(element, item);
    this.#bytes.writeUInt32LE(this.#length - start, lengthAt);
    return this;
  }

  #fields(types: readonly Type[], value: Value): this {
    if (!Array.isArray(value) || value.length !== types.length) {
      throw new TypeError(`a structure of ${types.length} values is needed`);
    }
    for (const [index, type] of types.entries()) this.value(type, value[index]);
    return this;
  }

  #number(type: Type, value: Value): this {
    if (type.code === "x" || type.code === "t") {
      if (typeof value !== "bigint") throw mismatch(type, value);
      const at = this.#reserve(8);
      if (type.code === "x") this.#bytes.writeBigInt64LE(value, at);
      else this.#bytes.writeBigUInt64LE(value, at);
      return this;
    }
    if (typeof value !== "number") throw mismatch(type, value);
    switch (type.code) {
      case "y":
        return this.uint8(value);
      case "n":
        this.#bytes.writeInt16LE(value, this.#reserve(2));
        return this;
      case "q":
        this.#bytes.writeUInt16LE(value, this.#reserve(2));
        return this;
      case "i":
        this.#bytes.writeInt32LE(value, this.#reserve(4));
        return this;
      case "d":
        this.#bytes.writeDoubleLE(value, this.#reserve(8));
        return this;
      default:
        return this.uint32(value);
    }
  }

  #text(type: Type, value: Value): this {
    if (typeof value !== "string" || value.includes("\0")) throw mismatch(type, value);
    const bytes = Buffer.from(value);
    return this.uint32(bytes.length).append(bytes).uint8(0);
  }

  #signature(signature: string): this {
    const bytes = Buffer.from(signature);
    return this.uint8(bytes.length).append(bytes).uint8(0);
  }

  /** @returns where `length` new bytes begin; they are zero */
  #reserve(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    return start;
  }
}

const mismatch = (type: Type, value: Value) =>
  new TypeError(
    `${typeof value === "object" ? "a structure" : String(value)} is not a value of type "${type.code}"`,
  );
