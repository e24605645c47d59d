import { describe, expect, test } from "vitest";
import { cbor } from "../../../agent/codec/cbor.js";
import { decodeCbor } from "../../../agent/codec/cbor-item.js";
import { CborWriter } from "../../../agent/codec/cbor-writer.js";
import { DecodeError } from "../../../agent/model/errors.js";
import type { ResourceValue } from "../../../agent/model/value.js";
import { Types } from "./definitions.js";
import { fromHex, toHex } from "./hex.js";

const { string, integer, unsigned, float, boolean, opaque, time, objlnk } = Types.resources;

const encode = ({ id }: { readonly id: number }, value: ResourceValue) =>
  toHex(cbor.encode(Types, [42800, 0, id], new Map([[0, new Map([[id, value]])]])));
const decode = ({ id }: { readonly id: number }, hex: string) =>
  cbor.decode(Types, [42800, 0, id], fromHex(hex)).get(0)?.get(id);

/** LwM2M Core 1.1.1 §7.4 and RFC 8949 appendix A. */
test.each<readonly [string, { readonly id: number }, ResourceValue, string]>([
  ["text", string, "U", "6155"],
  ["an integer", integer, 86400, "1a00015180"],
  ["a negative integer", integer, -49, "3830"],
  ["an integer beyond 32 bits", integer, 1000000000000, "1b000000e8d4a51000"],
  ["the smallest integer", integer, -(2n ** 63n), "3b7fffffffffffffff"],
  ["the largest unsigned", unsigned, 2n ** 64n - 1n, "1bffffffffffffffff"],
  ["true", boolean, true, "f5"],
  ["a float", float, 22.5, "fb4036800000000000"],
  ["a float without fraction", float, 23, "fb4037000000000000"],
  ["bytes", opaque, fromHex("abcdef"), "43abcdef"],
  ["an Object Link", objlnk, { objectId: 10245, objectInstanceId: 1 }, "6731303234353a31"],
  ["a time", time, 1367491215, "1a5182428f"],
])("%s is written and read", (_, resource, value, hex) => {
  expect(encode(resource, value)).toBe(hex);
  expect(decode(resource, hex)).toEqual(value);
});

test.each<readonly [string, { readonly id: number }, string, ResourceValue]>([
  ["a float of 2 bytes", float, "f94da0", 22.5],
  ["a float of 4 bytes", float, "fa41b40000", 22.5],
  ["an integer for a float", float, "17", 23],
  ["a decimal fraction", float, "c48221196ab3", 273.15],
  ["a float without fraction for an integer", integer, "fb4014000000000000", 5],
  ["a small integer in 8 bytes", integer, "1b0000000000000005", 5],
  ["an epoch time", time, "c11a5182428f", 1367491215],
  ["an epoch time in 8 bytes", time, "c11b000000005182428f", 1367491215],
  ["an epoch time with a fraction", time, "c1fb41d452d9e3e00000", 1363896207],
  ["a date", time, "c074323031332d30352d30325431303a34303a31355a", 1367491215],
  ["text in chunks", string, "7f616161626163ff", "abc"],
  ["bytes in chunks", opaque, "5f41ab42cdefff", fromHex("abcdef")],
  ["text in no chunks", string, "7fff", ""],
  ["a link in capital letters", objlnk, "69464646463a46464646", { objectId: 65535, objectInstanceId: 65535 }],
])("%s is read", (_, resource, hex, value) => {
  expect(decode(resource, hex)).toEqual(value);
});

test.each<readonly [string, { readonly id: number }, string]>([
  ["a second item", integer, "0101"],
  ["nothing", integer, ""],
  ["an array", integer, "8101"],
  ["a map", integer, "a10102"],
  ["null", integer, "f6"],
  ["undefined", integer, "f7"],
  ["a simple value", integer, "f0"],
  ["a break", integer, "ff"],
  ["a reserved length", integer, "1c"],
  ["an integer of indefinite length", integer, "1f"],
  ["text for an integer", integer, "6131"],
  ["an integer for text", string, "01"],
  ["an integer for a boolean", boolean, "01"],
  ["text for bytes", opaque, "6161"],
  ["bytes for text", string, "4161"],
  ["text that is not UTF-8", string, "62c328"],
  ["a chunk of text that is not UTF-8", string, "7f61c3 61a9ff"],
  ["a chunk of another type", string, "7f4161ff"],
  ["a chunk in chunks", string, "7f7f6161ffff"],
  ["chunks without end", string, "7f6161"],
  ["an integer beyond 64 bits", integer, "1b8000000000000000"],
  ["a negative unsigned", unsigned, "20"],
  ["a number that is none", integer, "f97e00"],
  ["a float beyond exact integers", integer, "fb4340000000000001"],
  ["an infinite time", time, "f97c00"],
  ["a date that is no date", time, "c074323031332d31332d30325431303a34303a31355a"],
  ["a date in words", time, "c06a4d617920322032303133"],
  ["a tag that has no meaning", integer, "c201"],
  ["a tag that makes an error object", string, "d81b82654572726f726161"],
  ["a tag that defines a record", string, "d9dfff83 19e000 816161 01"],
  ["a decimal fraction of text", float, "c482206131"],
  ["no Object Link", objlnk, "6131"],
])("%s is refused", (_, resource, hex) => {
  expect(() => decode(resource, hex)).toThrow(DecodeError);
});

describe("items", () => {
  test("of indefinite length are read, chunks anywhere", () => {
    const hex = "9f bf 6161 7f 6162 6163 ff 02 5f 4101 ff ff c1 05 c1 06 7f 6164 ff ff";
    expect(decodeCbor(fromHex(hex))).toEqual([
      new Map<unknown, unknown>([
        ["a", "bc"],
        [2, fromHex("01")],
      ]),
      5,
      6,
      "d",
    ]);
  });

  test.each([
    ["an array that announces more than there is", "9b00000000ffffffff"],
    ["a map that announces more than there is", "bb00000000ffffffff"],
    ["text that announces more than there is", "7b00000000ffffffff"],
    ["nine levels of arrays", `${"81".repeat(9)}00`],
    ["arrays without end", "9f".repeat(100_000)],
    ["tags without end", "c1".repeat(100_000)],
    ["more items than any payload has", `9f${"00".repeat(70_000)}ff`],
    ["equal keys", "a201000100"],
    ["a key that is an array", "a18000"],
    ["a key that is a float", "a1f9000000"],
    ["a map that lacks a value", "bf01ff"],
  ])("%s are refused", (_, hex) => {
    expect(() => decodeCbor(fromHex(hex))).toThrow(DecodeError);
  });

  test("the error says where", () => {
    expect(() => decodeCbor(fromHex("8201 62c328"))).toThrow(expect.objectContaining({ offset: 3 }));
    expect(() => decodeCbor(fromHex("8201 f7"))).toThrow(expect.objectContaining({ offset: 2 }));
  });

  test("are read without a trace on the payload", () => {
    const payload = fromHex("8101");
    decodeCbor(payload);
    expect(Object.keys(payload)).toEqual(["0", "1"]);
  });

  test("longer than the writer's first memory are written whole", () => {
    const writer = new CborWriter();
    writer.array(2);
    writer.text("x".repeat(1000));
    writer.bytes(new Uint8Array(100_000).fill(7));
    expect(decodeCbor(writer.finish())).toEqual([
      "x".repeat(1000),
      expect.objectContaining({ length: 100_000 }),
    ]);
  });
});
