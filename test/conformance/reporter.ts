import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from "vitest/node";
import { type ConformanceTest, problemsOf, renderTable } from "./table.js";

/** Writes the table of conformance from a run of all tests in this folder; a run of some of them leaves it as it was. */
export class ConformanceReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    _errors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const tests = modules.flatMap(testsOf);
    const problems = [...partsMissing(modules, reason), ...problemsOf(tests)];
    if (problems.length === 0) {
      writeFileSync(join(import.meta.dirname, "README.md"), renderTable(tests));
      return;
    }
    for (const problem of problems) console.error(problem);
    console.error("The table of conformance is left as it was: only a whole run writes it.");
    process.exitCode = 1;
  }
}

/** Why this run cannot speak for all tests. A file that was left out shows as cases without a test. */
function partsMissing(modules: readonly TestModule[], reason: TestRunEndReason): string[] {
  const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]);
  return [
    ...(reason === "interrupted" ? ["the run was interrupted"] : []),
    ...(skipped.length > 0 ? [`${skipped.length} tests did not run`] : []),
  ];
}

function testsOf(module: TestModule): ConformanceTest[] {
  const file = relative(import.meta.dirname, module.moduleId);
  return [...module.children.allTests()].map((test) => ({
    name: test.fullName,
    file,
    passed: test.result().state === "passed",
  }));
}
