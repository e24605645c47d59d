/**
 * A strict and bounded JSON reader (RFC 8259). `JSON.parse` rounds integers beyond 2^53, lets the last of two equal
 * keys win and says neither where nor how deep; on payloads of strangers we need all four.
 */
import { DecodeError } from "../model/errors.js";
import { parseDecimal } from "./decimal.js";
import { decodeUtf8 } from "./utf8.js";

/** Integers of up to 64 bits are exact: a `bigint` where a `number` could not hold them. */
export type JsonValue = null | boolean | number | bigint | string | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Deeper than any payload of LwM2M. */
const MAXIMUM_DEPTH = 8;

/** @throws DecodeError with the offset in characters */
export function decodeJson(payload: Uint8Array): JsonValue {
  return new JsonReader(decodeUtf8(payload)).readDocument();
}

const whitespace = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literal = /true|false|null/y;
const literals: Readonly<Record<string, JsonValue>> = { true: true, false: false, null: null };
/** All but the quotation mark, the backslash and the control characters (RFC 8259 §7). */
const characters = /[ !#-[\]-\u{10ffff}]*/uy;
const escapeSequence = /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/y;
const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class JsonReader {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readDocument(): JsonValue {
    const value = this.#readValue(0);
    if (this.#offset < this.#text.length) throw this.#error("nothing may follow the value");
    return value;
  }

  /** A value with the white space around it. */
  #readValue(depth: number): JsonValue {
    if (depth > MAXIMUM_DEPTH) throw this.#error("this nests too deep");
    this.#take(whitespace);
    const value = this.#readBare(depth);
    this.#take(whitespace);
    return value;
  }

  #readBare(depth: number): JsonValue {
    switch (this.#text[this.#offset]) {
      case "{":
        return this.#readObject(depth);
      case "[":
        return this.#readArray(depth);
      case '"':
        return this.#readString();
    }
    const word = this.#take(literal)?.[0];
    if (word !== undefined) return literals[word] ?? null;
    return this.#readNumber();
  }

  #readNumber(): number | bigint {
    const offset = this.#offset;
    const digits = this.#take(number)?.[0];
    if (digits === undefined) throw this.#error("a value is expected");
    try {
      return parseDecimal(digits);
    } catch (cause) {
      throw new DecodeError("this number is too large", { offset, cause });
    }
  }

  #readArray(depth: number): JsonArray {
    const array: JsonValue[] = [];
    this.#expect("[");
    this.#take(whitespace);
    if (this.#skip("]")) return array;
    do array.push(this.#readValue(depth + 1));
    while (this.#skip(","));
    this.#expect("]");
    return array;
  }

  #readObject(depth: number): JsonObject {
    const object = new Map<string, JsonValue>();
    this.#expect("{");
    this.#take(whitespace);
    if (this.#skip("}")) return object;
    do {
      this.#take(whitespace);
      const offset = this.#offset;
      const key = this.#readString();
      if (object.has(key)) throw new DecodeError("this key comes twice", { offset });
      this.#take(whitespace);
      this.#expect(":");
      object.set(key, this.#readValue(depth + 1));
    } while (this.#skip(","));
    this.#expect("}");
    return object;
  }

  #readString(): string {
    const offset = this.#offset;
    this.#expect('"');
    let text = "";
    for (;;) {
      text += this.#take(characters)?.[0] ?? "";
      if (this.#skip('"')) break;
      const match = this.#take(escapeSequence);
      if (match === undefined) throw this.#error("this string is cut off or has a forbidden character");
      const [, hexadecimal, character = ""] = match;
      text += hexadecimal
        ? String.fromCharCode(Number.parseInt(hexadecimal, 16))
        : (escapes[character] ?? character);
    }
    // Half of a surrogate pair, which only an escape can bring, is no character.
    if (/\p{Surrogate}/u.test(text)) throw new DecodeError("this string is not Unicode", { offset });
    return text;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match !== undefined) this.#offset = pattern.lastIndex;
    return match;
  }

  #skip(character: string): boolean {
    if (this.#text[this.#offset] !== character) return false;
    this.#offset += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#skip(character)) throw this.#error(`${character} is expected`);
  }

  #error(message: string): DecodeError {
    return new DecodeError(message, { offset: this.#offset });
  }
}
