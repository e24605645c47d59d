import { beforeEach, describe, expect, test } from "vitest";
import { AwakeWindow } from "../../../agent/lwm2m/awake-window.js";
import { seconds } from "../../../agent/ports.js";
import { createSimulatedClock } from "../../simulated/clock.js";

describe("a client in queue mode", () => {
  let clock: ReturnType<typeof createSimulatedClock>;
  let turns: string[];
  let window: AwakeWindow;
  beforeEach(() => {
    clock = createSimulatedClock();
    turns = [];
    window = new AwakeWindow({
      clock,
      duration: seconds(93),
      onSleep: () => void turns.push(`asleep at ${clock.now() / 1000}`),
      onWake: () => void turns.push(`awake at ${clock.now() / 1000}`),
    });
  });

  test("sleeps until it has something to say", async () => {
    expect(window.isAwake).toBe(false);
    await clock.advance(seconds(10));
    window.sent();
    expect(window.isAwake).toBe(true);
    await clock.advance(seconds(93));
    expect(window.isAwake).toBe(false);
    expect(turns).toEqual(["awake at 10", "asleep at 103"]);
  });

  test("listens anew after each message, in whatever direction", async () => {
    window.sent();
    await clock.advance(seconds(90));
    window.received();
    await clock.advance(seconds(90));
    window.sent();
    await clock.advance(seconds(92));
    expect(window.isAwake).toBe(true);
    await clock.advance(seconds(1));
    expect(turns).toEqual(["awake at 0", "asleep at 273"]);
  });

  test("hears nothing while it sleeps", async () => {
    window.sent();
    await clock.advance(seconds(93));
    window.received();
    expect(window.isAwake).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test("leaves no timer behind", () => {
    window.sent();
    window.close();
    expect(clock.pending).toBe(0);
  });
});
