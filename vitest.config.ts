import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Examples import what plugins import; here it is the source, there the build.
  resolve: { alias: { "lwm2m-agent/plugin": resolve(import.meta.dirname, "agent/plugin.ts") } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000, // a board with one core may be slow to start a whole agent
  },
});
