import { describe, expect, test } from "vitest";
import type { NamedResource } from "../../../agent/model/definition.js";
import { DecodeError } from "../../../agent/model/errors.js";
import type { ResourceContent, ResourceType } from "../../../agent/model/value.js";
import { formatContent, parseContent } from "../../../agent/persistence/value-format.js";

const single = (type: ResourceType): NamedResource => ({ id: 0, name: "one", operations: "RW", type });
const multiple = (type: ResourceType): NamedResource => ({ ...single(type), multiple: true });

const throughJson = (resource: NamedResource, content: ResourceContent) =>
  parseContent(resource, JSON.parse(JSON.stringify(formatContent(content))));

describe("a value in a record comes back exactly", () => {
  test.each<[ResourceType, ResourceContent]>([
    ["string", "Grüße, 世界"],
    ["corelnk", "</3/0/9>;pmin=10"],
    ["integer", -(2n ** 63n)],
    ["integer", 2n ** 63n - 1n],
    ["integer", Number.MAX_SAFE_INTEGER],
    ["unsigned", 2n ** 64n - 1n],
    ["float", 0.1],
    ["float", Number.NaN],
    ["float", Number.NEGATIVE_INFINITY],
    ["boolean", false],
    ["opaque", Uint8Array.of(0, 1, 0x7f, 0x80, 0xff)],
    ["opaque", new Uint8Array()],
    ["time", -86400],
    ["objlnk", { objectId: 65535, objectInstanceId: 65535 }],
    ["objlnk", { objectId: 3, objectInstanceId: 0 }],
  ])("%s %s", (type, content) => {
    expect(throughJson(single(type), content)).toEqual(content);
    const instances = new Map([
      [0, content],
      [65534, content],
    ]) as ResourceContent;
    expect(throughJson(multiple(type), instances)).toEqual(instances);
  });

  test("Resource Instances, also when there are none", () => {
    expect(throughJson(multiple("string"), new Map())).toEqual(new Map());
  });
});

test.each<[ResourceType, unknown]>([
  ["string", 1],
  ["integer", 1.5],
  ["integer", "1e3"],
  ["unsigned", -1],
  ["unsigned", "-1"],
  ["float", "1"],
  ["boolean", "true"],
  ["opaque", "abc"],
  ["opaque", "zz"],
  ["time", 0.5],
  ["objlnk", "3"],
  ["objlnk", "3:0:0"],
  ["objlnk", "65536:0"],
])("a damaged %s is not believed: %j", (type, json) => {
  expect(() => parseContent(single(type), json)).toThrow(DecodeError);
});

test("a value outside the range of today's definition is not believed", () => {
  expect(() => parseContent({ ...single("integer"), range: [0, 7] }, 8)).toThrow("outside 0 to 7");
});
