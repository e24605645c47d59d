import { expect, test } from "vitest";
import { Deadlines } from "../../../agent/lwm2m/deadlines.js";
import { millis, seconds } from "../../../agent/ports.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createSeededRandom } from "../../simulated/random.js";

test("any number of deadlines costs one timer, and each fires at its time", async () => {
  const clock = createSimulatedClock();
  const random = createSeededRandom(7);
  const deadlines = new Deadlines(clock);
  const fired: [name: number, at: number][] = [];
  const entries = Array.from({ length: 500 }, (_, name) =>
    deadlines.add(() => void fired.push([name, clock.now()])),
  );
  const expected = new Map<number, number>();
  // Set, moved and taken back in no order.
  for (let step = 0; step < 3000; step++) {
    const name = random.integer(entries.length);
    const due = random.integer(4) === 0 ? undefined : millis(1 + random.integer(100_000));
    entries[name]?.set(due);
    if (due === undefined) expected.delete(name);
    else expected.set(name, due);
    expect(clock.pending).toBeLessThanOrEqual(1);
  }
  await clock.advance(seconds(200));
  expect(fired.map(([, at]) => at)).toEqual([...expected.values()].sort((a, b) => a - b));
  expect(new Map(fired)).toEqual(expected);
  expect(clock.pending).toBe(0);
});

test("one that fires may set itself again, and take back another that is due", async () => {
  const clock = createSimulatedClock();
  const deadlines = new Deadlines(clock);
  const fired: string[] = [];
  const beat = deadlines.add(() => {
    fired.push(`beat ${clock.now()}`);
    beat.set(clock.now() < 3000 ? millis(clock.now() + 1000) : undefined);
    other.set(undefined);
  });
  const other = deadlines.add(() => void fired.push("other"));
  beat.set(millis(1000));
  other.set(millis(1500));
  await clock.advance(seconds(10));
  expect(fired).toEqual(["beat 1000", "beat 2000", "beat 3000"]);
});
