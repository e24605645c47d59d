import { defineConfig } from "vitest/config";
import { ConformanceReporter } from "./test/conformance/reporter.js";

/** Runs the cases of the OMA test specification and writes test/conformance/README.md from what they gave. */
export default defineConfig({
  test: {
    include: ["test/conformance/**/*.test.ts"],
    exclude: ["test/conformance/table.test.ts"],
    testTimeout: 30_000,
    reporters: ["default", new ConformanceReporter()],
  },
});
