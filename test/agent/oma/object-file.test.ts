import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../agent/model/errors.js";
import type { ResourceType } from "../../../agent/model/value.js";
import { parseObjectFile } from "../../../agent/oma/object-file.js";
import { parseRange } from "../../../agent/oma/range.js";
import { item, objectFile } from "./files.js";

describe("a definition file", () => {
  test("becomes an Object", () => {
    const [object, ...others] = parseObjectFile(
      objectFile({
        id: 30000,
        name: "Weather Station",
        version: "1.1",
        items: [
          item({
            id: 5700,
            name: "Sensor Value",
            type: "Float",
            mandatory: true,
            units: "Cel",
            range: "-40..85",
          }),
          item({ id: 5605, name: "Reset Min and Max", operations: "E", type: "" }),
          item({
            id: 5750,
            name: "Application Type",
            operations: "RW",
            type: "String",
            range: "0..32 bytes",
          }),
          item({ id: 6, name: "MAC Address", type: "Opaque", multiple: true }),
          item({ id: 7, name: "Key", operations: "", type: "Unsigned Integer", range: "0,1,4: see text" }),
        ],
      }),
      "30000.xml",
    );
    expect(others).toEqual([]);
    expect(object).toEqual({
      id: 30000,
      name: "Weather Station",
      version: "1.1",
      instances: "multiple",
      resources: {
        sensorValue: {
          id: 5700,
          operations: "R",
          type: "float",
          mandatory: true,
          range: [-40, 85],
          units: "Cel",
        },
        resetMinAndMax: { id: 5605, operations: "E" },
        applicationType: { id: 5750, operations: "RW", type: "string", range: [0, 32] },
        macAddress: { id: 6, operations: "R", type: "opaque", multiple: true },
        key: { id: 7, operations: "BS", type: "unsigned" },
      },
    });
  });

  test.each<[string, ResourceType]>([
    ["String", "string"],
    ["Integer", "integer"],
    ["Unsigned Integer", "unsigned"],
    ["Float", "float"],
    ["Boolean", "boolean"],
    ["Opaque", "opaque"],
    ["Time", "time"],
    ["Objlnk", "objlnk"],
    ["Corelnk", "corelnk"],
    ["STRING", "string"],
  ])("calls %s what we call %s", (word, type) => {
    const [object] = parseObjectFile(objectFile({ items: [item({ type: word })] }), "x.xml");
    expect(Object.values(object?.resources ?? {})).toMatchObject([{ type }]);
  });

  test("may be single, say its version in the URN only, or not at all", () => {
    const [single] = parseObjectFile(
      objectFile({ instances: "Single", version: "", urn: "urn:oma:lwm2m:ext:30000:2.1" }),
      "x.xml",
    );
    expect(single).toMatchObject({ instances: "single", version: "2.1" });
    expect(parseObjectFile(objectFile({ version: "" }), "x.xml")).toMatchObject([{ version: "1.0" }]);
  });

  test("keeps Resources of the same or of no name apart", () => {
    const items = [
      item({ id: 1, name: "State" }),
      item({ id: 2, name: "State" }),
      item({ id: 3, name: "§" }),
    ];
    const [object] = parseObjectFile(objectFile({ items }), "x.xml");
    expect(Object.keys(object?.resources ?? {})).toEqual(["state", "state2", "resource3"]);
  });

  test("may begin with a byte order mark, and have comments, CDATA and a DTD", () => {
    const document = objectFile({ name: "<![CDATA[A & B]]>" }).replace(
      "<LWM2M",
      "<!DOCTYPE LWM2M>\n<!-- OMA -->\n<LWM2M",
    );
    expect(parseObjectFile(`\uFEFF${document}`, "x.xml")).toMatchObject([{ name: "A & B" }]);
  });

  test("never fetches or expands what it did not declare itself", () => {
    const document = objectFile({ name: "&xxe;" }).replace(
      "<LWM2M",
      '<!DOCTYPE LWM2M [<!ENTITY xxe SYSTEM "file:///etc/hostname">]>\n<LWM2M',
    );
    expect(() => parseObjectFile(document, "x.xml")).toThrow(
      /x\.xml is not well-formed XML.*undefined entity/,
    );
  });
});

describe("a file that cannot be used says where and what", () => {
  test.each<[string, string, string]>([
    ["no XML", "{}", "x.xml is not well-formed XML, at 1:2: text data outside of root node"],
    ["nothing", "", "x.xml is not well-formed XML, at 1:0: document must contain a root element"],
    ["cut off", "<LWM2M><Object>", "x.xml is not well-formed XML, at 1:15: unclosed tag"],
    ["another document", "<html/>", "x.xml:1: expected the root element <LWM2M>, found <html>"],
    ["no Object", "<LWM2M/>", "x.xml:1: expected an <Object>, found none"],
    [
      "a number that is none",
      objectFile({ id: "70000" }),
      'x.xml:2: <Object> ObjectID: expected a number from 0 to 65534, found "70000"',
    ],
    [
      "a version that is none",
      objectFile({ version: "one" }),
      'x.xml:2: <Object> <ObjectVersion>: expected a version such as 1.0, found "one"',
    ],
    [
      "neither one nor many",
      objectFile({ instances: "Some" }),
      'x.xml:8: <Object> <MultipleInstances>: expected one of Single, Multiple, found "Some"',
    ],
    [
      "an unknown type",
      objectFile({ items: [item({ type: "Flaot" })] }),
      'x.xml:12: <Item ID="1"> <Type>: expected one of String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk, Corelnk, found "Flaot"',
    ],
    [
      "unknown operations",
      objectFile({ items: [item({ operations: "RWE" })] }),
      'x.xml:12: <Item ID="1"> <Operations>: expected one of R, W, RW, WR, E, found "RWE"',
    ],
    [
      "a value without type",
      objectFile({ items: [item({ type: "" })] }),
      'x.xml:12: <Item ID="1"> <Type>: expected one of String',
    ],
    [
      "an Execute with a type",
      objectFile({ items: [item({ operations: "E", type: "String" })] }),
      'x.xml:12: <Item ID="1"> <Type>: expected none, for the Resource is executable, found "String"',
    ],
    [
      "a Resource twice",
      objectFile({ items: [item({ id: 4 }), item({ id: 4 })] }),
      'x.xml:13: <Item ID="4"> Resource 4 comes twice',
    ],
    [
      "a Resource without name",
      objectFile({ items: ['<Item ID="4"><Operations>R</Operations></Item>'] }),
      'x.xml:12: <Item ID="4"> lacks <Type>',
    ],
    [
      "a Resource without number",
      objectFile({ items: ["<Item></Item>"] }),
      "x.xml:12: <Item> lacks the attribute ID",
    ],
  ])("%s", (_what, document, message) => {
    expect(() => parseObjectFile(document, "x.xml")).toThrow(ConfigError);
    expect(() => parseObjectFile(document, "x.xml")).toThrow(message);
  });
});

test.each<[ResourceType, string, readonly [number, number] | undefined]>([
  ["integer", "0..100", [0, 100]],
  ["integer", "1-65534", [1, 65534]],
  ["integer", "-128..127", [-128, 127]],
  ["integer", "-10--1", [-10, -1]],
  ["integer", "0 to 255", [0, 255]],
  ["integer", "[0, 7]", [0, 7]],
  ["float", "-90.0..90.0", [-90, 90]],
  ["unsigned", "0..18446744073709551615", [0, 2 ** 64]],
  ["string", "0..255 bytes", [0, 255]],
  ["string", "32 bytes", [0, 32]],
  ["opaque", "0-64 Bytes", [0, 64]],
  ["integer", "2 bytes", undefined],
  ["integer", "1..8 bytes", undefined],
  ["integer", "0,1,2", undefined],
  ["integer", "0: off, 1: on", undefined],
  ["integer", "100..0", undefined],
  ["boolean", "0..1", undefined],
  ["opaque", "64-256 bits", undefined],
  ["string", "", undefined],
])("the range of %s %j is %o", (type, text, range) => {
  expect(parseRange(type, text)).toEqual(range);
});
