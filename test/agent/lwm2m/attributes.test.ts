import { describe, expect, test } from "vitest";
import { AttributeStore } from "../../../agent/lwm2m/attribute-store.js";
import {
  attributeEntries,
  attributeValues,
  parseAttributes,
  parseObserveParameters,
} from "../../../agent/lwm2m/attributes.js";
import type { LwM2mVersion } from "../../../agent/lwm2m/operations.js";
import type { NamedResource } from "../../../agent/model/definition.js";
import { RequestError } from "../../../agent/model/errors.js";
import type { Path } from "../../../agent/model/path.js";
import type { ResourceType } from "../../../agent/model/value.js";

const resource = (type: ResourceType): NamedResource => ({ id: 0, name: "value", operations: "R", type });
const refused = expect.objectContaining({ code: "4.00", name: "RequestError" });

describe("the attributes of a Write-Attributes", () => {
  test.each([
    { queries: ["pmin=10", "pmax=60"], changes: { pmin: "10", pmax: "60" } },
    { queries: ["pmin=0"], changes: { pmin: "0" } },
    { queries: ["pmin"], changes: { pmin: undefined } },
    { queries: ["pmax="], changes: { pmax: undefined } },
    { queries: ["gt=-4.50", "lt=-1e2", "st=0.5E-1"], changes: { gt: "-4.50", lt: "-1e2", st: "0.5E-1" } },
    { queries: ["epmin=1", "epmax=20"], changes: { epmin: "1", epmax: "20" } },
    { queries: ["edge=1", "con=0", "hqmax=5"], changes: { edge: "1", con: "0", hqmax: "5" } },
    { queries: [], changes: {} },
  ])("$queries are understood", ({ queries, changes }) => {
    expect(Object.fromEntries(parseAttributes(queries, "1.2"))).toEqual(changes);
  });

  test.each([
    [["pmin=-1"]],
    [["pmin=1.5"]],
    [["pmin=ten"]],
    [["pmin=1", "pmin=2"]],
    [["pmin", "pmin=2"]],
    [["dim=2"]],
    [["ver=1.1"]],
    [["ssid=1"]],
    [["toString=1"]],
    [["pmin=99999999999999999"]],
    [["gt=1.2.3"]],
    [["gt=.5"]],
    [["gt=0x10"]],
    [["gt=Infinity"]],
    [["st=0"]],
    [["st=0.0e5"]],
    [["st=-1"]],
    [["edge=2"]],
    [["con=true"]],
    [["hqmax=-1"]],
    [[""]],
  ])("%j are refused with 4.00", (queries) => {
    expect(() => parseAttributes(queries, "1.2")).toThrow(refused);
    expect(() => parseAttributes(queries, "1.2")).toThrow(RequestError);
  });

  const since: readonly [query: string, version: LwM2mVersion][] = [
    ["pmin=1", "1.0"],
    ["pmax=1", "1.0"],
    ["gt=1", "1.0"],
    ["lt=1", "1.0"],
    ["st=1", "1.0"],
    ["epmin=1", "1.1"],
    ["epmax=1", "1.1"],
    ["edge=1", "1.2"],
    ["con=1", "1.2"],
    ["hqmax=1", "1.2"],
  ];
  for (const version of ["1.0", "1.1", "1.2"] as const) {
    test.each(since)(
      `%s came with version %s, and a ${version} registration knows it or not`,
      (query, first) => {
        const parse = () => parseAttributes([query], version);
        if (version < first) expect(parse).toThrow(refused);
        else expect(parse().size).toBe(1);
      },
    );
  }
});

describe("what may be attached", () => {
  const attach = (
    path: Path,
    type: ResourceType | undefined,
    ...writes: readonly (readonly string[])[]
  ): AttributeStore => {
    const store = new AttributeStore();
    for (const queries of writes) {
      store.change(1, path, parseAttributes(queries, "1.2"), type && resource(type));
    }
    return store;
  };

  test.each<[Path, ResourceType | undefined, string[]]>([
    [[3], undefined, ["pmin=1", "pmax=2", "epmin=1", "epmax=2", "con=1", "hqmax=3"]],
    [[3, 0], undefined, ["pmin=1", "pmax=2", "epmin=1", "epmax=2", "con=1", "hqmax=3"]],
    [[3, 0, 9], "integer", ["gt=5", "lt=1", "st=1", "pmin=1"]],
    [[3, 0, 7, 1], "unsigned", ["gt=5", "lt=1", "st=1.9"]],
    [[3303, 0, 5700], "float", ["lt=-1e1", "gt=0.5"]],
    [[3, 0, 13], "time", ["gt=1700000000"]],
    [[3, 0, 23], "boolean", ["edge=0"]],
    [[3, 0, 0], "string", ["pmin=1", "con=1"]],
    [[3, 0, 9], "integer", ["pmin=60", "pmax=10"]],
    [[3, 0, 9], "integer", ["pmin=10", "pmax=10"]],
  ])("%j of type %s takes %j", (path, type, queries) => {
    expect(attach(path, type, queries).at(1, path).size).toBe(queries.length);
  });

  test.each<[Path, ResourceType | undefined, string[], reason: string]>([
    [[3], undefined, ["gt=5"], "a threshold at Object level"],
    [[3, 0], undefined, ["st=5"], "a step at Object Instance level"],
    [[3, 0], undefined, ["edge=1"], "an edge at Object Instance level"],
    [[3, 0, 0], "string", ["gt=5"], "a threshold of a text"],
    [[3, 0, 9], "integer", ["edge=1"], "an edge of a number"],
    [[3, 0, 23], "boolean", ["lt=1"], "a threshold of a Boolean"],
    [[3, 0, 9], "integer", ["lt=5", "gt=5"], "lt is not below gt"],
    [[3, 0, 9], "integer", ["lt=6", "gt=5"], "lt is above gt"],
    [[3, 0, 9], "integer", ["lt=1", "gt=5", "st=2"], "lt + 2 st is not below gt"],
    [[3], undefined, ["epmin=5", "epmax=5"], "epmin is not below epmax"],
  ])("%j of type %s refuses %j: %4$s", (path, type, queries) => {
    expect(() => attach(path, type, queries)).toThrow(refused);
  });

  test("the rules hold for what comes together in several writes, and a refused one leaves all as it was", () => {
    const store = attach([3, 0, 9], "integer", ["lt=1", "pmin=5"], ["gt=6", "st=2"]);
    const write = (...queries: string[]) =>
      store.change(1, [3, 0, 9], parseAttributes(queries, "1.2"), resource("integer"));
    expect(() => write("pmin=9", "st=3")).toThrow(refused);
    expect(attributeEntries(store.at(1, [3, 0, 9]))).toEqual([
      ["pmin", "5"],
      ["lt", "1"],
      ["gt", "6"],
      ["st", "2"],
    ]);
    write("gt", "st=3");
    expect(attributeValues(store.at(1, [3, 0, 9]))).toEqual({ minimumPeriod: 5, lessThan: 1, step: 3 });
  });
});

describe("the attributes attached by Servers", () => {
  const write = (store: AttributeStore, shortServerId: number, path: Path, ...queries: string[]) =>
    store.change(shortServerId, path, parseAttributes(queries, "1.2"), resource("integer"));

  test("the most specific level counts, for each attribute by itself", () => {
    const store = new AttributeStore();
    write(store, 1, [3], "pmin=10", "pmax=60");
    write(store, 1, [3, 0], "epmin=5");
    write(store, 1, [3, 0, 7], "pmax=20", "gt=7");
    write(store, 1, [3, 0, 7, 1], "gt=9.50");
    const effective = (path: Path) => Object.fromEntries(store.effective(1, path));
    expect(effective([3, 0, 7, 1])).toEqual({ pmin: "10", pmax: "20", epmin: "5", gt: "9.50" });
    expect(effective([3, 0, 7])).toEqual({ pmin: "10", pmax: "20", epmin: "5", gt: "7" });
    expect(effective([3, 0, 13])).toEqual({ pmin: "10", pmax: "60", epmin: "5" });
    expect(effective([3])).toEqual({ pmin: "10", pmax: "60" });
    expect(attributeEntries(store.at(1, [3, 0, 7]))).toEqual([
      ["pmax", "20"],
      ["gt", "7"],
    ]);
  });

  test("each Server has its own", () => {
    const store = new AttributeStore();
    write(store, 1, [3], "pmin=10");
    expect(store.effective(2, [3]).size).toBe(0);
    store.forgetServer(1);
    expect(store.effective(1, [3]).size).toBe(0);
  });

  test("they vanish with their node and stay beside it", () => {
    const store = new AttributeStore();
    write(store, 1, [3303, 1], "pmin=1");
    write(store, 1, [3303, 1, 5700], "pmin=2");
    write(store, 1, [3303, 11], "pmin=3");
    store.forget([3303, 1]);
    expect(store.effective(1, [3303, 1, 5700]).size).toBe(0);
    expect(attributeValues(store.effective(1, [3303, 11]))).toEqual({ minimumPeriod: 3 });
  });

  test("say when what is to survive a restart changes, and come back", () => {
    let changes = 0;
    const store = new AttributeStore(() => changes++);
    write(store, 1, [3303, 1], "pmin=1");
    store.forget([3303, 2]);
    expect(changes).toBe(1);
    const after = new AttributeStore();
    after.restore(store.entries());
    expect(after.entries()).toEqual(store.entries());
  });
});

describe("the attributes of an Observe", () => {
  const target = { path: [3, 0, 9] as const, resource: resource("integer") };

  test("came with version 1.2", () => {
    expect(parseObserveParameters(["pmin=5", "gt=3"], "1.2", target)).toEqual(
      new Map([
        ["pmin", "5"],
        ["gt", "3"],
      ]),
    );
    expect(parseObserveParameters([], "1.0", target)).toBeUndefined();
    expect(() => parseObserveParameters(["pmin=5"], "1.1", target)).toThrow(refused);
    expect(() => parseObserveParameters(["pmin=5"], "1.0", target)).toThrow(refused);
  });

  test("are checked like those of a Write-Attributes", () => {
    expect(() => parseObserveParameters(["lt=5", "gt=3"], "1.2", target)).toThrow(refused);
    expect(() => parseObserveParameters(["edge=1"], "1.2", target)).toThrow(refused);
    expect(() => parseObserveParameters(["nonsense"], "1.2", target)).toThrow(refused);
  });

  test("an Observe-Composite takes some of them", () => {
    const taken = ["pmin=1", "pmax=2", "epmin=1", "epmax=2", "con=1"];
    expect(parseObserveParameters(taken, "1.2", "composite")?.size).toBe(5);
    for (const query of ["gt=1", "lt=1", "st=1", "edge=1", "hqmax=1"]) {
      expect(() => parseObserveParameters([query], "1.2", "composite")).toThrow(refused);
    }
    expect(() => parseObserveParameters(["epmin=3", "epmax=2"], "1.2", "composite")).toThrow(refused);
  });
});
