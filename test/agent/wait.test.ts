import { expect, test } from "vitest";
import { millis, seconds } from "../../agent/ports.js";
import { wait } from "../../agent/wait.js";
import { createSimulatedClock } from "../simulated/clock.js";

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
