import { describe, expect, test } from "vitest";
import type { PayloadCodec } from "../../../agent/codec/payload-codec.js";
import type { Scalar } from "../../../agent/codec/scalar.js";
import { resolveRecords, type SenmlRecord } from "../../../agent/codec/senml.js";
import { decodeSenmlCbor, encodeSenmlCbor, senmlCbor } from "../../../agent/codec/senml-cbor.js";
import { decodeSenmlJson, encodeSenmlJson, senmlJson } from "../../../agent/codec/senml-json.js";
import type { ObjectDefinition } from "../../../agent/model/definition.js";
import { DecodeError, RequestError } from "../../../agent/model/errors.js";
import { MAX_ID, type Path } from "../../../agent/model/path.js";
import type { ObjectContent } from "../../../agent/model/value.js";
import { Device, Portfolio, Server, Types } from "./definitions.js";
import { fromHex, toHex } from "./hex.js";
import {
  foreignSenmlCborVectors,
  foreignSenmlJsonVectors,
  senmlCborVectors,
  senmlJsonVectors,
  type Vector,
} from "./vectors.js";

const utf8 = {
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
};

const formats: readonly [string, PayloadCodec, readonly Vector[], readonly Vector[]][] = [
  ["JSON", senmlJson, senmlJsonVectors, foreignSenmlJsonVectors],
  ["CBOR", senmlCbor, senmlCborVectors, foreignSenmlCborVectors],
];
describe.each(formats)("SenML %s", (_, codec, vectors, foreign) => {
  test.each(vectors)("$name is written as the specification prints it", (vector) => {
    const { definition, target, content, payload } = vector;
    expect(toHex(codec.encode(definition, target, content))).toBe(toHex(payload));
  });
  test.each([...vectors, ...foreign])("$name is read", ({ definition, target, content, payload }) => {
    expect(codec.decode(definition, target, payload)).toEqual(content);
  });
});

const int = (value: number | bigint): Scalar => ({ kind: "integer", value });
const float = (value: number): Scalar => ({ kind: "float", value });

/** Records of LwM2M Core 1.1 §7.4, ETS 257, ETS 322 and RFC 8428 that are no content of one Object. */
const recordVectors: readonly {
  name: string;
  records: readonly SenmlRecord[];
  json: string;
  cbor: string;
}[] = [
  {
    name: "a Read-Composite",
    records: [{ name: "/3/0/0" }, { name: "/3/0/9" }, { name: "/1/0/1" }],
    json: '[{"n":"/3/0/0"},{"n":"/3/0/9"},{"n":"/1/0/1"}]',
    cbor: "83a100662f332f302f30a100662f332f302f39a100662f312f302f31",
  },
  {
    name: "a Read of everything",
    records: [{ name: "/" }],
    json: '[{"n":"/"}]',
    cbor: "81a100612f",
  },
  {
    name: "a Write-Composite",
    records: [
      { baseName: "/", name: "1/0/2", value: int(101) },
      { name: "1/0/6", value: { kind: "boolean", value: true } },
      { name: "3/0/13", value: int(0) },
    ],
    json: '[{"bn":"/","n":"1/0/2","v":101},{"n":"1/0/6","vb":true},{"n":"3/0/13","v":0}]',
    cbor: "83a321612f0065312f302f32021865a20065312f302f3604f5a20066332f302f31330200",
  },
  {
    name: "a removed Resource Instance",
    records: [{ name: "/34/0/1/0", value: { kind: "null", value: null } }],
    json: '[{"n":"/34/0/1/0","v":null}]',
    cbor: "81a200692f33342f302f312f3002f6",
  },
  {
    name: "two samples of a float",
    records: [
      { baseName: "/3303/0/5700", baseTime: 1700000000, value: float(22.5) },
      { time: 10, value: float(23) },
    ],
    json: '[{"bn":"/3303/0/5700","bt":1700000000,"v":22.5},{"t":10,"v":23}]',
    cbor: "82a3216c2f333330332f302f35373030221a6553f10002fb4036800000000000a2060a02fb4037000000000000",
  },
];

/** On arrival 23.0 is 23. */
const arrived = (records: readonly SenmlRecord[]): readonly SenmlRecord[] =>
  records.map((record) =>
    record.value?.kind === "float" && Number.isInteger(record.value.value)
      ? { ...record, value: int(record.value.value) }
      : record,
  );

describe.each(recordVectors)("the records of $name", ({ records, json, cbor }) => {
  test("are written and read as JSON", () => {
    expect(utf8.decode(encodeSenmlJson(records))).toBe(json);
    expect(decodeSenmlJson(utf8.encode(json))).toEqual(arrived(records));
  });
  test("are written and read as CBOR", () => {
    expect(toHex(encodeSenmlCbor(records))).toBe(cbor);
    expect(decodeSenmlCbor(fromHex(cbor))).toEqual(arrived(records));
  });
});

describe("base values", () => {
  test("persist until they are replaced, and times add up", () => {
    expect(
      resolveRecords([
        { baseName: "/3/0/", name: "9" },
        { name: "10", time: -5 },
        { baseName: "/1/0/1", baseTime: 1700000000 },
        { time: 2 },
      ]),
    ).toEqual([
      { path: [3, 0, 9], time: undefined, value: undefined },
      { path: [3, 0, 10], time: -5, value: undefined },
      { path: [1, 0, 1], time: 1700000000, value: undefined },
      { path: [1, 0, 1], time: 1700000002, value: undefined },
    ]);
  });

  test("Leshan's base time as a decimal fraction is read", () => {
    expect(decodeSenmlCbor(fromHex("81a2 22c482001a6553f100 02 00"))).toEqual([
      { baseTime: 1700000000, value: int(0) },
    ]);
  });

  test.each(["", "3/0/9", "/3/0/", "//3", "/3/0/09", "/3/0/65535", "/1/2/3/4/5", "/a"])(
    'the name "%s" is no path',
    (name) => {
      expect(() => resolveRecords([{ name }])).toThrow(DecodeError);
    },
  );
});

const readJson = (json: string, target: Path = [3, 0], definition: ObjectDefinition = Device) =>
  senmlJson.decode(definition, target, utf8.encode(json));

describe("a payload", () => {
  test("of several instances names them", () => {
    const content: ObjectContent = new Map([
      [0, new Map([[1, 60]])],
      [2, new Map([[1, 70]])],
    ]);
    const json = '[{"bn":"/1/","n":"0/1","v":60},{"n":"2/1","v":70}]';
    expect(utf8.decode(senmlJson.encode(Server, [1], content))).toBe(json);
    expect(senmlJson.decode(Server, [1], utf8.encode(json))).toEqual(content);
  });

  test("of a Resource Instance has its path as base name", () => {
    const content: ObjectContent = new Map([[0, new Map([[7, new Map([[1, 5000]])]])]]);
    expect(utf8.decode(senmlJson.encode(Device, [3, 0, 7, 1], content))).toBe('[{"bn":"/3/0/7/1","v":5000}]');
  });

  test("lists identifiers in ascending order, whatever the order of the maps", () => {
    const content: ObjectContent = new Map([
      [
        0,
        new Map<number, number | ReadonlyMap<number, number>>([
          [10, 15],
          [9, 100],
          [
            7,
            new Map([
              [2, 1],
              [0, 2],
            ]),
          ],
        ]),
      ],
    ]);
    expect(utf8.decode(senmlJson.encode(Device, [3, 0], content))).toBe(
      '[{"bn":"/3/0/","n":"7/0","v":2},{"n":"7/2","v":1},{"n":"9","v":100},{"n":"10","v":15}]',
    );
  });

  test("for a Create may leave the instance out of its names", () => {
    const content: ObjectContent = new Map([[MAX_ID, new Map([[3, 1]])]]);
    expect(utf8.decode(senmlJson.encode(Portfolio, [16], content))).toBe('[{"bn":"/16/","n":"3","v":1}]');
    expect(senmlJson.decode(Portfolio, [16], utf8.encode('[{"n":"/16/3","v":1}]'))).toEqual(content);
    expect(senmlJson.decode(Portfolio, [16], utf8.encode('[{"bn":"/16/","n":"0/3","v":1}]'))).toEqual(
      new Map([[0, new Map([[3, 1]])]]),
    );
  });

  test("cannot name Resource Instances of an instance without ID", () => {
    const content: ObjectContent = new Map([[MAX_ID, new Map([[0, new Map([[0, "x"]])]])]]);
    expect(() => senmlJson.encode(Portfolio, [16], content)).toThrow(
      expect.objectContaining({ code: "4.06" }),
    );
  });

  test("may be empty for an instance and for Resource Instances, not for a value", () => {
    expect(readJson("[]")).toEqual(new Map([[0, new Map()]]));
    expect(readJson("[]", [3, 0, 6])).toEqual(new Map([[0, new Map([[6, new Map()]])]]));
    expect(() => readJson("[]", [3, 0, 9])).toThrow(DecodeError);
    expect(() => readJson("[]", [3, 0, 6, 0])).toThrow(DecodeError);
  });

  test("may carry times, units and unknown fields, which a Write ignores", () => {
    const json = '[{"bn":"/3/0/","bt":1,"bu":"%","bver":10,"n":"9","t":-2,"u":"%","ut":3,"x":[{}],"v":7}]';
    expect(readJson(json)).toEqual(new Map([[0, new Map([[9, 7]])]]));
  });

  test("may carry unknown Resources beside known ones", () => {
    expect(readJson('[{"bn":"/3/0/","n":"99","vs":"x"},{"n":"98/1","vb":true},{"n":"9","v":7}]')).toEqual(
      new Map([[0, new Map([[9, 7]])]]),
    );
  });

  test("tells of an Object Instance of which we know no Resource", () => {
    expect(readJson('[{"n":"/1/7/99","vs":"x"}]', [1], Server)).toEqual(new Map([[7, new Map()]]));
  });

  test("may leave out white space or have plenty", () => {
    expect(readJson(' [ {\n"bn" : "/3/0/9" ,\t"v" : 7 } ]\r\n', [3, 0, 9])).toEqual(
      new Map([[0, new Map([[9, 7]])]]),
    );
  });

  test("carries integers of 64 bits exactly", () => {
    const read = (json: string, target: Path) => senmlJson.decode(Types, target, utf8.encode(json));
    expect(read('[{"n":"/42800/0/1","v":-9223372036854775808}]', [42800, 0, 1])).toEqual(
      new Map([[0, new Map([[1, -(2n ** 63n)]])]]),
    );
    expect(read('[{"n":"/42800/0/2","v":18446744073709551615}]', [42800, 0, 2])).toEqual(
      new Map([[0, new Map([[2, 2n ** 64n - 1n]])]]),
    );
    expect(read('[{"n":"/42800/0/1","v":9007199254740993}]', [42800, 0, 1])).toEqual(
      new Map([[0, new Map([[1, 9007199254740993n]])]]),
    );
  });

  test("may give an integer a fraction of zero, and a time any fraction, which is cut off", () => {
    expect(readJson('[{"n":"/3/0/9","v":5.0}]', [3, 0, 9])).toEqual(new Map([[0, new Map([[9, 5]])]]));
    expect(readJson('[{"n":"/3/0/13","v":-1.9}]', [3, 0, 13])).toEqual(new Map([[0, new Map([[13, -1]])]]));
  });
});

describe("what is refused", () => {
  test.each([
    ["no array", '{"n":"/3/0/9","v":1}'],
    ["a record that is no object", "[1]"],
    ["a record without value", '[{"n":"/3/0/9"}]'],
    ["a record with two values", '[{"n":"/3/0/9","v":1,"vs":"1"}]'],
    ["a value of null", '[{"n":"/3/0/9","v":null}]'],
    ["a value of another type", '[{"n":"/3/0/9","vs":"1"}]'],
    ["a field of the wrong type", '[{"n":"/3/0/9","v":"1"}]'],
    ["a name that is no text", '[{"n":9,"v":1}]'],
    ["a time that is no number", '[{"n":"/3/0/9","t":"1","v":1}]'],
    ["a fraction for an integer", '[{"n":"/3/0/9","v":1.5}]'],
    ["a value out of range", '[{"n":"/3/0/9","v":101}]'],
    ["a number that overflows", '[{"n":"/3/0/13","v":1e999}]'],
    ["a name twice", '[{"bn":"/3/0/9","v":1},{"v":1}]'],
    ["a name outside the target", '[{"n":"/3/1/9","v":1}]'],
    ["a name above the target", '[{"n":"/3/0","v":1}]'],
    ["a Resource with Resource Instances by itself", '[{"n":"/3/0/6","v":1}]'],
    ["a Resource Instance of a single value", '[{"n":"/3/0/9/0","v":1}]'],
    ["a value of an executable Resource", '[{"n":"/3/0/4","v":1}]'],
    ["a field that must be understood", '[{"n":"/3/0/9","v":1,"x_":1}]'],
    ["a later version", '[{"bver":11,"n":"/3/0/9","v":1}]'],
    ["a base value", '[{"bv":1,"n":"/3/0/9","v":1}]'],
    ["a sum", '[{"n":"/3/0/9","s":1}]'],
    ["bytes that are not Base64", '[{"n":"/3/0/9","vd":"%"}]'],
    ["nothing", ""],
  ])("%s", (_, json) => {
    expect(() => readJson(json)).toThrow(DecodeError);
  });

  test("names with and without instance side by side", () => {
    const json = '[{"n":"/16/3","v":1},{"n":"/16/0/3","v":1}]';
    expect(() => senmlJson.decode(Portfolio, [16], utf8.encode(json))).toThrow(DecodeError);
  });

  test.each([
    ["an unknown text label that must be understood", "81a3 00662f332f302f39 0201 62785f 01"],
    ["a label twice", "81a3 00662f332f302f39 0201 0201"],
    ["a label twice, in two lengths", "81a3 00662f332f302f39 0201 180201"],
    ["an array as a value", "81a2 00662f332f302f39 0280"],
    ["no record", "8101"],
  ])("in CBOR: %s", (_, hex) => {
    expect(() => senmlCbor.decode(Device, [3, 0], fromHex(hex))).toThrow(DecodeError);
  });

  test("a float that JSON does not have is not acceptable", () => {
    const content: ObjectContent = new Map([[0, new Map([[3, Number.NaN]])]]);
    expect(() => senmlJson.encode(Types, [42800, 0, 3], content)).toThrow(RequestError);
    expect(toHex(senmlCbor.encode(Types, [42800, 0, 3], content))).toMatch(/02fb7ff8000000000000$/);
  });
});

test("in CBOR the text label of a numbered field is an unknown field", () => {
  expect(senmlCbor.decode(Device, [3, 0], fromHex("81a3 00662f332f302f39 0207 617608"))).toEqual(
    new Map([[0, new Map([[9, 7]])]]),
  );
});
