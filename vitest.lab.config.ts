import { defineConfig } from "vitest/config";

/** The boot laboratory: a whole Debian with its systemd, as root. What is missing fails and says how to get it. */
export default defineConfig({
  test: {
    include: ["test/lab/**/*.lab.ts"],
    testTimeout: 180_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});
