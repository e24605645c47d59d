import { describe, expect, test } from "vitest";
import { firstOffer, nextOffer, type OfferRules } from "../../../agent/lwm2m/registration-offer.js";

const rules: OfferRules = { version: "1.2", minimumVersion: "1.0", supportedVersions: [], profile: false };

describe("the first version to offer", () => {
  test.each([
    { supports: [], offered: "1.2" },
    { supports: ["1.1"], offered: "1.1" },
    { supports: ["1.0", "1.1"], offered: "1.1" },
    { supports: ["1.1", "1.2.1"], offered: "1.2" },
    { supports: ["1.0.2"], offered: "1.0" },
    { supports: ["2.0"], offered: "1.2" },
    { supports: ["nonsense"], offered: "1.2" },
  ])("by a Server that names $supports is $offered", ({ supports, offered }) => {
    expect(firstOffer({ ...rules, supportedVersions: supports }).version).toBe(offered);
  });

  test("is never below the minimum, whatever the Server names", () => {
    const strict: OfferRules = { ...rules, minimumVersion: "1.1", supportedVersions: ["1.0"] };
    expect(firstOffer(strict).version).toBe("1.2");
  });

  test("carries a Profile ID only as 1.2, which brought it", () => {
    expect(firstOffer({ ...rules, profile: true })).toEqual({ version: "1.2", profile: true });
    expect(firstOffer({ ...rules, profile: true, supportedVersions: ["1.1"] })).toEqual({
      version: "1.1",
      profile: false,
    });
  });
});

describe("after a refusal", () => {
  test.each([
    ["1.2", "4.12", "1.1"],
    ["1.2", "4.00", "1.1"],
    ["1.1", "4.12", "1.0"],
    ["1.0", "4.12", undefined],
    ["1.2", "4.03", undefined],
    ["1.2", "5.00", undefined],
    ["1.2", undefined, undefined],
  ] as const)("of %s with %s comes %s", (version, code, next) => {
    expect(nextOffer({ version, profile: false }, code, "1.0")?.version).toBe(next);
  });

  test("nothing below the minimum is offered", () => {
    expect(nextOffer({ version: "1.1", profile: false }, "4.12", "1.1")).toBeUndefined();
  });

  test.each(["4.09", "4.00"])("of a Profile ID with %s comes the same version with all Objects", (code) => {
    expect(nextOffer({ version: "1.2", profile: true }, code, "1.2")).toEqual({
      version: "1.2",
      profile: false,
    });
  });
});
