import { expect, test } from "vitest";
import type { StageContext, UpdateStage } from "../../../agent/ports.js";
import { seconds } from "../../../agent/ports.js";
import { openUpdateLock } from "../../../agent/service/update-lock.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";

const log = createRecordingLog();
const context: StageContext = {
  uri: "",
  package: undefined,
  image: undefined,
  severity: 1,
  attempt: undefined,
  signal: new AbortController().signal,
};
const stages: readonly UpdateStage[] = ["download", "apply", "restart", "commit"];

test("a hold keeps an update from being applied, and nothing else", async () => {
  const lock = await openUpdateLock({ store: createMemoryStore(), clock: createSimulatedClock(), log });
  for (const stage of stages) expect(await lock.before(stage, context)).toBe("go");
  await lock.set("harvest", undefined);
  expect(await lock.before("apply", context)).toEqual({
    later: "held by the operator: harvest",
    isUnbounded: true,
  });
  for (const stage of ["download", "restart", "commit"] as const) {
    expect(await lock.before(stage, context)).toBe("go");
  }
  expect(await lock.release()).toMatchObject({ reason: "harvest" });
  expect(await lock.release()).toBeUndefined();
  expect(await lock.before("apply", context)).toBe("go");
});

test("it is kept over restarts, and ends at its time", async () => {
  const store = createMemoryStore();
  const clock = createSimulatedClock(new Date("2026-10-01T00:00:00Z"));
  const until = new Date("2026-10-01T01:00:00Z");
  await (await openUpdateLock({ store, clock, log })).set("harvest", until);
  const lock = await openUpdateLock({ store, clock, log });
  expect(lock.hold()).toEqual({ reason: "harvest", since: clock.date(), until });
  await clock.advance(seconds(3599));
  expect(lock.hold()).toBeDefined();
  await clock.advance(seconds(1));
  expect(lock.hold()).toBeUndefined();
});

test("a clock that starts in 1970 neither ends a hold nor loses it", async () => {
  const store = createMemoryStore();
  const set = createSimulatedClock(new Date("2026-10-01T00:00:00Z"));
  await (await openUpdateLock({ store, clock: set, log })).set("harvest", new Date("2026-10-02T00:00:00Z"));
  const lock = await openUpdateLock({ store, clock: createSimulatedClock(new Date(0)), log });
  expect(lock.hold()).toMatchObject({ reason: "harvest" });
});
