import { createRequire } from "node:module";
import { afterEach, describe, expect, test } from "vitest";
import { defineObject, definePlugin, PackageError, type Plugin, singleInstance } from "../../agent/plugin.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";

const packageUri = [5, 0, 1] as const;
const state = [5, 0, 3] as const;
const result = [5, 0, 5] as const;
const configurationValue = [42769, 0, 2] as const;
const configurationApply = [42769, 0, 3] as const;

let managed: ManagedAgent;
afterEach(() => managed.close());

/** Waits until a condition holds, as a Server that polls would. */
async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it never came true");
}

describe("a plugin that carries out updates itself", () => {
  test("reports State and Result, and an illegal step is refused with the legal ones", async () => {
    const refusals: string[] = [];
    const plugin = definePlugin({
      name: "own-updates",
      async packageUriWritten({ uri, objectInstanceId }, agent) {
        expect(uri).toBe("vendor://image/7"); // the scheme is the plugin's own business
        await agent
          .setFirmwareUpdateState(objectInstanceId, 3)
          .catch((error: Error) => refusals.push(error.message));
        await agent.setFirmwareUpdateState(objectInstanceId, 2);
      },
      async updateExecuted({ objectInstanceId }, agent) {
        await agent.setFirmwareUpdateResult(objectInstanceId, 1);
        await agent.setFirmwareUpdateState(objectInstanceId, 0);
      },
    });
    managed = await startManagedAgent({ plugins: [plugin] });
    await managed.write(packageUri, "vendor://image/7");
    await until(async () => (await managed.read(state)) === 2);
    expect(refusals).toEqual([expect.stringMatching(/Downloaded|2/)]);
    await managed.execute([5, 0, 2]);
    await until(async () => (await managed.read(state)) === 0);
    expect(await managed.read(result)).toBe(1);
  });

  test("ends a download by throwing, with the Result that the error stands for", async () => {
    const failing: Plugin = {
      name: "failing",
      packageUriWritten: () => {
        throw new PackageError("integrity", "the signature is not ours");
      },
    };
    managed = await startManagedAgent({ plugins: [failing] });
    await managed.write(packageUri, "http://127.0.0.1:9/image");
    await until(async () => (await managed.read(result)) === 5);
    expect(await managed.read(state)).toBe(0);
  });
});

test("several plugins are asked in their order, and the last `proceed` is what the agent does itself", async () => {
  const heard: string[] = [];
  const listening = (name: string): Plugin => ({
    name,
    async reboot({ proceed }) {
      heard.push(`${name} before`);
      await proceed();
      heard.push(`${name} after`);
    },
  });
  managed = await startManagedAgent({ plugins: [listening("first"), listening("second")] });
  await managed.execute([3, 0, 4]);
  await until(() => heard.length === 4);
  expect(heard).toEqual(["first before", "second before", "second after", "first after"]);
  expect(managed.restarts()).toBe(1);
});

test("a plugin that does not proceed keeps the board from its reset", async () => {
  let asked = 0;
  managed = await startManagedAgent({ plugins: [{ name: "guard", factoryReset: () => void asked++ }] });
  await managed.execute([3, 0, 5]);
  await until(() => asked === 1);
  expect(managed.restarts()).toBe(0);
});

test("a throw refuses a configuration: Apply answers 5.00", async () => {
  const applied: unknown[] = [];
  const plugin = definePlugin({
    name: "strict",
    configurationApplied: ({ name, value, objectInstanceId }) => {
      if (value === "bad") throw new Error("no");
      applied.push({ name, value, objectInstanceId });
    },
  });
  managed = await startManagedAgent({ plugins: [plugin] });
  await managed.write(configurationValue, "bad");
  await expect(managed.execute(configurationApply)).rejects.toMatchObject({ code: "5.00" });
  await managed.write(configurationValue, "good");
  await managed.execute(configurationApply);
  expect(applied).toEqual([{ name: undefined, value: "good", objectInstanceId: 0 }]);
});

test("an Object of a plugin is in the first Register, serves, and tells changes; later none can be added", async () => {
  const Counter = defineObject({
    id: 40001,
    name: "Counter",
    version: "1.0",
    instances: "single",
    resources: { count: { id: 0, operations: "R", type: "integer", range: [0, 1000], mandatory: true } },
  });
  let tooLate: (() => void) | undefined;
  const stopped: string[] = [];
  const plugin = definePlugin({
    name: "counter",
    start(agent) {
      const counter = singleInstance(Counter, { count: { read: () => 42 } });
      agent.addObject(counter);
      tooLate = () => agent.addObject(counter);
    },
    stop: () => void stopped.push("counter"),
  });
  managed = await startManagedAgent({ plugins: [plugin] });
  expect(managed.server.device("board")?.objects.has(40001)).toBe(true);
  expect(await managed.read([40001, 0, 0])).toBe("42"); // the Server has no definition of it, so it reads text
  expect(() => tooLate?.()).toThrow("start");
  await managed.agent.stop();
  expect(stopped).toEqual(["counter"]);
});

test("the package gives plugins their API under its own name", async () => {
  managed = await startManagedAgent();
  const path = createRequire(import.meta.url).resolve("lwm2m-agent/plugin");
  const published = (await import(path)) as Record<string, unknown>;
  expect(published["definePlugin"]).toBeTypeOf("function");
});
