/** Our reader and writer of CBOR against `cbor-x`, which knows nothing of us: two of a mind are rarely wrong together. */
import { isDeepStrictEqual } from "node:util";
import { Decoder, Encoder } from "cbor-x";
import { expect, test } from "vitest";
import { CborReader } from "../../../agent/codec/cbor-reader.js";
import { CborWriter } from "../../../agent/codec/cbor-writer.js";
import { DecodeError } from "../../../agent/model/errors.js";
import { createSeededRandom } from "../../simulated/random.js";
import { sample } from "./samples.js";

const options = { useRecords: false, mapsAsObjects: false, tagUint8Array: false } as const;
const [decoder, encoder] = [new Decoder(options), new Encoder(options)];
const random = createSeededRandom(20_260_402);
const rounds = 8000;

/** An item that both sides can write: its values, arrays and maps of those. */
type Item =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Item[]
  | ReadonlyMap<number | string, Item>;

function someItem(depth: number): Item {
  switch (random.integer(depth < 3 ? 9 : 7)) {
    case 0:
      return null;
    case 1:
      return random.integer(2) === 1;
    case 2:
      return random.integer(2 ** 32) - 2 ** 31;
    case 3: {
      const value = sample("integer", random);
      return typeof value === "bigint" ? value : Number(value) >> 0;
    }
    case 4:
      return sample("float", random) as number;
    case 5:
      return sample("string", random) as string;
    case 6:
      return sample("opaque", random) as Uint8Array;
    case 7:
      return Array.from({ length: random.integer(30) }, () => someItem(depth + 1));
    default:
      return new Map(
        Array.from({ length: random.integer(30) }, (_, at) => [
          random.integer(2) === 0 ? at : `${at}`,
          someItem(depth + 1),
        ]),
      );
  }
}

function write(writer: CborWriter, item: Item): void {
  if (item === null) writer.null();
  else if (typeof item === "boolean") writer.boolean(item);
  else if (typeof item === "string") writer.text(item);
  else if (typeof item === "bigint" || Number.isSafeInteger(item)) writer.integer(item as number | bigint);
  else if (typeof item === "number") writer.float(item);
  else if (item instanceof Uint8Array) writer.bytes(item);
  else if (item instanceof Map) {
    writer.map(item.size);
    for (const [key, value] of item as ReadonlyMap<number | string, Item>) {
      write(writer, key);
      write(writer, value);
    }
  } else {
    const items = item as readonly Item[]; // what else is left
    writer.array(items.length);
    for (const each of items) write(writer, each);
  }
}

const ARRAY = 4;
const MAP = 5;

function read(reader: CborReader): Item {
  if (reader.nextType === ARRAY) {
    const items: Item[] = [];
    for (let left = reader.array(); reader.more(left); left--) items.push(read(reader));
    return items;
  }
  if (reader.nextType === MAP) {
    const map = new Map<number | string, Item>();
    for (let left = reader.map(); reader.more(left); left--) {
      const key = read(reader);
      if (typeof key !== "number" && typeof key !== "string") throw new DecodeError("no key of ours");
      map.set(key, read(reader));
    }
    return map;
  }
  const { value } = reader.scalar();
  return value;
}

/** Both make a `bigint` of what no `number` holds; `cbor-x` also of what one does, when it has 8 bytes. */
function normal(item: unknown): unknown {
  if (typeof item === "bigint") return item >= -(2n ** 53n) && item <= 2n ** 53n ? Number(item) : item;
  if (item instanceof Uint8Array) return Uint8Array.from(item);
  if (Array.isArray(item)) return item.map(normal);
  return item instanceof Map ? new Map([...item].map(([key, value]) => [key, normal(value)])) : item;
}

/** Node compares many times as fast as `toEqual`, and as strictly; that one tells the difference. */
function expectSame(actual: unknown, expected: unknown): void {
  const [one, other] = [normal(actual), normal(expected)];
  if (!isDeepStrictEqual(one, other)) expect(one).toEqual(other);
}

test("cbor-x reads what we write", () => {
  for (let round = 0; round < rounds / 4; round++) {
    const item = someItem(0);
    const writer = new CborWriter();
    write(writer, item);
    expectSame(decoder.decode(writer.finish()), item);
  }
});

test("we read what cbor-x writes", () => {
  for (let round = 0; round < rounds / 4; round++) {
    const item = someItem(0);
    const reader = new CborReader(new Uint8Array(encoder.encode(item)));
    expectSame(read(reader), item);
    reader.end();
  }
});

test("what we accept of bytes that nobody wrote, cbor-x reads as the same", () => {
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    const item = someItem(2);
    const payload = new Uint8Array(encoder.encode(item));
    payload[random.integer(payload.length)] = random.integer(256);
    // Chunks, tags, keys of both kinds that are equal, and bytes of text are where that library is lax or short of types.
    const isPlain = !payload.some((byte) => byte >> 5 === 6 || (byte & 31) === 31);
    let ours: Item;
    try {
      const reader = new CborReader(payload);
      ours = read(reader);
      reader.end();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      continue;
    }
    if (!isPlain) continue;
    accepted++;
    expectSame(decoder.decode(payload), ours);
  }
  expect(accepted).toBeGreaterThan(rounds / 10);
});

test("half floats are what cbor-x makes of them, each of the 65,536", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const payload = Uint8Array.of(0xf9, bits >> 8, bits);
    const { value } = new CborReader(payload).scalar();
    if (!Object.is(value, decoder.decode(payload)))
      expect([bits, value]).toEqual([bits, decoder.decode(payload)]);
  }
});
