import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { OptionalObject } from "../../agent/main.js";
import { definePlugin, type ObjectHandle } from "../../agent/plugin.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";
import { item, objectFile } from "./oma/files.js";

const Temperature = objectFile({
  id: 3303,
  name: "Temperature",
  version: "1.1",
  items: [
    item({ id: 5700, name: "Sensor Value", type: "Float", mandatory: true }),
    item({ id: 5601, name: "Min Measured Value", type: "Float" }),
    item({ id: 5602, name: "Max Measured Value", type: "Float" }),
    item({ id: 5605, name: "Reset Min and Max", operations: "E", type: "" }),
    item({ id: 5701, name: "Sensor Units", type: "String" }),
    item({ id: 5750, name: "Application Type", operations: "RW", type: "String" }),
  ],
});

let managed: ManagedAgent | undefined;
afterEach(async () => {
  await managed?.close();
  managed = undefined;
});

/** Starts an agent with the Object Temperature, and what the plugin makes of it. */
const startWith = async (fed: (object: ObjectHandle) => void) => {
  const file = join(temporaryDirectory(), "3303.xml");
  await writeFile(file, Temperature);
  managed = await startManagedAgent({
    objects: [file],
    plugins: [definePlugin({ name: "sensor", start: (agent) => fed(agent.object(3303)) })],
  });
  return managed;
};

describe("an Object of a definition file", () => {
  test("is registered with its version and instances, and serves what the plugin feeds", async () => {
    const { server, read, write, execute } = await startWith((object) => {
      object.createInstance(0, { 5700: 21.5 });
      object.createInstance(1, { 5700: 4 });
      object.onExecute(5605, (id) => object.set(id, 5601, object.get(id, 5700)));
    });
    expect(server.device("board")?.objects.get(3303)).toEqual({ version: "1.1", instances: [0, 1] });
    expect(await read([3303, 0, 5700])).toBe("21.5");
    await write([3303, 1, 5750], "cellar");
    expect(await read([3303, 1, 5750])).toBe("cellar");
    await execute([3303, 1, 5605]);
    expect(await read([3303, 1, 5601])).toBe("4");
    await expect(write([3303, 0, 5700], "22")).rejects.toMatchObject({ code: "4.05" });
  });

  test("tells observers what changes, and Servers what comes and goes", async () => {
    const { agent, server } = await startWith((object) => object.createInstance(0, { 5700: 21.5 }));
    const object = agent.object(3303);
    const told: unknown[] = [];
    await server.observe("board", [3303, 0, 5700], (content) => told.push(content.get(0)?.get(5700)));
    const updated = new Promise<void>((resolve) => {
      server.onDeviceEvent(() => resolve());
    });
    object.set(0, 5700, 22);
    object.createInstance(2, { 5700: 1 });
    await updated;
    expect(server.device("board")?.objects.get(3303)?.instances).toEqual([0, 2]);
    await expect.poll(() => told).toEqual(["21.5", "22"]);
  });
});

describe("an agent is not created", () => {
  test.each<[string, (directory: string) => OptionalObject, string]>([
    ["without the file", (directory) => join(directory, "none.xml"), "none.xml cannot be read: ENOENT"],
    ["with a folder", (directory) => directory, "cannot be read: EISDIR"],
    [
      "with a file that is none",
      (directory) => join(directory, "bad.xml"),
      "bad.xml:1: expected the root element <LWM2M>",
    ],
    [
      "with an Object that it has",
      (directory) => join(directory, "3.xml"),
      "3.xml: there is an Object 3 already, Device",
    ],
    ["with a number that needs a file", () => 3303 as 16, "no Object 3303 comes with the agent"],
  ])("%s", async (_what, object, message) => {
    const directory = temporaryDirectory();
    await writeFile(join(directory, "bad.xml"), "<html/>");
    await writeFile(join(directory, "3.xml"), objectFile({ id: 3 }));
    await expect(startManagedAgent({ objects: [object(directory)] })).rejects.toThrow(message);
  });
});

test("an Object that nobody named cannot be fed", async () => {
  managed = await startManagedAgent({ objects: [16] });
  const { agent } = managed;
  expect(agent.object(16).definition.name).toBe("Portfolio");
  expect(() => agent.object(3303)).toThrow("there is no Object 3303 to be fed");
});

test("the example reads a sensor, keeps its extremes, and starts them anew", async () => {
  const { createTemperature } = (await import("../../examples/temperature.plugin.js" as string)) as {
    createTemperature(options: { file: string; periodMilliseconds: number }): ReturnType<typeof definePlugin>;
  };
  const directory = temporaryDirectory();
  const [definition, sensor] = [join(directory, "3303.xml"), join(directory, "temp")];
  await writeFile(definition, Temperature);
  await writeFile(sensor, "21500\n");
  managed = await startManagedAgent({
    objects: [definition],
    plugins: [createTemperature({ file: sensor, periodMilliseconds: 20 })],
  });
  const { read, execute } = managed;
  expect(await read([3303, 0, 5700])).toBe("21.5");
  expect(await read([3303, 0, 5701])).toBe("Cel");
  await writeFile(sensor, "30250\n");
  await expect.poll(() => read([3303, 0, 5602])).toBe("30.25");
  expect(await read([3303, 0, 5601])).toBe("21.5");
  await execute([3303, 0, 5605]);
  expect(await read([3303, 0, 5601])).toBe("30.25");
});
