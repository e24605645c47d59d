import { describe, expect, test } from "vitest";
import { lwm2mJson } from "../../../agent/codec/lwm2m-json.js";
import type { ObjectDefinition } from "../../../agent/model/definition.js";
import { DecodeError, RequestError } from "../../../agent/model/errors.js";
import type { Path } from "../../../agent/model/path.js";
import type { ObjectContent, ResourceContent } from "../../../agent/model/value.js";
import { Device, Portfolio, Server, Types } from "./definitions.js";

const content = (...resources: readonly (readonly [number, ResourceContent])[]): ObjectContent =>
  new Map([[0, new Map(resources)]]);
const link = { objectId: 66, objectInstanceId: 1 };

/** LwM2M Core 1.0 §6.4.4, shortened. */
test.each<readonly [string, ObjectDefinition, Path, ObjectContent, string]>([
  [
    "an Object Instance",
    Device,
    [3, 0],
    content([0, "Open Mobile Alliance"], [6, new Map([[0, 1]])], [9, 100], [16, "U"]),
    '{"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},{"n":"6/0","v":1},{"n":"9","v":100},{"n":"16","sv":"U"}]}',
  ],
  ["a single Resource", Device, [3, 0, 0], content([0, "x"]), '{"bn":"/3/0/0","e":[{"sv":"x"}]}'],
  [
    "a Resource Instance",
    Device,
    [3, 0, 6, 1],
    content([6, new Map([[1, 5]])]),
    '{"bn":"/3/0/6/1","e":[{"v":5}]}',
  ],
  ["an Object", Server, [1], content([6, true]), '{"bn":"/1/","e":[{"n":"0/6","bv":true}]}'],
  ["nothing", Server, [1], new Map(), '{"bn":"/1","e":[]}'],
  [
    "bytes",
    Types,
    [42800, 0, 5],
    content([5, Uint8Array.of(1, 2, 3, 4, 5)]),
    '{"bn":"/42800/0/5","e":[{"sv":"AQIDBAU="}]}',
  ],
  ["a link", Types, [42800, 0, 7], content([7, link]), '{"bn":"/42800/0/7","e":[{"ov":"66:1"}]}'],
  [
    "64 bits",
    Types,
    [42800, 0, 2],
    content([2, 2n ** 64n - 1n]),
    '{"bn":"/42800/0/2","e":[{"v":18446744073709551615}]}',
  ],
  ["a time", Types, [42800, 0, 6], content([6, 1367491215]), '{"bn":"/42800/0/6","e":[{"v":1367491215}]}'],
])("%s is written and read", (_, definition, target, value, json) => {
  expect(new TextDecoder().decode(lwm2mJson.encode(definition, target, value))).toBe(json);
  expect(lwm2mJson.decode(definition, target, new TextEncoder().encode(json))).toEqual(value);
});

const read = (json: string, target: Path = [3, 0], definition: ObjectDefinition = Device) =>
  lwm2mJson.decode(definition, target, new TextEncoder().encode(json));

describe("read, although written otherwise:", () => {
  test.each([
    ["entries by themselves (ETS 220)", '[{"bn":"/3/0/","n":"9","v":5},{"n":"16","sv":"U"}]'],
    ["names below the target", '{"e":[{"n":"9","v":5},{"n":"16","sv":"U"}]}'],
    ["absolute names", '{"e":[{"n":"/3/0/9","v":5},{"n":"/3/0/16","sv":"U"}]}'],
    ["a base name above the target", '{"bn":"/","e":[{"n":"3/0/9","v":5},{"n":"3/0/16","sv":"U"}]}'],
    ["times", '{"bn":"/3/0/","bt":1367491215,"e":[{"n":"9","v":5.0,"t":-5},{"n":"16","sv":"U"}]}'],
    ["unknown fields", '{"bn":"/3/0/","x":{},"e":[{"n":"9","v":5,"u":"%"},{"n":"16","sv":"U"}]}'],
  ])("%s", (_, json) => {
    expect(read(json)).toEqual(content([9, 5], [16, "U"]));
  });

  test("a value without any name", () => {
    expect(read('{"e":[{"v":5}]}', [3, 0, 9])).toEqual(content([9, 5]));
  });

  test("a Create that leaves the Object Instance to us", () => {
    expect(read('{"bn":"/16/","e":[{"n":"3","v":1}]}', [16], Portfolio)).toEqual(
      new Map([[65535, new Map([[3, 1]])]]),
    );
  });
});

test.each([
  ["no document", "1"],
  ["an object without entries", '{"bn":"/3/0/9"}'],
  ["entries that are no array", '{"bn":"/3/0/9","e":{}}'],
  ["an entry that is no object", '{"e":[1]}'],
  ["an entry without value", '{"e":[{"n":"9"}]}'],
  ["an entry with two values", '{"e":[{"n":"9","v":1,"sv":"1"}]}'],
  ["null", '{"e":[{"n":"9","v":null}]}'],
  ["a value of another type", '{"e":[{"n":"9","sv":"1"}]}'],
  ["a field of the wrong type", '{"e":[{"n":"9","v":"1"}]}'],
  ["a fraction for an integer", '{"e":[{"n":"9","v":1.5}]}'],
  ["a value out of range", '{"e":[{"n":"9","v":101}]}'],
  ["a name that is no text", '{"e":[{"n":9,"v":1}]}'],
  ["a base name that is no text", '{"bn":3,"e":[{"n":"9","v":1}]}'],
  ["a time that is no number", '{"bt":"now","e":[{"n":"9","v":1}]}'],
  ["a name twice", '{"e":[{"n":"9","v":1},{"n":"/3/0/9","v":1}]}'],
  ["a name outside the target", '{"e":[{"n":"/3/1/9","v":1}]}'],
  ["a number that overflows", '{"e":[{"n":"13","v":1e999}]}'],
])("%s is refused", (_, json) => {
  expect(() => read(json)).toThrow(DecodeError);
});

test("bytes that are not Base64 are refused", () => {
  expect(() => read('{"e":[{"sv":"%"}]}', [42800, 0, 5], Types)).toThrow(DecodeError);
});

test("a float that JSON does not have is not acceptable", () => {
  expect(() => lwm2mJson.encode(Types, [42800, 0, 3], content([3, Number.NaN]))).toThrow(RequestError);
});
