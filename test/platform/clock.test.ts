import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { millis, seconds } from "../../agent/ports.js";
import { createSystemClock } from "../../platform/clock.js";

const day = 24 * 60 * 60 * 1000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a timer fires once, when its delay has passed", () => {
  const fire = vi.fn();
  createSystemClock().after(seconds(2), fire);
  vi.advanceTimersByTime(1999);
  expect(fire).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  expect(fire).toHaveBeenCalledTimes(1);
});

test("a cancelled timer does not fire, and may be cancelled again", () => {
  const fire = vi.fn();
  const timer = createSystemClock().after(seconds(2), fire);
  timer.cancel();
  timer.cancel();
  vi.advanceTimersByTime(10_000);
  expect(fire).not.toHaveBeenCalled();
});

test("a delay of 100 days is kept, although setTimeout ends at 24.8", () => {
  const fire = vi.fn();
  createSystemClock().after(millis(100 * day), fire);
  vi.advanceTimersByTime(100 * day - 1);
  expect(fire).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2);
  expect(fire).toHaveBeenCalledTimes(1);
});

test("a delay of 100 days can be cancelled after 50", () => {
  const fire = vi.fn();
  const timer = createSystemClock().after(millis(100 * day), fire);
  vi.advanceTimersByTime(50 * day);
  timer.cancel();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(100 * day);
  expect(fire).not.toHaveBeenCalled();
});

test("time goes on when the calendar is set back, and the calendar follows the system", () => {
  const clock = createSystemClock();
  const before = clock.now();
  vi.setSystemTime(new Date("2001-01-01T00:00:00Z"));
  vi.advanceTimersByTime(5);
  expect(clock.now() - before).toBeGreaterThanOrEqual(0);
  expect(clock.now() - before).toBeLessThan(day);
  expect(clock.date().getUTCFullYear()).toBe(2001);
});
