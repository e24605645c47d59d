import { expect, test } from "vitest";
import { decodeJson, type JsonValue } from "../../../agent/codec/json.js";
import { DecodeError } from "../../../agent/model/errors.js";
import { fromHex } from "./hex.js";

const decode = (text: string) => decodeJson(new TextEncoder().encode(text));

test.each<readonly [string, JsonValue]>([
  ["null", null],
  [" true ", true],
  ["-0.5e1", -5],
  ["9007199254740993", 9007199254740993n],
  ['"\\u00e4\\n\\/\\ud83d\\ude42"', "ä\n/🙂"],
  ["[]", []],
  ["[1,[false]]", [1, [false]]],
  ["{}", new Map()],
  ['{"":{"__proto__":1}}', new Map([["", new Map([["__proto__", 1]])]])],
])("%s", (text, value) => {
  expect(decode(text)).toEqual(value);
});

test.each([
  "",
  " ",
  "nul",
  "truefalse",
  "01",
  "-",
  "1.",
  ".5",
  "+1",
  "1e",
  "0x1",
  "NaN",
  "1e400",
  "[",
  "[1",
  "[1,",
  "[1,]",
  "[,]",
  "{",
  "{a:1}",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  "'a'",
  '"',
  '"\\',
  '"\\x"',
  '"\\u12"',
  '"\t"',
  '"\\ud800"',
  '"a" 1',
  "// x\n1",
  "\ufeff1",
  '{"a":1,"a":1}',
  `1${"0".repeat(500)}`,
  "[".repeat(100_000),
  '{"a":'.repeat(100_000),
])("%.20j is refused", (text) => {
  expect(() => decode(text)).toThrow(DecodeError);
});

test("bytes that are not UTF-8 are refused", () => {
  expect(() => decodeJson(fromHex("22c32822"))).toThrow(DecodeError);
});

test("what JSON.parse reads, unrounded, is the same", () => {
  const text = JSON.stringify({ a: [1, -2.5, 'x\u0001"\\é', true, null], b: { c: [] } });
  const plain = (value: JsonValue): unknown => {
    if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
    return Array.isArray(value) ? value.map(plain) : value;
  };
  expect(plain(decode(text))).toEqual(JSON.parse(text));
});
