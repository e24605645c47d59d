import { expect, test } from "vitest";
import { retryDelay } from "../../../agent/download/retry.js";
import { type Random, seconds } from "../../../agent/ports.js";

const limits = { attempts: 3, retryDelay: seconds(2), maximumRetryDelay: seconds(900) };
const chance = (fraction: number): Random => ({ fraction: () => fraction, bytes: () => new Uint8Array() });

test("the longest wait doubles with each failure, up to the limit", () => {
  const longest = [1, 2, 3, 8, 20].map((failures) => retryDelay(failures, undefined, limits, chance(1)));
  expect(longest).toEqual([2, 4, 8, 256, 900].map(seconds));
});

test("chance spreads the waits down to nothing", () => {
  expect(retryDelay(3, undefined, limits, chance(0))).toBe(0);
  expect(retryDelay(3, undefined, limits, chance(0.5))).toBe(seconds(4));
});

test("what the server asks is the least, but never above the limit", () => {
  expect(retryDelay(1, seconds(60), limits, chance(1))).toBe(seconds(60));
  expect(retryDelay(6, seconds(60), limits, chance(1))).toBe(seconds(64));
  expect(retryDelay(1, seconds(86_400), limits, chance(1))).toBe(seconds(900));
});
