import { expect, test } from "vitest";
import { type Millis, millis, seconds } from "../../../agent/ports.js";
import { startHeartbeat } from "../../../agent/service/watchdog.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";

function simulate(watchdogPeriod: Millis | undefined) {
  const clock = createSimulatedClock();
  const told: string[] = [];
  const world = { clock, told, line: "registered" };
  const heartbeat = startHeartbeat({
    systemd: { watchdogPeriod, tell: async (...notifications) => void told.push(notifications.join(" ")) },
    status: () => world.line,
    clock,
    log: createRecordingLog(),
  });
  return { ...world, heartbeat, world };
}

test("the watchdog is fed twice in its period, and told of a new status once", async () => {
  const { clock, told, world } = simulate(seconds(60));
  await clock.advance(seconds(30));
  await clock.advance(seconds(30));
  world.line = "not registered";
  await clock.advance(seconds(60));
  expect(told).toEqual([
    "WATCHDOG=1 STATUS=registered",
    "WATCHDOG=1",
    "WATCHDOG=1 STATUS=not registered",
    "WATCHDOG=1",
  ]);
});

test("without a watchdog only news are told", async () => {
  const { clock, told, world } = simulate(undefined);
  await clock.advance(seconds(300));
  world.line = "not registered";
  await clock.advance(seconds(300));
  expect(told).toEqual(["STATUS=registered", "STATUS=not registered"]);
});

test("after its end it says nothing, and keeps no process alive", async () => {
  const { clock, told, heartbeat } = simulate(millis(1000));
  heartbeat.stop();
  await clock.advance(seconds(10));
  expect(told).toEqual([]);
  expect(clock.pending).toBe(0);
});
