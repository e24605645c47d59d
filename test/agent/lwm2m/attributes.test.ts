import { describe, expect, test } from "vitest";
import { AttributeStore, attributeEntries, parseAttributes } from "../../../agent/lwm2m/attributes.js";
import { RequestError } from "../../../agent/model/errors.js";

describe("the attributes of a Write-Attributes", () => {
  test.each([
    {
      queries: ["pmin=10", "pmax=60"],
      changes: [
        ["minimumPeriod", 10],
        ["maximumPeriod", 60],
      ],
    },
    { queries: ["pmin=0"], changes: [["minimumPeriod", 0]] },
    { queries: ["pmin"], changes: [["minimumPeriod", undefined]] },
    { queries: ["pmax="], changes: [["maximumPeriod", undefined]] },
    { queries: [], changes: [] },
  ])("$queries are understood", ({ queries, changes }) => {
    expect(parseAttributes(queries)).toEqual(changes);
  });

  test.each([
    [["pmin=-1"]],
    [["pmin=1.5"]],
    [["pmin=ten"]],
    [["pmin=1", "pmin=2"]],
    [["dim=2"]],
    [["toString=1"]],
    [["pmin=99999999999999999"]],
    [[""]],
  ])("%j are refused with 4.00", (queries) => {
    expect(() => parseAttributes(queries)).toThrow(expect.objectContaining({ code: "4.00" }));
    expect(() => parseAttributes(queries)).toThrow(RequestError);
  });
});

describe("the attributes attached by Servers", () => {
  test("the most specific level counts, for each attribute by itself", () => {
    const store = new AttributeStore();
    store.change(
      1,
      [3],
      [
        ["minimumPeriod", 10],
        ["maximumPeriod", 60],
      ],
    );
    store.change(1, [3, 0, 9], [["maximumPeriod", 20]]);
    expect(store.effective(1, [3, 0, 9])).toEqual({ minimumPeriod: 10, maximumPeriod: 20 });
    expect(store.effective(1, [3, 0, 13])).toEqual({ minimumPeriod: 10, maximumPeriod: 60 });
    expect(store.at(1, [3, 0, 9])).toEqual({ maximumPeriod: 20 });
  });

  test("each Server has its own", () => {
    const store = new AttributeStore();
    store.change(1, [3], [["minimumPeriod", 10]]);
    expect(store.effective(2, [3])).toEqual({});
  });

  test("a later change merges, and a name without value takes away", () => {
    const store = new AttributeStore();
    store.change(
      1,
      [3],
      [
        ["minimumPeriod", 10],
        ["maximumPeriod", 60],
      ],
    );
    store.change(
      1,
      [3],
      [
        ["minimumPeriod", undefined],
        ["maximumPeriod", 90],
      ],
    );
    expect(attributeEntries(store.at(1, [3]))).toEqual([["pmax", 90]]);
  });

  test("they vanish with their node and stay beside it", () => {
    const store = new AttributeStore();
    store.change(1, [3303, 1], [["minimumPeriod", 1]]);
    store.change(1, [3303, 1, 5700], [["minimumPeriod", 2]]);
    store.change(1, [3303, 11], [["minimumPeriod", 3]]);
    store.forget([3303, 1]);
    expect(store.effective(1, [3303, 1, 5700])).toEqual({});
    expect(store.effective(1, [3303, 11])).toEqual({ minimumPeriod: 3 });
  });
});
