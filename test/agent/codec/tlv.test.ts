import { describe, expect, test } from "vitest";
import { tlv } from "../../../agent/codec/tlv.js";
import { DecodeError } from "../../../agent/model/errors.js";
import { MAX_ID } from "../../../agent/model/path.js";
import type { ObjectContent, ResourceValue } from "../../../agent/model/value.js";
import { Device, Portfolio, Server, Types } from "./definitions.js";
import { fromHex, toHex } from "./hex.js";
import { tlvVectors } from "./vectors.js";

describe.each(tlvVectors)("$name", ({ definition, target, content, payload }) => {
  test("is written as the specification prints it", () => {
    expect(toHex(tlv.encode(definition, target, content))).toBe(toHex(payload));
  });
  test("is read back", () => {
    expect(tlv.decode(definition, target, payload)).toEqual(content);
  });
});

const single = (resourceId: number, value: ResourceValue): ObjectContent =>
  new Map([[0, new Map([[resourceId, value]])]]);
const device = (hex: string, target: readonly [3] | readonly [3, 0] | readonly [3, 0, number] = [3, 0]) =>
  tlv.decode(Device, target, fromHex(hex));

describe("values take the shortest form", () => {
  const { integer, unsigned, float, string, opaque, boolean } = Types.resources;
  // Resource 5 of the integers in LwM2M Core appendix C; here it is the Resource of its type.
  const values: readonly [{ readonly id: number }, ResourceValue, value: string][] = [
    [integer, 0, "00"],
    [integer, 127, "7f"],
    [integer, 128, "0080"],
    [integer, -128, "80"],
    [integer, -129, "ff7f"],
    [integer, 255, "00ff"],
    [integer, 32767, "7fff"],
    [integer, 32768, "00008000"],
    [integer, 65535, "0000ffff"],
    [integer, 2147483647, "7fffffff"],
    [integer, 2147483648, "0000000080000000"],
    [integer, -2147483649, "ffffffff7fffffff"],
    [integer, 2n ** 63n - 1n, "7fffffffffffffff"],
    [integer, -(2n ** 63n), "8000000000000000"],
    [unsigned, 128, "80"],
    [unsigned, 255, "ff"],
    [unsigned, 65535, "ffff"],
    [unsigned, 4294967295, "ffffffff"],
    [unsigned, 2n ** 64n - 1n, "ffffffffffffffff"],
    [float, 1.5, "3fc00000"],
    [float, 22.4, "4036666666666666"],
    [boolean, true, "01"],
    [string, "", ""],
    [string, "1234567", "31323334353637"],
    [opaque, fromHex("00ff"), "00ff"],
  ];
  test.each(values)("%o %s", ({ id }, value, hex) => {
    const { length } = fromHex(hex);
    const payload = (0xc0 | length).toString(16) + id.toString(16).padStart(2, "0") + hex;
    const expected = length < 8 ? payload : `c8${id.toString(16).padStart(2, "0")}08${hex}`;
    expect(toHex(tlv.encode(Types, [42800, 0], single(id, value)))).toBe(expected);
    expect(tlv.decode(Types, [42800, 0], fromHex(expected))).toEqual(single(id, value));
  });

  test.each([
    [7, "c707"],
    [8, "c80708"],
    [255, "c807ff"],
    [256, "d0070100"],
    [65535, "d007ffff"],
    [70000, "d807011170"],
  ])("an entry of %i bytes begins with %s", (length, head) => {
    const [id, content] = [7, "x".repeat(length)];
    const payload = tlv.encode(Server, [1, 0], single(id, content));
    expect(toHex(payload).startsWith(head)).toBe(true);
    expect(tlv.decode(Server, [1, 0], payload)).toEqual(single(id, content));
  });

  test("an identifier of two bytes", () => {
    const payload = tlv.encode(Types, [42800, 0], single(300, "abcd"));
    expect(toHex(payload)).toBe("e4012c61626364");
    expect(tlv.decode(Types, [42800, 0], payload)).toEqual(single(300, "abcd"));
  });
});

describe("what goes where", () => {
  test("a Resource without Resource Instances is an empty array", () => {
    const content: ObjectContent = new Map([[0, new Map([[6, new Map()]])]]);
    expect(toHex(tlv.encode(Device, [3, 0, 6], content))).toBe("8006");
    expect(device("8006", [3, 0, 6])).toEqual(content);
    expect(device("", [3, 0, 6])).toEqual(content);
  });

  test("a Resource Instance is a Resource Instance entry, and may come within its Resource", () => {
    const content: ObjectContent = new Map([[0, new Map([[7, new Map([[1, 5000]])]])]]);
    expect(toHex(tlv.encode(Device, [3, 0, 7, 1], content))).toBe("42011388");
    expect(tlv.decode(Device, [3, 0, 7, 1], fromHex("42011388"))).toEqual(content);
    expect(tlv.decode(Device, [3, 0, 7, 1], fromHex("840742011388"))).toEqual(content);
  });

  test("the Object Instance around Resources is optional below the Object, but it must be the target's", () => {
    expect(device("080003c10964")).toEqual(device("c10964"));
    expect(() => device("080103c10964")).toThrow(DecodeError);
  });

  test("an instance without ID has no Object Instance around it", () => {
    const content: ObjectContent = new Map([[MAX_ID, new Map([[0, new Map([[0, "x"]])]])]]);
    expect(toHex(tlv.encode(Portfolio, [16], content))).toBe("8300410078");
    expect(tlv.decode(Portfolio, [16], fromHex("8300410078"))).toEqual(content);
  });

  test("an Object without instances is an empty payload", () => {
    expect(tlv.encode(Portfolio, [16], new Map())).toEqual(new Uint8Array());
    expect(tlv.decode(Portfolio, [16], new Uint8Array())).toEqual(new Map());
  });

  test("an Object Instance may be empty", () => {
    const content: ObjectContent = new Map([1, 2].map((id) => [id, new Map()]));
    expect(toHex(tlv.encode(Portfolio, [16], content))).toBe("00010002");
    expect(tlv.decode(Portfolio, [16], fromHex("00010002"))).toEqual(content);
  });

  test("unknown Resources are skipped, single or not, unless one is the target", () => {
    expect(device("c1630a c10964 83644100ff")).toEqual(device("c10964"));
    expect(() => device("c1630a", [3, 0, 99])).toThrow(DecodeError);
  });

  test("three bits mean nothing beside a length field of its own", () => {
    expect(device("cf090164")).toEqual(device("c10964"));
  });

  test("float values of either size are read", () => {
    expect(tlv.decode(Types, [42800, 0, 3], fromHex("c4033fc00000"))).toEqual(single(3, 1.5));
    expect(tlv.decode(Types, [42800, 0, 3], fromHex("c803083ff8000000000000"))).toEqual(single(3, 1.5));
  });

  test("values share no memory with the payload", () => {
    const payload = Buffer.from("c205abcd", "hex");
    const content = tlv.decode(Types, [42800, 0, 5], payload);
    payload.fill(0);
    expect(content).toEqual(single(5, fromHex("abcd")));
  });
});

describe("what is refused", () => {
  test.each([
    ["a value that is cut off", "c209"],
    ["an identifier that is cut off", "e109"],
    ["a length that is cut off", "d00901"],
    ["an integer of three bytes", "c309010203"],
    ["an empty integer", "c009"],
    ["a value out of range", "c10965"],
    ["text that is not UTF-8", "c200c328"],
    ["a single value where there are Resource Instances", "c10601"],
    ["Resource Instances where there is a single value", "8309410064"],
    ["a Resource twice", "c10964c10964"],
    ["Resource Instances in two arrays", "83064100018306410102"],
    ["a Resource Instance twice", "8606410001410002"],
    ["a Resource Instance with the reserved identifier", "840661ffff01"],
    ["a Resource Instance on its own", "410964"],
    ["a Resource within Resource Instances", "8306c10001"],
    ["an Object Instance beside Resources", "c10964080003c10a0f"],
    ["an Object Instance within another", "02000000"],
    ["a value of an executable Resource", "c10401"],
  ])("%s", (_, hex) => {
    expect(() => device(hex)).toThrow(DecodeError);
  });

  test.each([
    ["Resources beside Object Instances", "0000c10964"],
    ["an Object Instance twice", "00000000"],
    ["an Object Instance beside Resources", "c109640000"],
  ])("for an Object: %s", (_, hex) => {
    expect(() => device(hex, [3])).toThrow(DecodeError);
  });

  test.each([
    ["another Resource", "c10a0f"],
    ["another Resource beside it", "c10964c10a0f"],
    ["nothing", ""],
  ])("for a Resource: %s", (_, hex) => {
    expect(() => device(hex, [3, 0, 9])).toThrow(DecodeError);
  });

  test.each([
    ["another one", "42001388"],
    ["another Resource's", "840642011388"],
    ["none within the array", "8007"],
    ["two", "42011388 42000001"],
  ])("for a Resource Instance: %s", (_, hex) => {
    expect(() => tlv.decode(Device, [3, 0, 7, 1], fromHex(hex))).toThrow(DecodeError);
  });

  test("the error says where: an entry where it begins, a value where its bytes are", () => {
    expect(() => device("c10964 c40d0102")).toThrow(expect.objectContaining({ offset: 3 }));
    expect(() => device("080005 c10964 c00a")).toThrow(expect.objectContaining({ offset: 8 }));
  });
});
