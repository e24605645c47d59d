import { describe, expect, test } from "vitest";
import { opaque as opaqueCodec } from "../../../agent/codec/opaque.js";
import { text } from "../../../agent/codec/text.js";
import { DecodeError } from "../../../agent/model/errors.js";
import type { Path } from "../../../agent/model/path.js";
import type { ResourceValue } from "../../../agent/model/value.js";
import { Types } from "./definitions.js";
import { fromHex, toHex } from "./hex.js";

interface Numbered {
  readonly id: number;
}
const {
  string,
  integer,
  unsigned,
  float,
  boolean,
  opaque,
  time,
  objlnk,
  corelnk,
  shortText,
  shortBytes,
  fraction,
} = Types.resources;

const content = ({ id }: Numbered, value: ResourceValue) => new Map([[0, new Map([[id, value]])]]);
const encode = (resource: Numbered, value: ResourceValue) =>
  new TextDecoder().decode(text.encode(Types, [42800, 0, resource.id], content(resource, value)));
const decode = (resource: Numbered, written: string | Uint8Array) => {
  const payload = typeof written === "string" ? new TextEncoder().encode(written) : written;
  return text.decode(Types, [42800, 0, resource.id], payload).get(0)?.get(resource.id);
};

describe("text/plain", () => {
  /** LwM2M Core 1.1 appendix C. */
  test.each<readonly [Numbered, ResourceValue, string]>([
    [string, "", ""],
    [string, "grüße 🙂", "grüße 🙂"],
    [string, "\uFEFFbyte order", "\uFEFFbyte order"],
    [corelnk, '</3/0>;ver="1"', '</3/0>;ver="1"'],
    [integer, 0, "0"],
    [integer, -(2n ** 63n), "-9223372036854775808"],
    [unsigned, 2n ** 64n - 1n, "18446744073709551615"],
    [float, 22.5, "22.5"],
    [float, 6.667e-11, "0.00000000006667"],
    [float, 1e21, "1000000000000000000000"],
    [float, -1.5e-7, "-0.00000015"],
    [float, 1.25e25, "12500000000000000000000000"],
    [boolean, true, "1"],
    [boolean, false, "0"],
    [opaque, fromHex("0102030405"), "AQIDBAU="],
    [opaque, new Uint8Array(), ""],
    [time, 1367491215, "1367491215"],
    [time, -1, "-1"],
    [objlnk, { objectId: 10245, objectInstanceId: 1 }, "10245:1"],
    [objlnk, { objectId: 65535, objectInstanceId: 65535 }, "65535:65535"],
  ])("resource %o: %o is written and read", (resource, value, written) => {
    if (!written.startsWith("\uFEFF")) expect(encode(resource, value)).toBe(written);
    expect(decode(resource, written)).toEqual(value);
  });

  test.each<readonly [Numbered, string, ResourceValue]>([
    [float, "1e3", 1000],
    [float, "-2.5E-1", -0.25],
    [float, "5", 5],
    [integer, "5.0", 5],
    [integer, "-0", 0],
    [integer, "9.007199254740993e15", 9007199254740993n],
    [integer, "9223372036854775807.00", 2n ** 63n - 1n],
    [integer, "1e18", 10n ** 18n],
    [opaque, "-_8", fromHex("fbff")],
    [opaque, "+/8=", fromHex("fbff")],
    [opaque, "AQ", fromHex("01")],
    [objlnk, "ffff:FFFF", { objectId: 65535, objectInstanceId: 65535 }],
  ])("resource %o: %s is read", (resource, written, value) => {
    expect(decode(resource, written)).toEqual(value);
  });

  test.each<readonly [Numbered, string]>([
    [integer, ""],
    [integer, " 5"],
    [integer, "+5"],
    [integer, "5.5"],
    [integer, "0x5"],
    [integer, "5\n"],
    [integer, "9223372036854775808"],
    [integer, "-9223372036854775809"],
    [integer, "9007199254740993.5"],
    [unsigned, "-1"],
    [unsigned, "18446744073709551616"],
    [float, "NaN"],
    [float, "Infinity"],
    [float, "1e999"],
    [float, ".5"],
    [float, "1."],
    [float, "1,5"],
    [float, `0.${"0".repeat(500)}`],
    [boolean, "true"],
    [boolean, "2"],
    [boolean, ""],
    [opaque, "AQID BAU="],
    [opaque, "A"],
    [opaque, "AQ="],
    [opaque, "AQID=="],
    [opaque, "AR=="],
    [opaque, "===="],
    [opaque, "AÄ=="],
    [time, "2013-05-02"],
    [time, "1e300"],
    [objlnk, "3"],
    [objlnk, "3:"],
    [objlnk, "3:65536"],
    [objlnk, "03:0"],
    [objlnk, "3:0:0"],
  ])("resource %o: %j is refused", (resource, written) => {
    expect(() => decode(resource, written)).toThrow(DecodeError);
  });

  test("bytes that are not UTF-8 are refused", () => {
    expect(() => decode(string, fromHex("61c328"))).toThrow(DecodeError);
  });

  test("half a surrogate pair becomes a replacement character", () => {
    expect(encode(string, "a\ud800b")).toBe("a\ufffdb");
  });

  test("ranges are lengths in bytes for text and bytes, limits for numbers", () => {
    expect(decode(shortText, "öö")).toBe("öö");
    expect(() => decode(shortText, "öö1")).toThrow(DecodeError);
    expect(() => decode(shortText, "")).toThrow(DecodeError);
    expect(decode(shortBytes, "")).toEqual(new Uint8Array());
    expect(() => decode(shortBytes, "AQIDBAU=")).toThrow(DecodeError);
    expect(decode(fraction, "-1")).toBe(-1);
    expect(() => decode(fraction, "1.01")).toThrow(DecodeError);
  });

  test("a float that is not finite is not acceptable", () => {
    expect(() => encode(float, Number.NaN)).toThrow(expect.objectContaining({ code: "4.06" }));
  });

  test.each<readonly [Numbered, ResourceValue]>([
    [string, 5],
    [integer, 5.5],
    [integer, "5"],
    [integer, 2n ** 63n],
    [unsigned, -1],
    [float, 5n],
    [boolean, 1],
    [opaque, "AQ=="],
    [time, 1.5],
    [objlnk, "3:0"],
  ])("resource %o holding %o is a mistake of the Object, not of the Server", (resource, value) => {
    expect(() => encode(resource, value)).toThrow(TypeError);
  });
});

describe("application/octet-stream", () => {
  test("carries the bytes of an Opaque value, sharing no memory with it", () => {
    const value = fromHex("0102");
    const payload = opaqueCodec.encode(Types, [42800, 0, 5], content(opaque, value));
    const decoded = opaqueCodec.decode(Types, [42800, 0, 5], payload);
    value.fill(0);
    expect(toHex(payload)).toBe("0102");
    payload.fill(0);
    expect(decoded).toEqual(content(opaque, fromHex("0102")));
  });

  test("carries no other type", () => {
    expect(() => opaqueCodec.encode(Types, [42800, 0, 0], content(string, "x"))).toThrow(
      expect.objectContaining({ code: "4.06" }),
    );
    expect(() => opaqueCodec.decode(Types, [42800, 0, 0], fromHex("61"))).toThrow(DecodeError);
  });
});

describe.each([text, opaqueCodec])("a format without paths ($contentFormat)", (codec) => {
  test.each<{ target: Path }>([{ target: [42800] }, { target: [42800, 0] }, { target: [42800, 0, 105] }])(
    "does not carry $target",
    ({ target }) => {
      expect(() => codec.encode(Types, target, new Map())).toThrow(expect.objectContaining({ code: "4.06" }));
      expect(() => codec.decode(Types, target, new Uint8Array())).toThrow(DecodeError);
    },
  );

  test("carries one Resource Instance", () => {
    const instances = new Map([[0, new Map([[105, new Map([[7, fromHex("0102")]])]])]]);
    const payload = codec.encode(Types, [42800, 0, 105, 7], instances);
    expect(codec.decode(Types, [42800, 0, 105, 7], payload)).toEqual(instances);
  });

  test.each<{ target: Path }>([
    { target: [42800, 0, 5, 0] },
    { target: [42800, 0, 999] },
    { target: [42800, 0, 200] },
  ])("has nothing for $target: no Resource Instances, no Resource, no value", ({ target }) => {
    expect(() => codec.decode(Types, target, new Uint8Array())).toThrow(DecodeError);
  });
});
