import timers from "node:timers";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { createProcessContainment, type ProcessContainment } from "../../../platform/plugins/containment.js";
import type { PluginActivity } from "../../../platform/plugins/marker.js";
import { createRecordingLog } from "../../simulated/log.js";

let containment: ProcessContainment;
afterEach(() => containment.close());

function contained() {
  const log = createRecordingLog();
  const troubles: string[] = [];
  let activity: PluginActivity = { inside: undefined, pending: [] };
  containment = createProcessContainment({
    log,
    marker: { write: (now) => (activity = now), remove: () => undefined },
    files: new Map([["a", "/etc/a.mjs"]]),
    onTrouble: (plugin, what) => troubles.push(`${plugin}: ${what}`),
  });
  const inside = <T>(act: () => T) => containment.inside("a", "start", act);
  return { inside, log, troubles, activity: () => activity };
}

const work = { plugin: "a", callback: "start", file: "/etc/a.mjs" };

test("the marker says who has the thread, and who waits", async () => {
  const { inside, activity } = contained();
  let go: () => void = () => undefined;
  const seen: PluginActivity[] = [];
  const result = inside(async () => {
    seen.push(activity());
    containment.outside(() => seen.push(activity()));
    seen.push(activity());
    await new Promise<void>((resolve) => (go = resolve));
    return 7;
  });
  expect(seen).toEqual([
    { inside: work, pending: [] },
    { inside: undefined, pending: [] },
    { inside: work, pending: [] },
  ]);
  expect(activity()).toEqual({ inside: undefined, pending: [work] });
  go();
  expect(await result).toBe(7);
  expect(activity()).toEqual({ inside: undefined, pending: [] });
});

test("what a callback throws goes to who called it, and the marker is clear", () => {
  const { inside, activity } = contained();
  expect(() =>
    inside(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(activity()).toEqual({ inside: undefined, pending: [] });
});

test("timers that a plugin has left are ended; those of the agent, and those that are over, are not counted", async () => {
  const { inside } = contained();
  const fired: string[] = [];
  setTimeout(() => fired.push("agent"), 20);
  const cleared = inside(() => {
    setTimeout(() => fired.push("over"), 0);
    setTimeout(() => fired.push("left"), 20);
    timers.setInterval(() => fired.push("left"), 20);
    containment.outside(() => setTimeout(() => fired.push("asked of the agent"), 20));
    return [
      setTimeout(() => undefined, 20),
      setInterval(() => undefined, 20),
      setImmediate(() => undefined),
    ] as const;
  });
  clearTimeout(cleared[0]);
  clearInterval(cleared[1]);
  clearImmediate(cleared[2]);
  await promisify(setTimeout)(5);
  expect(containment.endTimers("a")).toBe(2);
  expect(containment.endTimers("a")).toBe(0);
  await wait(40);
  expect(fired.toSorted()).toEqual(["agent", "asked of the agent", "over"]);
});

test("a timer of a plugin that throws is named; what it sets is the plugin's, too", async () => {
  const { inside, troubles, activity } = contained();
  let during: PluginActivity | undefined;
  inside(() =>
    setTimeout(() => {
      during = activity();
      setInterval(() => {
        throw new Error("again");
      }, 1);
      throw new Error("once");
    }, 0),
  );
  await wait(30);
  expect(during?.inside).toEqual({ ...work, callback: "a timer" });
  expect(troubles.slice(0, 3)).toEqual([
    "a: timer failed: once",
    "a: timer failed: again",
    "a: timer failed: again",
  ]);
  expect(containment.endTimers("a")).toBe(1);
});

test("arguments of timers reach them, and the functions of Node.js come back", async () => {
  const { inside } = contained();
  const got: unknown[] = [];
  inside(() => setTimeout((...given: unknown[]) => got.push(...given), 0, 1, "two"));
  await wait(10);
  expect(got).toEqual([1, "two"]);
  const patched = setTimeout;
  containment.close();
  expect(setTimeout).not.toBe(patched);
  expect(timers.setTimeout).toBe(setTimeout);
});
