import { expect, test } from "vitest";
import { fuzz } from "./fuzz.js";

test("100,000 inputs to all that takes bytes from the network lead to nothing worse than a refusal", {
  timeout: 300_000,
}, async () => {
  const { inputs, accepted, findings, growth } = await fuzz({ seed: 20_260_401, inputs: 100_000 });
  expect(findings).toEqual([]);
  expect(inputs).toBe(100_000);
  // Both happen often, or the mutations would be too tame or too wild to find anything.
  expect(accepted).toBeGreaterThan(15_000);
  expect(accepted).toBeLessThan(85_000);
  expect(growth).toBeLessThan(16 * 1024 * 1024);
});
