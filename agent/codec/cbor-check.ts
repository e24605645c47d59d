import { DecodeError } from "../model/errors.js";
import { CborWriter, major } from "./cbor-writer.js";
import { decodeUtf8 } from "./utf8.js";

/** Deeper than any payload of LwM2M. */
const MAXIMUM_DEPTH = 8;
/** Thousands of records fit, and what is built from the items stays in proportion. */
const MAXIMUM_ITEMS = 65_536;

const tags = { date: 0, epoch: 1, decimalFraction: 4 } as const;
const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/**
 * Examines the CBOR of a stranger before `cbor-x` builds anything from it, because that library lets equal keys overwrite
 * each other, repairs broken UTF-8, guesses at dates, nests as deep as the stack is and obeys tags for records,
 * references and error objects.
 * One complete item remains, of bounded depth and size, with keys that are integers or text.
 *
 * @returns the same item without what `cbor-x` cannot read: strings in chunks are joined, and the tag of an epoch time,
 *   which fails there on 64-bit integers, is dropped because the Resource's type says as much
 * @throws DecodeError with the offset
 */
export const checkCbor = (payload: Uint8Array): Uint8Array => new CborCheck(payload).run();

interface Head {
  /** Where it begins in the payload. */
  readonly offset: number;
  readonly type: number;
  readonly info: number;
  /** undefined: indefinite length. */
  readonly argument: number | bigint | undefined;
}

interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly by: Uint8Array;
}

const INDEFINITE = 31;
const BREAK = 0xff;

class CborCheck {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** In ascending order, not overlapping. */
  readonly #replacements: Replacement[] = [];
  #offset = 0;
  #items = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): Uint8Array {
    this.#item(0);
    if (this.#offset < this.#bytes.length) throw this.#error("nothing may follow the item");
    return this.#replaced();
  }

  #item(depth: number): void {
    const head = this.#head();
    if (depth > MAXIMUM_DEPTH) throw this.#error("this nests too deep", head);
    switch (head.type) {
      case major.uint:
      case major.negative:
        this.#expect(isInteger(head), head);
        break;
      case major.bytes:
      case major.text:
        this.#string(head);
        break;
      case major.array:
        this.#repeat(head, () => this.#item(depth + 1));
        break;
      case major.map:
        this.#map(head, depth);
        break;
      case major.tag:
        this.#tagged(head);
        break;
      default:
        this.#expect(isFloat(head) || (head.info >= 20 && head.info <= 22), head); // false, true, null
    }
  }

  #map(head: Head, depth: number): void {
    const keys = new Set<string>();
    this.#repeat(head, () => {
      this.#key(keys);
      this.#item(depth + 1);
    });
  }

  #key(seen: Set<string>): void {
    const head = this.#head();
    this.#expect(isInteger(head) || (head.type === major.text && head.argument !== undefined), head);
    const key =
      head.type === major.text ? `"${decodeUtf8(this.#string(head))}` : `${head.type}:${head.argument}`;
    if (seen.has(key)) throw this.#error("this key comes twice", head);
    seen.add(key);
  }

  /** Tags are few (RFC 8949 §3.4): any other would change what its content means. */
  #tagged(tag: Head): void {
    const head = this.#head();
    switch (tag.argument) {
      case tags.date:
        this.#expect(head.type === major.text && head.argument !== undefined, head);
        this.#expect(date.test(decodeUtf8(this.#string(head))), head);
        break;
      case tags.epoch:
        this.#expect(isInteger(head) || isFloat(head), head);
        this.#replacements.push({ start: tag.offset, end: head.offset, by: new Uint8Array() });
        break;
      case tags.decimalFraction:
        this.#expect(head.type === major.array && head.argument === 2, head);
        for (let count = 0; count < 2; count++) {
          const part = this.#head();
          this.#expect(isInteger(part), part);
        }
        break;
      default:
        throw this.#error("this tag has no meaning here", tag);
    }
  }

  #repeat(head: Head, each: () => void): void {
    if (head.argument === undefined) {
      while (!this.#skipBreak()) each();
      return;
    }
    // No item is shorter than a byte; a count beyond that is refused before anyone believes it.
    if (head.argument > this.#remaining) throw this.#error("this is cut off", head);
    for (let count = 0; count < head.argument; count++) each();
  }

  /** @returns its content, sharing memory with the payload unless it came in chunks */
  #string(head: Head): Uint8Array {
    if (head.argument !== undefined) return this.#stringContent(head, head.argument);
    const writer = new CborWriter();
    while (!this.#skipBreak()) {
      const chunk = this.#head();
      this.#expect(chunk.type === head.type && chunk.argument !== undefined, chunk);
      writer.raw(this.#stringContent(chunk, chunk.argument ?? 0));
    }
    const content = writer.finish();
    const whole = new CborWriter();
    whole.head(head.type, content.length);
    whole.raw(content);
    this.#replacements.push({ start: head.offset, end: this.#offset, by: whole.finish() });
    return content;
  }

  #stringContent(head: Head, length: number | bigint): Uint8Array {
    if (length > this.#remaining) throw this.#error("this is cut off", head);
    const start = this.#offset;
    this.#offset += Number(length);
    const content = this.#bytes.subarray(start, this.#offset);
    if (head.type === major.text) decodeUtf8(content, start);
    return content;
  }

  #head(): Head {
    const offset = this.#offset;
    if (++this.#items > MAXIMUM_ITEMS) throw this.#error("these are too many items");
    const first = this.#uint(1);
    const info = Number(first) & 31;
    if (info > 27 && info !== INDEFINITE) throw new DecodeError("this is not CBOR", { offset });
    const argument = info < 24 ? info : info === INDEFINITE ? undefined : this.#uint(2 ** (info - 24));
    return { offset, type: Number(first) >> 5, info, argument };
  }

  #uint(size: number): number | bigint {
    const offset = this.#offset;
    if (size > this.#remaining) throw this.#error("this is cut off");
    this.#offset += size;
    if (size === 1) return this.#view.getUint8(offset);
    if (size === 2) return this.#view.getUint16(offset);
    return size === 4 ? this.#view.getUint32(offset) : this.#view.getBigUint64(offset);
  }

  #skipBreak(): boolean {
    if (this.#bytes[this.#offset] !== BREAK) return false;
    this.#offset += 1;
    return true;
  }

  get #remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #replaced(): Uint8Array {
    const { buffer, byteOffset, length } = this.#bytes;
    // A view of its own even when nothing changes: `cbor-x` leaves a property on the array that it reads.
    if (this.#replacements.length === 0) return new Uint8Array(buffer, byteOffset, length);
    const writer = new CborWriter();
    let copied = 0;
    for (const { start, end, by } of this.#replacements) {
      writer.raw(this.#bytes.subarray(copied, start));
      writer.raw(by);
      copied = end;
    }
    writer.raw(this.#bytes.subarray(copied));
    return writer.finish();
  }

  #expect(isExpected: boolean, { offset }: Head): void {
    if (!isExpected) throw new DecodeError("this CBOR item has no meaning here", { offset });
  }

  #error(message: string, { offset } = { offset: this.#offset }): DecodeError {
    return new DecodeError(message, { offset });
  }
}

const isInteger = ({ type, argument }: Head) =>
  (type === major.uint || type === major.negative) && argument !== undefined;

const isFloat = ({ type, info }: Head) => type === major.other && info >= 25 && info <= 27;
