import { expect, test } from "vitest";
import type { ObjectDefinition } from "../../agent/model/definition.js";
import { seconds } from "../../agent/ports.js";
import { createScriptObject } from "../../objects/script-object.js";
import { createSimulatedClock } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";

const definition: ObjectDefinition = {
  id: 33_030,
  name: "Tank",
  version: "1.0",
  instances: "multiple",
  resources: {
    level: { id: 0, operations: "R", type: "integer" },
    limit: { id: 1, operations: "RW", type: "integer" },
    drain: { id: 2, operations: "E" },
    secret: { id: 3, operations: "BS", type: "string" },
    alarm: { id: 4, operations: "W", type: "boolean" },
  },
};

function tank(resources?: readonly number[]) {
  const clock = createSimulatedClock();
  const asked: string[] = [];
  const levels = { 0: 10, 1: 20 } as Record<number, number>;
  const note =
    (what: string) =>
    async (instance: number, { name }: { name: string }) => {
      asked.push(`${what} ${instance} ${name}`);
      return undefined;
    };
  const object = createScriptObject({
    definition,
    instances: [0, 1],
    ...(resources && { resources }),
    answering: {
      read: async (instance, { name }) => {
        asked.push(`read ${instance} ${name}`);
        return name === "level" ? levels[instance] : undefined;
      },
      write: note("write"),
      execute: note("execute"),
    },
    pollInterval: seconds(10),
    clock,
    log: createRecordingLog(),
  });
  const changed: string[] = [];
  void object.start?.({
    changed: (instance, ...names) => void changed.push(`${instance} ${names.join()}`),
    instanceAdded: () => undefined,
    instanceRemoved: () => undefined,
  });
  return { object, clock, asked, levels, changed };
}

test("nobody is asked before a Server asks or observes", async () => {
  const { clock, asked } = tank();
  await clock.advance(seconds(600));
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("each Resource has what it can do, and those that were not named are not there", () => {
  const { object } = tank();
  const handlers = Object.entries(object.instances.get(0) ?? {});
  expect(handlers.map(([name, handler]) => `${name}: ${Object.keys(handler ?? {}).join()}`)).toEqual([
    "level: read",
    "limit: read,write",
    "drain: execute",
    "alarm: write",
  ]);
  expect(Object.keys(tank([0]).object.instances.get(1) ?? {})).toEqual(["level"]);
});

test("while somebody observes, values are asked for again and again, and changes are told", async () => {
  const { object, clock, asked, levels, changed } = tank([0]);
  object.watched?.(true);
  await clock.advance(seconds(10));
  expect(asked).toEqual(["read 0 level", "read 1 level", "read 0 level", "read 1 level"]);
  expect(changed).toEqual([]);
  levels[1] = 21;
  await clock.advance(seconds(10));
  expect(changed).toEqual(["1 level"]);
  asked.length = 0;
  expect(await object.instances.get(1)?.["level"]?.read?.()).toBe(21); // for the notification
  expect(asked).toEqual([]);
  object.watched?.(false);
  await clock.advance(seconds(600));
  expect(asked).toEqual([]);
});

test("a value is fresh for a second, unless something was written or executed", async () => {
  const { object, clock, asked } = tank();
  const { level, limit, drain } = object.instances.get(0) ?? {};
  await Promise.all([level?.read?.(), level?.read?.()]);
  await level?.read?.();
  expect(asked).toEqual(["read 0 level"]);
  await clock.advance(seconds(1));
  await level?.read?.();
  expect(asked).toEqual(["read 0 level", "read 0 level"]);
  asked.length = 0;
  await limit?.write?.(5 as never);
  await level?.read?.();
  await drain?.execute?.(new Map());
  await level?.read?.();
  expect(asked).toEqual(["write 0 limit", "read 0 level", "execute 0 drain", "read 0 level"]);
});

test("when the agent stops, nobody is asked any more", async () => {
  const { object, clock, asked } = tank();
  object.watched?.(true);
  await clock.advance(seconds(1));
  await object.close?.();
  asked.length = 0;
  await clock.advance(seconds(600));
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
});
