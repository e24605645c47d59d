import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import { type ConformanceTest, problemsOf, renderTable } from "./table.js";

/** Writes the table of conformance from a run of all tests in this folder. */
export class ConformanceReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap(testsOf);
    writeFileSync(join(import.meta.dirname, "README.md"), renderTable(tests));
    for (const problem of problemsOf(tests)) {
      console.error(problem);
      process.exitCode = 1;
    }
  }
}

function testsOf(module: TestModule): ConformanceTest[] {
  const file = relative(import.meta.dirname, module.moduleId);
  return [...module.children.allTests()].map((test) => ({
    name: test.fullName,
    file,
    passed: test.result().state === "passed",
  }));
}
