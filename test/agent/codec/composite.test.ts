import { describe, expect, test } from "vitest";
import { type CompositeCodec, compositeCodec, type Definitions } from "../../../agent/codec/composite.js";
import type { ObjectDefinition } from "../../../agent/model/definition.js";
import { DecodeError, RequestError } from "../../../agent/model/errors.js";
import type { InstanceContent, TimedContent, TreeContent } from "../../../agent/model/value.js";
import { Device, Portfolio, Server, Temperature } from "./definitions.js";
import { fromHex, toHex } from "./hex.js";

const known: readonly ObjectDefinition[] = [Device, Server, Portfolio, Temperature];
const definitions: Definitions = (objectId) => known.find(({ id }) => id === objectId);

const utf8 = {
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes),
};

function codec(contentFormat: number): CompositeCodec {
  const found = compositeCodec(contentFormat);
  if (found === undefined) throw new TypeError(`no codec for ${contentFormat}`);
  return found;
}

const paths = (contentFormat: number, payload: Uint8Array) => codec(contentFormat).decodePaths?.(payload);
const write = (contentFormat: number, payload: Uint8Array) =>
  codec(contentFormat).decodeContent?.(definitions, payload);

const tree = (...objects: readonly (readonly [number, readonly (readonly [number, InstanceContent])[]])[]) =>
  new Map(objects.map(([id, instances]) => [id, new Map(instances)])) satisfies TreeContent;

test.each([
  [110, ["decodePaths", "decodeContent", "encode", "encodeTimed"]],
  [112, ["decodePaths", "decodeContent", "encode", "encodeTimed"]],
  [320, ["decodePaths", "decodeContent"]],
  [322, ["decodePaths", "decodeContent"]],
  [11544, ["decodeContent", "encode"]],
])("%i can do what LwM2M uses it for", (contentFormat, abilities) => {
  const found = Object.keys(codec(contentFormat)).filter((key) => key !== "contentFormat");
  expect(found.sort()).toEqual(abilities.sort());
});

test("other formats carry nothing composite", () => {
  for (const contentFormat of [0, 40, 42, 60, 1543, 11542, 11543]) {
    expect(compositeCodec(contentFormat)).toBeUndefined();
  }
});

describe("a Read-Composite", () => {
  const wanted = [
    [3, 0, 0],
    [3, 0, 9],
    [1, 0, 1],
  ];
  const json = '[{"n":"/3/0/0"},{"n":"/3/0/9"},{"n":"/1/0/1"}]';
  const cbor = "83a100662f332f302f30a100662f332f302f39a100662f312f302f31";

  test.each([110, 320])("in %i names its paths", (contentFormat) => {
    expect(paths(contentFormat, utf8.encode(json))).toEqual(wanted);
    expect(paths(contentFormat, utf8.encode('[{"n":"/"}]'))).toEqual([[]]);
    const withTime = '[{"bn":"/3/0/","n":"0","bt":5,"bu":"V"},{"n":"9","u":"%","t":-3},{"bn":"/1/0/1"}]';
    expect(paths(contentFormat, utf8.encode(withTime))).toEqual(wanted);
  });

  test.each([112, 322])("in %i names its paths", (contentFormat) => {
    expect(paths(contentFormat, fromHex(cbor))).toEqual(wanted);
    expect(paths(contentFormat, fromHex("81a100612f"))).toEqual([[]]);
  });

  test.each([110, 320])("in %i may name any level, and one path twice", (contentFormat) => {
    const payload = '[{"n":"/3"},{"n":"/1/0"},{"n":"/3/0/6/1"},{"n":"/3"}]';
    expect(paths(contentFormat, utf8.encode(payload))).toEqual([[3], [1, 0], [3, 0, 6, 1]]);
  });

  test.each([110, 320])("in %i has no values", (contentFormat) => {
    expect(() => paths(contentFormat, utf8.encode('[{"n":"/3/0/0","v":1}]'))).toThrow(DecodeError);
    expect(() => paths(contentFormat, utf8.encode('[{"n":"/3/0/0","v":null}]'))).toThrow(DecodeError);
    expect(() => paths(contentFormat, utf8.encode('[{"n":"3/0/0"}]'))).toThrow(DecodeError);
  });

  test.each(['"s":1', '"ut":5', '"bver":10', '"bv":1', '"x":1'])("a Fetch Pack has no field %s", (field) => {
    expect(() => paths(320, utf8.encode(`[{"n":"/3/0/0",${field}}]`))).toThrow(DecodeError);
  });

  test.each(["0700", "0501", "200a", "1863 01", "617801"])("nor in CBOR the field %s", (field) => {
    expect(() => paths(322, fromHex(`81a200662f332f302f30${field}`))).toThrow(DecodeError);
  });

  test("in a plain pack unknown fields are passed over", () => {
    expect(paths(110, utf8.encode('[{"n":"/3/0/0","ut":5,"x":1,"bver":10}]'))).toEqual([[3, 0, 0]]);
    expect(paths(112, fromHex("81a2 00662f332f302f30 1863 820102"))).toEqual([[3, 0, 0]]);
  });
});

describe("a Write-Composite", () => {
  const content = tree(
    [
      1,
      [
        [
          0,
          new Map<number, number | boolean>([
            [2, 101],
            [6, true],
          ]),
        ],
      ],
    ],
    [3, [[0, new Map([[13, 0]])]]],
  );
  /** ETS 257. */
  const json = '[{"bn":"/","n":"1/0/2","v":101},{"n":"1/0/6","vb":true},{"n":"3/0/13","v":0}]';
  const cbor = "83a321612f0065312f302f32021865a20065312f302f3604f5a20066332f302f31330200";

  test("is read in each format", () => {
    for (const contentFormat of [110, 320]) {
      expect(write(contentFormat, utf8.encode(json))).toEqual({ content, removals: [], unknown: [] });
    }
    for (const contentFormat of [112, 322]) {
      expect(write(contentFormat, fromHex(cbor))).toEqual({ content, removals: [], unknown: [] });
    }
    expect(write(11544, fromHex("a2 820100 a2 021865 06f5 8303000d 00"))).toEqual({
      content,
      removals: [],
      unknown: [],
    });
  });

  test("has Resource Instances in a map of their own", () => {
    const text = '[{"bn":"/16/0/0/","n":"0","vs":"a"},{"n":"7","vs":"b"}]';
    const several = tree([
      16,
      [[0, new Map([[0, new Map([0, 7].map((id) => [id, id === 0 ? "a" : "b"]))]])]],
    ]);
    expect(write(110, utf8.encode(text))?.content).toEqual(several);
    expect(write(11544, fromHex("a1 83100000 a2 006161 076162"))?.content).toEqual(several);
  });

  test("tells of Resources that nobody defines", () => {
    const text = '[{"n":"/3/0/9","v":1},{"n":"/3/0/77","vs":"x"},{"n":"/3/0/78/1","v":null}]';
    expect(write(320, utf8.encode(text))).toEqual({
      content: tree([3, [[0, new Map([[9, 1]])]]]),
      removals: [],
      unknown: [
        [3, 0, 77],
        [3, 0, 78],
      ],
    });
  });

  test.each([110, 320])(
    "in %i is refused for an Object or a Resource that cannot be written",
    (contentFormat) => {
      const code = (text: string) => {
        try {
          return write(contentFormat, utf8.encode(text));
        } catch (error) {
          return error instanceof RequestError ? error.code : error;
        }
      };
      expect(code('[{"n":"/3/0/9","v":1},{"n":"/77/0/1","v":1}]')).toBe("4.04");
      expect(code('[{"n":"/3/0/4","v":1}]')).toBe("4.05");
    },
  );

  test.each([
    ["no value", '[{"n":"/3/0/9"}]'],
    ["a value of another type", '[{"n":"/3/0/9","vs":"1"}]'],
    ["a value out of range", '[{"n":"/3/0/9","v":101}]'],
    ["a value for everything", '[{"n":"/","v":1}]'],
    ["a value for an Object Instance", '[{"n":"/3/0","v":1}]'],
    ["a value for a multiple-instance Resource", '[{"n":"/3/0/6","v":1}]'],
    ["a Resource Instance of a single value", '[{"n":"/3/0/9/0","v":1}]'],
    ["a name of five levels", '[{"n":"/3/0/6/0/0","v":1}]'],
  ])("%s is refused", (_, text) => {
    expect(() => write(110, utf8.encode(text))).toThrow(DecodeError);
    expect(() => write(320, utf8.encode(text))).toThrow(DecodeError);
  });

  test("names nothing twice, and null is no value, unless it is a Patch Pack", () => {
    expect(() => write(110, utf8.encode('[{"n":"/3/0/9","v":1},{"n":"/3/0/9","v":2}]'))).toThrow(DecodeError);
    expect(() => write(110, utf8.encode('[{"n":"/16/0/0/1","v":null}]'))).toThrow(DecodeError);
    expect(() => write(112, fromHex("81a200692f31362f302f302f3102f6"))).toThrow(DecodeError);
    expect(() => write(11544, fromHex("a1 8410000001 f6"))).toThrow(DecodeError);
  });

  test.each(["a1 831019ffff00 00", "a1 831000 19ffff 6178", "a1 84100000 19ffff 6178"])(
    "LwM2M CBOR with the reserved identifier is refused: %s",
    (hex) => {
      expect(() => write(11544, fromHex(hex))).toThrow(DecodeError);
    },
  );
});

describe("a Patch Pack", () => {
  test("removes Resource Instances (LwM2M Core 1.2 §7.4.4)", () => {
    const removed = { content: new Map(), removals: [[16, 0, 0, 1]], unknown: [] };
    expect(write(320, utf8.encode('[{"n":"/16/0/0/1","v":null}]'))).toEqual(removed);
    expect(write(322, fromHex("81a200692f31362f302f302f3102f6"))).toEqual(removed);
  });

  test("removes nothing else", () => {
    for (const name of ["/3/0/9", "/3/0", "/3/0/9/0"]) {
      expect(() => write(320, utf8.encode(`[{"n":"${name}","v":null}]`))).toThrow(DecodeError);
    }
  });

  test("applies in its order", () => {
    const written = '{"n":"/16/0/0/1","vs":"a"}';
    const removed = '{"n":"/16/0/0/1","v":null}';
    expect(write(320, utf8.encode(`[${written},${removed}]`))).toEqual({
      content: new Map(),
      removals: [[16, 0, 0, 1]],
      unknown: [],
    });
    expect(write(320, utf8.encode(`[${removed},${written}]`))).toEqual({
      content: tree([16, [[0, new Map([[0, new Map([[1, "a"]])]])]]]),
      removals: [],
      unknown: [],
    });
  });
});

describe("the answer to a Read-Composite", () => {
  const content: TreeContent = tree(
    [
      3,
      [
        [
          0,
          new Map<number, string | number>([
            [9, 100],
            [0, "Open Mobile Alliance"],
          ]),
        ],
      ],
    ],
    [1, [[0, new Map([[1, 86400]])]]],
  );

  test("lists absolute names in ascending order", () => {
    expect(utf8.decode(codec(110).encode?.(definitions, content))).toBe(
      '[{"n":"/1/0/1","v":86400},{"n":"/3/0/0","vs":"Open Mobile Alliance"},{"n":"/3/0/9","v":100}]',
    );
    expect(toHex(codec(112).encode?.(definitions, content) ?? fromHex(""))).toBe(
      "83a200662f312f302f31021a00015180a200662f332f302f3003744f70656e204d6f62696c6520416c6c69616e6365" +
        "a200662f332f302f39021864",
    );
  });

  test("joins the keys of LwM2M CBOR that lead to one thing", () => {
    expect(toHex(codec(11544).encode?.(definitions, content) ?? fromHex(""))).toBe(
      "a2" + "830100011a00015180" + "820300a200744f70656e204d6f62696c6520416c6c69616e6365091864",
    );
    // LwM2M Core 1.2 §7.4.6 prints the same with the Objects the other way round.
    const printed = "a2820300a200744f70656e204d6f62696c6520416c6c69616e6365091864830100011a00015180";
    expect(write(11544, fromHex(printed))?.content).toEqual(content);
  });

  test("may be that there is nothing", () => {
    expect(utf8.decode(codec(110).encode?.(definitions, new Map()))).toBe("[]");
    expect(toHex(codec(112).encode?.(definitions, new Map()) ?? fromHex(""))).toBe("80");
    expect(toHex(codec(11544).encode?.(definitions, new Map()) ?? fromHex(""))).toBe("a0");
  });
});

describe("values with times", () => {
  const timed = (...records: readonly TimedContent[]) => ({
    json: utf8.decode(codec(110).encodeTimed?.(definitions, records)),
    cbor: toHex(codec(112).encodeTimed?.(definitions, records) ?? fromHex("")),
  });
  const temperature = (content: number, time: number | undefined): TimedContent => ({
    path: [3303, 0, 5700],
    content,
    time,
  });

  test("of one Resource share its name and the first time (LwM2M Core 1.2 §7.4.4)", () => {
    expect(timed(temperature(22.5, 1700000000), temperature(23, 1700000010))).toEqual({
      json: '[{"bn":"/3303/0/5700","bt":1700000000,"v":22.5},{"t":10,"v":23}]',
      cbor: "82a3216c2f333330332f302f35373030221a6553f10002fb4036800000000000a2060a02fb4037000000000000",
    });
  });

  test("of several Resources each have their name", () => {
    const battery: TimedContent = { path: [3, 0, 9], content: 80, time: 1700000000.25 };
    expect(timed(temperature(22.5, 1700000001.5), battery).json).toBe(
      '[{"bt":1700000001,"n":"/3303/0/5700","t":0.5,"v":22.5},{"n":"/3/0/9","t":-0.75,"v":80}]',
    );
  });

  test("of Resource Instances have the time of their Resource", () => {
    const voltage = (time: number): TimedContent => ({
      path: [3, 0, 7],
      content: new Map([
        [1, 5000],
        [0, 3800],
      ]),
      time,
    });
    expect(timed(voltage(1700000000), voltage(1700000060)).json).toBe(
      '[{"bn":"/3/0/7/","bt":1700000000,"n":"0","v":3800},{"n":"1","v":5000},' +
        '{"n":"0","t":60,"v":3800},{"n":"1","t":60,"v":5000}]',
    );
  });

  test("are of now when they have none, also behind others, and when the clock was never set", () => {
    expect(timed(temperature(1.5, undefined)).json).toBe('[{"bn":"/3303/0/5700","v":1.5}]');
    expect(timed(temperature(1.5, 100)).json).toBe('[{"bn":"/3303/0/5700","v":1.5}]');
    expect(
      timed(temperature(1.5, 1700000000), temperature(2.5, undefined), temperature(3.5, 1700000005)).json,
    ).toBe('[{"bn":"/3303/0/5700","bt":1700000000,"v":1.5},{"bt":0,"v":2.5},{"bt":1700000005,"v":3.5}]');
  });
});
