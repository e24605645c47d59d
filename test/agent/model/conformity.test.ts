import { describe, expect, test } from "vitest";
import { faultOf } from "../../../agent/model/conformity.js";
import type { NamedResource } from "../../../agent/model/definition.js";
import type { ResourceContent } from "../../../agent/model/value.js";

const resource = (more: Partial<NamedResource>): NamedResource => ({
  id: 5700,
  name: "sensorValue",
  operations: "R",
  ...more,
});

describe("a Resource holds", () => {
  test.each<[Partial<NamedResource>, ResourceContent]>([
    [{ type: "float" }, 21.5],
    [{ type: "integer" }, 2n ** 63n - 1n],
    [{ type: "unsigned" }, 2n ** 64n - 1n],
    [{ type: "string", range: [0, 3] }, "ü!"],
    [{ type: "opaque", range: [1, 2] }, Uint8Array.of(1, 2)],
    [{ type: "objlnk" }, { objectId: 3, objectInstanceId: 0 }],
    [{ type: "integer", multiple: true, range: [0, 7] }, new Map([[0, 7]])],
    [{ type: "string", multiple: true }, new Map()],
  ])("%o: %o", (more, content) => {
    expect(faultOf(resource(more), content)).toBeUndefined();
  });
});

describe("a program is told why a Resource cannot hold", () => {
  test.each<[string, Partial<NamedResource>, ResourceContent, string]>([
    ["text for a number", { type: "float" }, "21.5", "sensorValue takes float, not 21.5"],
    ["a fraction", { type: "integer" }, 0.5, "sensorValue takes integer, not 0.5"],
    ["a negative one", { type: "unsigned" }, -1, "sensorValue takes unsigned, not -1"],
    ["65 bits", { type: "integer" }, 2n ** 63n, "sensorValue takes integer, not 9223372036854775808"],
    ["bytes for a link", { type: "objlnk" }, Uint8Array.of(1), "sensorValue takes objlnk, not bytes"],
    ["NaN in a range", { type: "float", range: [0, 1] }, Number.NaN, "sensorValue is outside 0 to 1"],
    ["text that is too long", { type: "string", range: [0, 3] }, "üü", "sensorValue is outside 0 to 3"],
    [
      "one for many",
      { type: "integer", multiple: true },
      1,
      "sensorValue has Resource Instances: give a Map of them",
    ],
    ["many for one", { type: "integer" }, new Map([[0, 1]]), "sensorValue has a single value"],
    ["anything where nothing is held", { operations: "E" }, 1, "sensorValue holds no value"],
  ])("%s", (_what, more, content, fault) => {
    expect(faultOf(resource(more), content)).toBe(fault);
  });
});
