import { describe, expect, test } from "vitest";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import { faultOf } from "../../../agent/model/conformity.js";
import { defineObject, type NamedResource } from "../../../agent/model/definition.js";
import type { PluginAgent } from "../../../agent/plugin.js";
import { seconds } from "../../../agent/ports.js";
import { simulatedContent, simulateValues } from "../../../agent/simulation/values.js";
import { createStoredObject } from "../../../objects/stored-object.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";

const resource = (more: Partial<NamedResource>): NamedResource => ({
  id: 5700,
  name: "sensorValue",
  operations: "R",
  ...more,
});

describe("a simulated value", () => {
  test.each<Partial<NamedResource>>([
    { type: "float", units: "Cel" },
    { type: "float", range: [0, 1] },
    { type: "integer", range: [-3, -1] },
    { type: "unsigned", range: [0, 2 ** 64] },
    { type: "integer", units: "dBm", range: [-60, -50] },
    { type: "string", range: [20, 24] },
    { type: "string", range: [0, 4] },
    { type: "opaque", range: [8, 16] },
    { type: "opaque", range: [0, 2] },
    { type: "boolean", multiple: true },
    { type: "time" },
    { type: "objlnk" },
    { type: "corelnk" },
  ])("fits its Resource at any time: %o", (more) => {
    for (let elapsed = 0; elapsed < 1200; elapsed += 7) {
      const content = simulatedContent(resource(more), { elapsed, unixTime: 1_767_225_600 + elapsed });
      expect(content).toBeDefined();
      if (content !== undefined) expect(faultOf(resource(more), content)).toBeUndefined();
    }
  });

  test("moves slowly, and is the same at the same time", () => {
    const at = (elapsed: number) =>
      Number(simulatedContent(resource({ type: "float", units: "Cel" }), { elapsed, unixTime: 0 }));
    expect(at(100)).toBe(at(100));
    expect(at(105)).not.toBe(at(100));
    expect(Math.abs(at(105) - at(100))).toBeLessThan(0.3);
    expect(at(0)).toBeCloseTo(at(600), 2);
  });

  test("does not come for what holds none", () => {
    expect(simulatedContent(resource({ operations: "E" }), { elapsed: 0, unixTime: 0 })).toBeUndefined();
  });
});

test("the simulation feeds an Object, leaves what Servers wrote, and ends", async () => {
  const definition = defineObject({
    id: 3303,
    name: "Temperature",
    version: "1.0",
    instances: "multiple",
    resources: {
      value: { id: 5700, operations: "R", type: "float", units: "Cel" },
      label: { id: 5750, operations: "RW", type: "string" },
      reset: { id: 5605, operations: "E" },
    },
  });
  const [clock, log] = [createSimulatedClock(), createRecordingLog()];
  const object = await createStoredObject({ definition, store: createMemoryStore(), log });
  const tree = new ObjectTree();
  tree.add(object);
  const plugin = simulateValues([definition], clock);
  await plugin.start?.({ log, object: () => object } as unknown as PluginAgent); // all that it asks for
  await tree.start();

  const first = object.get(0, 5700);
  expect(object.get(0, 5750)).toBe("label");
  await tree.write([3303, 0, 5750], new Map([[5750, "kitchen"]]), "replace");
  await tree.create([3303], new Map([[1, new Map()]]));
  await clock.advance(seconds(60));
  expect(object.get(0, 5700)).not.toBe(first);
  expect(object.get(0, 5750)).toBe("kitchen");
  expect(object.get(1, 5700)).toBe(object.get(0, 5700));
  await tree.execute([3303, 0, 5605], new Map());
  expect(log.lines).toContainEqual(
    expect.objectContaining({ event: "executed", fields: expect.objectContaining({ resource: "reset" }) }),
  );

  await plugin.stop?.();
  expect(clock.pending).toBe(0);
});
