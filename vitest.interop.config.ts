import { defineConfig } from "vitest/config";

/** Foreign peers: real programs and real sockets. What is not installed fails and says which package it takes. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.interop.ts"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Peers have timeouts of their own: one file at a time, so that none of them starves.
    fileParallelism: false,
  },
});
