import { describe, expect, test } from "vitest";
import { formatLinks, type Link, parseLinks } from "../../../agent/codec/link-format.js";
import { DecodeError } from "../../../agent/model/errors.js";

const link = (path: string, attributes: Record<string, string | number | true> = {}): Link => ({
  path,
  attributes: new Map(Object.entries(attributes)),
});

/** LwM2M Core 1.1 §6.1 to §6.3. */
describe.each([
  {
    text: '</>;ct="60 110 112 11542",</1>;ver=1.1,</1/0>,</3/0>,</5>',
    links: [
      link("/", { ct: "60 110 112 11542" }),
      link("/1", { ver: "1.1" }),
      link("/1/0"),
      link("/3/0"),
      link("/5"),
    ],
  },
  {
    text: "</3/0/7>;dim=2;pmin=10;pmax=60;gt=50;lt=42.2,</3/0/7/0>,</3/0/7/1>;lt=45",
    links: [
      link("/3/0/7", { dim: "2", pmin: "10", pmax: "60", gt: "50", lt: "42.2" }),
      link("/3/0/7/0"),
      link("/3/0/7/1", { lt: "45" }),
    ],
  },
  {
    text: '</>;lwm2m=1.2,</0/0>,</0/1>;ssid=101;uri="coaps://s1.example.com",</55>;ver=1.9,</55/0>',
    links: [
      link("/", { lwm2m: "1.2" }),
      link("/0/0"),
      link("/0/1", { ssid: "101", uri: "coaps://s1.example.com" }),
      link("/55", { ver: "1.9" }),
      link("/55/0"),
    ],
  },
  { text: '</lwm2m>;rt="oma.lwm2m"', links: [link("/lwm2m", { rt: "oma.lwm2m" })] },
  { text: "</3/0>;obs;ct=112", links: [link("/3/0", { obs: true, ct: "112" })] },
  { text: String.raw`</3>;title="a \"b\" \\, c;d"`, links: [link("/3", { title: 'a "b" \\, c;d' })] },
  { text: "", links: [] },
])("$text", ({ text, links }) => {
  test("is written", () => expect(formatLinks(links)).toBe(text));
  test("is read", () => expect(parseLinks(text)).toEqual(links));
});

test("numbers are written without exponent", () => {
  expect(formatLinks([link("/3/0/9", { pmin: 10, gt: -1.5, lt: 1e-7 })])).toBe(
    "</3/0/9>;pmin=10;gt=-1.5;lt=0.0000001",
  );
});

test.each([
  ["white space after separators", "</3>; ver=1.0,\n </3/0>", [link("/3", { ver: "1.0" }), link("/3/0")]],
  ["a trailing slash", "</16/0/0/>", [link("/16/0/0")]],
  ["quotes around what needs none", '</3>;ver="1.0"', [link("/3", { ver: "1.0" })]],
  ["no quotes where we write them", "</>;rt=oma.lwm2m", [link("/", { rt: "oma.lwm2m" })]],
  ["the first of a repeated attribute", "</3>;ver=1.0;ver=2.0", [link("/3", { ver: "1.0" })]],
  ["an empty text", '</3>;title=""', [link("/3", { title: "" })]],
  ["an extended attribute", "</3>;title*=UTF-8'en'x", [link("/3", { "title*": "UTF-8'en'x" })]],
] as const)("%s is read", (_, text, links) => {
  expect(parseLinks(text)).toEqual(links);
});

test.each([
  ["no reference", "/3/0", 0],
  ["a reference without end", "</3/0", 0],
  ["a comma at the end", "</3>,", 5],
  ["a comma at the beginning", ",</3>", 0],
  ["two links without a comma", "</3></4>", 4],
  ["a semicolon at the end", "</3>;", 5],
  ["an attribute without value after =", "</3>;ver=", 5],
  ["a text without end", '</3>;title="a', 5],
  ["space before a separator", "</3> ;ver=1.0", 4],
  ["space in a value", "</3>;ver=1 0", 10],
])("%s is refused, and the error says where", (_, text, offset) => {
  expect(() => parseLinks(text)).toThrow(DecodeError);
  expect(() => parseLinks(text)).toThrow(expect.objectContaining({ offset }));
});

test("a long text is read in one go", () => {
  const title = "\\a".repeat(500_000);
  expect(parseLinks(`</3>;title="${title}"`)).toHaveLength(1);
});

test("of several trailing slashes none is taken away: reading what was written changes nothing", () => {
  const [link] = parseLinks("</1//>");
  expect(link?.path).toBe("/1//");
  expect(formatLinks(parseLinks("</1//>"))).toBe("</1//>");
});
