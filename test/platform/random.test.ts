import { expect, test } from "vitest";
import { systemRandom } from "../../platform/random.js";

test("bytes come in the length that was asked for and do not repeat", () => {
  expect(systemRandom.bytes(0)).toHaveLength(0);
  const drawn = Array.from({ length: 100 }, () => systemRandom.bytes(8));
  expect(drawn.every((bytes) => bytes.length === 8)).toBe(true);
  expect(new Set(drawn.map(String)).size).toBe(100);
});

test("fractions lie in [0, 1) and spread over it", () => {
  const drawn = Array.from({ length: 1000 }, () => systemRandom.fraction());
  expect(drawn.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
  expect(Math.min(...drawn)).toBeLessThan(0.1);
  expect(Math.max(...drawn)).toBeGreaterThan(0.9);
});
