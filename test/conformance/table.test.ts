import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { type ConformanceTest, problemsOf, renderTable } from "./table.js";

const root = resolve(import.meta.dirname, "../..");
const readme = join(import.meta.dirname, "README.md");

/** The tests of this folder as a run that passes would list them. */
async function collectTests(): Promise<ConformanceTest[]> {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [vitest, "list", "--config", "vitest.conformance.config.ts", "--json"],
    { cwd: root, maxBuffer: 16 * 1024 * 1024 },
  );
  const listed = JSON.parse(stdout.slice(stdout.indexOf("["))) as { name: string; file: string }[];
  return listed.map(({ name, file }) => ({ name, file: relative(import.meta.dirname, file), passed: true }));
}

describe("the table of conformance", () => {
  let tests: ConformanceTest[];
  beforeAll(async () => {
    tests = await collectTests();
  }, 60_000);

  test("has for each case a test or a reason", () => {
    expect(problemsOf(tests)).toEqual([]);
  });

  test("is what a run that passes writes: `npm run conformance` renews it", async () => {
    expect(await readFile(readme, "utf8")).toBe(renderTable(tests));
  });
});

describe("a case", () => {
  const cases = [
    { id: "LightweightM2M-1.1-int-1", title: "One" },
    { id: "LightweightM2M-1.2-int-1", title: "Another", untested: "needs a modem" },
  ];
  const one = { name: "group > LightweightM2M-1.1-int-1: works", file: "one.test.ts", passed: true };

  test("that is tested or has a reason is in order", () => {
    expect(problemsOf([one], cases)).toEqual([]);
    expect(renderTable([one], cases)).toContain("| 1.1-int-1 | One | passed: [one](one.test.ts) |");
    expect(renderTable([one], cases)).toContain("| 1.2-int-1 | Another | needs a modem |");
    expect(renderTable([one], cases)).toContain("1 of 2 cases are tested and pass.");
  });

  test("without either is named", () => {
    expect(problemsOf([], cases)).toEqual([
      "LightweightM2M-1.1-int-1 has neither a test nor a reason in cases.ts",
    ]);
  });

  test("with both is named, and so is a test of no case", () => {
    const other = { ...one, name: "LightweightM2M-1.2-int-1 and LightweightM2M-1.1-int-12" };
    expect(problemsOf([one, other], cases)).toEqual([
      "LightweightM2M-1.2-int-1 has a test: take its reason out of cases.ts",
      "LightweightM2M-1.1-int-12 is named by a test and stands not in cases.ts",
    ]);
  });

  test("of which one test fails has failed", () => {
    const failing = { ...one, passed: false };
    expect(renderTable([one, failing], cases)).toContain(
      "| 1.1-int-1 | One | **failed**: [one](one.test.ts) |",
    );
    expect(renderTable([one, failing], cases)).toContain("0 of 2 cases are tested and pass.");
  });
});
