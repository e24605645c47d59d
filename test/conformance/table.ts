import { type ConformanceCase, conformanceCases } from "./cases.js";

/** One test as a run knows it. */
export interface ConformanceTest {
  /** With the names of the groups around it. */
  readonly name: string;
  /** Beside this file. */
  readonly file: string;
  readonly passed: boolean;
}

/** A number that comes from a table of tests is in quotes. */
const caseId = /(LightweightM2M-1\.[12]-int-)'?(\d+)/g;

/** Which tests stand for which case; a name may hold several IDs. */
function testsByCase(tests: readonly ConformanceTest[]): ReadonlyMap<string, readonly ConformanceTest[]> {
  const byCase = new Map<string, ConformanceTest[]>();
  for (const test of tests) {
    for (const [, prefix, number] of test.name.matchAll(caseId)) {
      const id = `${prefix}${number}`;
      byCase.set(id, [...(byCase.get(id) ?? []), test]);
    }
  }
  return byCase;
}

/** What is wrong between the list of cases and the tests: a case is either tested or has a reason, and every ID is one. */
export function problemsOf(
  tests: readonly ConformanceTest[],
  cases: readonly ConformanceCase[] = conformanceCases,
): string[] {
  const byCase = testsByCase(tests);
  const known = new Set(cases.map(({ id }) => id));
  const unknown = [...byCase.keys()].filter((id) => !known.has(id));
  return [
    ...cases
      .filter(({ id, untested }) => untested === undefined && !byCase.has(id))
      .map(({ id }) => `${id} has neither a test nor a reason in cases.ts`),
    ...cases
      .filter(({ id, untested }) => untested !== undefined && byCase.has(id))
      .map(({ id }) => `${id} has a test: take its reason out of cases.ts`),
    ...unknown.map((id) => `${id} is named by a test and stands not in cases.ts`),
  ];
}

/** The whole README of this folder. */
export function renderTable(
  tests: readonly ConformanceTest[],
  cases: readonly ConformanceCase[] = conformanceCases,
): string {
  const byCase = testsByCase(tests);
  const rows = cases.map(
    (row) => `| ${shortId(row.id)} | ${row.title} | ${verdict(row, byCase.get(row.id))} |`,
  );
  const count = cases.filter(({ id }) => passes(byCase.get(id))).length;
  return [
    "# Conformance",
    "",
    "The cases of the OMA Enabler Test Specification (INT 1.2 and 1.2.1), each by the tests whose names begin with its ID.",
    "This page is written by `npm run conformance`: do not edit it. What is not tested says why in `cases.ts`.",
    "",
    `${count} of ${cases.length} cases are tested and pass.`,
    "",
    "| LightweightM2M- | Case | Result |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

const shortId = (id: string) => id.replace("LightweightM2M-", "");

const passes = (tests: readonly ConformanceTest[] | undefined) =>
  tests?.every(({ passed }) => passed) ?? false;

function verdict({ untested }: ConformanceCase, tests: readonly ConformanceTest[] | undefined): string {
  if (tests === undefined) return untested ?? "**not tested**";
  const files = [...new Set(tests.map(({ file }) => file))].sort();
  const links = files.map((file) => `[${file.replace(/\.test\.ts$/, "")}](${file})`);
  return `${passes(tests) ? "passed" : "**failed**"}: ${links.join(", ")}`;
}
