import { describe, expect, test } from "vitest";
import { lwm2mCbor } from "../../../agent/codec/lwm2m-cbor.js";
import type { ObjectDefinition } from "../../../agent/model/definition.js";
import { DecodeError } from "../../../agent/model/errors.js";
import type { Path } from "../../../agent/model/path.js";
import type { ObjectContent, ResourceContent } from "../../../agent/model/value.js";
import { AccessControl, Device, Server, Temperature, Types } from "./definitions.js";
import { fromHex, toHex } from "./hex.js";

const instances = (
  ...all: readonly (readonly [number, readonly (readonly [number, ResourceContent])[]])[]
): ObjectContent => new Map(all.map(([id, resources]) => [id, new Map(resources)]));
const account = (shortServerId: number, minimumPeriod: number, storing: boolean) =>
  [
    [0, shortServerId],
    [1, 86400],
    [2, minimumPeriod],
    [3, 6000],
    [5, 86400],
    [6, storing],
    [7, "U"],
  ] as const;
const rights = [
  [0, 5],
  [1, 0],
  [2, new Map([[102, 0]])],
  [3, 101],
] as const;

/** LwM2M Core 1.2 §7.4.6. */
const vectors: readonly {
  name: string;
  definition: ObjectDefinition;
  target: Path;
  content: ObjectContent;
  hex: string;
}[] = [
  {
    name: "a single Resource",
    definition: Device,
    target: [3, 0, 0],
    content: instances([0, [[0, "Open Mobile Alliance"]]]),
    hex: "a183030000744f70656e204d6f62696c6520416c6c69616e6365",
  },
  {
    name: "an array of Resource Instances",
    definition: Device,
    target: [3, 0, 6],
    content: instances([0, [[6, new Map([0, 1].map((id) => [id, id === 0 ? 1 : 5]))]]]),
    hex: "a183030006a200010105",
  },
  {
    name: "an Object with two Object Instances",
    definition: Server,
    target: [1],
    content: instances([0, account(101, 300, true)], [1, account(102, 600, false)]),
    hex:
      "a101a200a7001865011a000151800219012c03191770051a0001518006f507615501" +
      "a7001866011a000151800219025803191770051a0001518006f4076155",
  },
  {
    name: "a Create with the ID of the Object Instance",
    definition: AccessControl,
    target: [2],
    content: instances([5, rights]),
    hex: "a1820205a4000501008202186600031865",
  },
  {
    name: "a Create without",
    definition: AccessControl,
    target: [2],
    content: instances([65535, rights]),
    hex: "a1820219ffffa4000501008202186600031865",
  },
  {
    name: "a boolean",
    definition: Server,
    target: [1, 0, 6],
    content: instances([0, [[6, true]]]),
    hex: "a183010006f5",
  },
  {
    name: "a float",
    definition: Temperature,
    target: [3303, 0, 5700],
    content: instances([0, [[5700, 22.5]]]),
    hex: "a183190ce700191644fb4036800000000000",
  },
  {
    name: "an Object Link",
    definition: Device,
    target: [3, 0, 22],
    content: instances([0, [[22, new Map([[0, { objectId: 16, objectInstanceId: 0 }]])]]]),
    hex: "a183030016a1006431363a30",
  },
];

test.each(vectors)("$name is written and read", ({ definition, target, content, hex }) => {
  expect(toHex(lwm2mCbor.encode(definition, target, content))).toBe(hex);
  expect(lwm2mCbor.decode(definition, target, fromHex(hex))).toEqual(content);
});

const decode = (definition: ObjectDefinition, target: Path, hex: string) =>
  lwm2mCbor.decode(definition, target, fromHex(hex));

describe("read, although written otherwise:", () => {
  const manufacturer = instances([0, [[0, "x"]]]);
  test.each<readonly [string, Path, string]>([
    ["a map for each level", [3, 0, 0], "a103a100a1006178"],
    ["indefinite maps and arrays", [3, 0], "bf 9f 03 00 ff bf 00 6178 ff ff"],
    ["keys relative to the Object Instance", [3, 0], "a1 00 6178"],
    ["keys relative to the Object", [3], "a1 820000 6178"],
    ["identifiers longer than they need to be", [3, 0, 0], "a1 83 1803 190000 1a00000000 6178"],
  ])("%s", (_, target, hex) => {
    expect(decode(Device, target, hex)).toEqual(manufacturer);
  });

  test("Resource Instances relative to their Resource", () => {
    expect(decode(Device, [3, 0, 6], "a2 0001 0105")).toEqual(
      instances([0, [[6, new Map([0, 1].map((id) => [id, id === 0 ? 1 : 5]))]]]),
    );
  });

  test("a relative path that looks like the beginning of an absolute one", () => {
    expect(decode(Device, [3, 0], "a1 03 6131")).toEqual(instances([0, [[3, "1"]]]));
    expect(decode(AccessControl, [2], "a1 02 a1 00 05")).toEqual(instances([2, [[0, 5]]]));
  });

  test("nothing at all", () => {
    expect(decode(Server, [1], "a0")).toEqual(new Map());
    expect(toHex(lwm2mCbor.encode(Server, [1], new Map()))).toBe("a0");
  });

  test("an unknown Resource is skipped", () => {
    expect(decode(Device, [3, 0], "a1820300a2 00 6178 1863 f6")).toEqual(instances([0, [[0, "x"]]]));
  });
});

test.each<readonly [string, ObjectDefinition, Path, string]>([
  ["no map", Device, [3, 0, 9], "05"],
  ["an empty key", Device, [3, 0, 9], "a1 80 05"],
  ["a key of five identifiers", Device, [3, 0, 9], "a1 850300090000 05"],
  ["five levels of maps", Device, [3, 0, 9], "a1 03 a1 00 a1 09 a1 00 a1 00 05"],
  ["an indefinite key without end", Device, [3, 0, 9], `a1 9f${"00".repeat(1000)}`],
  ["a gateway's prefix", Device, [3, 0, 9], "a1 8463643031030009 05"],
  ["a text key", Device, [3, 0, 9], "a1 6133 05"],
  ["a negative identifier", Device, [3, 0, 9], "a1 83200009 05"],
  ["an identifier beyond 16 bits", Device, [3, 0, 9], "a1 83031a0001000009 05"],
  ["an empty map", Device, [3, 0], "a1 820300 a0"],
  ["an empty indefinite map", Device, [3, 0], "a1 820300 bfff"],
  ["a path twice, by one key", Device, [3, 0], "a2 83030009 05 83030009 06"],
  ["a path twice, by two keys", Device, [3, 0], "a2 83030009 05 820300 a1 09 06"],
  ["an array as a value", Device, [3, 0, 9], "a1 83030009 8105"],
  ["null as a value", Device, [3, 0, 9], "a1 83030009 f6"],
  ["a value of another type", Device, [3, 0, 9], "a1 83030009 6135"],
  ["a value out of range", Device, [3, 0, 9], "a1 83030009 1865"],
  ["another Object Instance", Device, [3, 0], "a1 83030109 05"],
  ["absolute and relative paths together", Device, [3, 0], "a2 83030009 05 00 6178"],
  ["a value for an Object Instance", Device, [3], "a1 00 05"],
  ["a Resource Instance of a single value", Device, [3, 0], "a1 8403000900 05"],
  ["a Resource Instance that is reserved", Device, [3, 0, 6], "a1 8403000619ffff 05"],
  ["a Resource that is reserved", Device, [3, 0], "a1 83030019ffff 05"],
  ["an instance without ID beside another", AccessControl, [2], "a2 83020500 05 830219ffff00 05"],
  ["something behind the map", Device, [3, 0, 9], "a1 83030009 05 00"],
  ["a map that is cut off", Device, [3, 0, 9], "a1 83030009"],
  ["a map that lies about its size", Device, [3, 0, 9], "bb7fffffffffffffff 83030009 05"],
  ["nothing", Device, [3, 0, 9], ""],
])("%s is refused", (_, definition, target, hex) => {
  expect(() => decode(definition, target, hex)).toThrow(DecodeError);
});

test("integers of 64 bits are exact", () => {
  const content = instances([0, [[2, 2n ** 64n - 1n]]]);
  expect(toHex(lwm2mCbor.encode(Types, [42800, 0, 2], content))).toBe("a18319a73000021bffffffffffffffff");
  expect(decode(Types, [42800, 0, 2], "a18319a7300002 1bffffffffffffffff")).toEqual(content);
});
