import { describe, expect, test } from "vitest";
import { bindingTerms, changesOf } from "../../../agent/lwm2m/registration-terms.js";

test.each([
  ["1.0", "U", false, { binding: "U", queueMode: false }],
  ["1.0", "U", true, { binding: "UQ", queueMode: false }],
  ["1.0", "US", true, { binding: "UQS", queueMode: false }],
  ["1.0", "S", true, { binding: "SQ", queueMode: false }],
  ["1.0", "UTMN", false, { binding: "U", queueMode: false }],
  ["1.0", "T", true, { binding: "UQ", queueMode: false }],
  ["1.1", "UT", true, { binding: "UT", queueMode: true }],
  ["1.2", "U", false, { binding: "U", queueMode: false }],
] as const)("version %s says binding %s and queue mode %s as %o", (version, binding, queueMode, terms) => {
  expect(bindingTerms(version, binding, queueMode)).toEqual(terms);
});

describe("an Update carries", () => {
  const told = { lifetime: 300, binding: "U", queueMode: false, objects: "</3/0>" };

  test("nothing when nothing changed", () => {
    expect(changesOf(told, { ...told })).toEqual({});
  });

  test.each([
    [{ lifetime: 60 }, { lifetime: 60 }],
    [{ objects: "</1/0>,</3/0>" }, { objects: "</1/0>,</3/0>" }],
    [{ queueMode: true }, { binding: "U", queueMode: true }],
    [
      { binding: "UT", lifetime: 60 },
      { binding: "UT", queueMode: false, lifetime: 60 },
    ],
  ])("of %o exactly %o", (change, carried) => {
    expect(changesOf(told, { ...told, ...change })).toEqual(carried);
  });
});
