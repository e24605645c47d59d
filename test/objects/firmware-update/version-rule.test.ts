import { describe, expect, test } from "vitest";
import {
  compareVersions,
  type VersionOrder,
  versionRule,
} from "../../../objects/firmware-update/version-rule.js";

const orders: readonly (readonly [offered: string, order: VersionOrder, running: string])[] = [
  // Numbers
  ["1.4.0", "newer", "1.3.9"],
  ["1.10.0", "newer", "1.9.0"],
  ["1.4", "same", "1.4.0"],
  ["1.4", "older", "1.4.1"],
  ["2", "newer", "1.99.99"],
  ["v1.4.0", "same", "1.4.0"],
  ["V2.0", "newer", "v1.0"],
  ["01.4.0", "same", "1.4.0"],
  ["1.2.3.4.5", "newer", "1.2.3.4.4"],
  ["1.20260101123456789012", "older", "1.20260101123456789013"],
  // Semantic Versioning 2.0.0 §11, its own example in order
  ["1.0.0-alpha", "older", "1.0.0-alpha.1"],
  ["1.0.0-alpha.1", "older", "1.0.0-alpha.beta"],
  ["1.0.0-alpha.beta", "older", "1.0.0-beta"],
  ["1.0.0-beta", "older", "1.0.0-beta.2"],
  ["1.0.0-beta.2", "older", "1.0.0-beta.11"],
  ["1.0.0-beta.11", "older", "1.0.0-rc.1"],
  ["1.0.0-rc.1", "older", "1.0.0"],
  ["1.0.0", "newer", "1.0.0-rc.1"],
  ["1.0.1-rc.1", "newer", "1.0.0"],
  ["1.0-rc.1", "older", "1.0.0"],
  // Builds
  ["1.0.0+build.7", "newer", "1.0.0+build.5"],
  ["1.0.0+7f3a", "unknown", "1.0.0+a11c"],
  ["1.0.0+7", "unknown", "1.0.0"],
  ["1.0.1+1", "newer", "1.0.0+9"],
  // Free forms that differ in numbers only
  ["2026-02-01", "newer", "2026-01-31"],
  ["20260131", "older", "20260201"],
  ["r10", "newer", "r9"],
  ["gateway-2.3 (build 17)", "older", "gateway-2.3 (build 18)"],
  ["2026.04-lts2", "newer", "2026.04-lts1"],
  // What has no order
  ["gateway-2", "unknown", "sensor-1"],
  ["weekly@2026", "unknown", "1.0"],
  ["7f3a9c1", "unknown", "7f3b9c1"],
  ["g7f3a9c1", "unknown", "g8f3a9c1"],
  ["1.0", "unknown", "7f3a9c1"],
  ["", "unknown", "1.0"],
  ["1.0", "unknown", ""],
  ["1.0", "unknown", " "],
  ["7f3a9c1", "same", "7f3a9c1"],
];

const opposite: Readonly<Record<VersionOrder, VersionOrder>> = {
  newer: "older",
  older: "newer",
  same: "same",
  unknown: "unknown",
};

test.each(orders)("%j is %s to %j, and the other way round", (offered, order, running) => {
  expect(compareVersions(offered, running)).toBe(order);
  expect(compareVersions(running, offered)).toBe(opposite[order]);
});

describe("what may be installed", () => {
  test("a newer version, and one without an order", () => {
    for (const policy of [{}, { downgrade: false, reinstall: false }]) {
      expect(versionRule("1.1", "1.0", policy)).toBeUndefined();
      expect(versionRule("next", "1.0", policy)).toBeUndefined();
    }
  });

  test("an older version only when downgrades are allowed", () => {
    expect(versionRule("1.0", "1.1")).toBe("version 1.0 is older than 1.1, which runs here");
    expect(versionRule("1.0", "1.1", { reinstall: true })).toBeDefined();
    expect(versionRule("1.0", "1.1", { downgrade: true })).toBeUndefined();
  });

  test("the version that runs, unless that is forbidden", () => {
    expect(versionRule("1.0", "1.0")).toBeUndefined();
    expect(versionRule("1.0", "1.0", { downgrade: true, reinstall: false })).toBe(
      "version 1.0 runs here already",
    );
  });
});
