import { expect, test } from "vitest";
import { millis, type Random, seconds } from "../../../agent/ports.js";
import { retryDelay, wait } from "../../../platform/download/retry.js";
import { createSimulatedClock } from "../../simulated/clock.js";

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

test("a wait ends when its time has come", async () => {
  const clock = createSimulatedClock();
  let ended = false;
  const waiting = wait(seconds(5), clock, new AbortController().signal).then(() => {
    ended = true;
  });
  await clock.advance(millis(4999));
  expect(ended).toBe(false);
  await clock.advance(millis(1));
  await waiting;
  expect(ended).toBe(true);
});

test("a wait is cut short by its signal, before and during it, and leaves no timer", async () => {
  const clock = createSimulatedClock();
  const abort = new AbortController();
  const waiting = wait(seconds(5), clock, abort.signal);
  abort.abort(new Error("cancelled"));
  await expect(waiting).rejects.toThrow("cancelled");
  await expect(wait(seconds(5), clock, abort.signal)).rejects.toThrow("cancelled");
  expect(clock.pending).toBe(0);
});
