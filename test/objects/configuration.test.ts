import { describe, expect, test } from "vitest";
import { RequestError } from "../../agent/model/errors.js";
import { type ConfigurationOptions, createConfiguration, type Setting } from "../../objects/configuration.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, type FailableStore, tested } from "./doubles.js";

async function create(
  options: Partial<ConfigurationOptions> = {},
  store: FailableStore = createFailableStore(),
) {
  const applied: [number, Setting][] = [];
  const object = await createConfiguration({
    store,
    log: createRecordingLog(),
    applied: (id, setting) => void applied.push([id, setting]),
    ...options,
  });
  return { object, applied, store, ...tested(object) };
}

describe("the Configuration Object", () => {
  test("has instance 0, empty, and the number it is told", async () => {
    const { object, read } = await create({ objectId: 10241 });
    expect(object.definition.id).toBe(10241);
    expect([...object.instances.keys()]).toEqual([0]);
    expect(await read("name")).toBeUndefined();
    expect(await read("value")).toBeUndefined();
    expect((await create()).object.definition.id).toBe(42769);
  });

  test("applies what was written, and not before Apply", async () => {
    const { object, write, execute, applied } = await create();
    await write("name", "interval");
    await write("value", "30");
    expect(applied).toEqual([]);

    await execute("apply");

    expect(applied).toEqual([[0, { name: "interval", value: "30" }]]);
    expect(object.inForce(0)).toEqual({ name: "interval", value: "30" });
  });

  test("applies a value whose name was never written, as the job does", async () => {
    const { write, execute, applied } = await create();
    await write("value", "30");
    await execute("apply");
    expect(applied).toEqual([[0, { name: undefined, value: "30" }]]);
  });

  test("keeps the old configuration in force when the new one fails", async () => {
    const { object, write, execute } = await create({
      applied: async (_, { value }) => {
        if (value === "bad") throw new Error("does not parse");
        if (value === "forbidden") throw new RequestError("4.01", "not yours");
      },
    });
    await write("value", "good");
    await execute("apply");

    await write("value", "bad");
    await expect(execute("apply")).rejects.toThrow("does not parse");
    expect(object.inForce(0)).toEqual({ value: "good" });

    await write("value", "forbidden");
    await expect(execute("apply")).rejects.toMatchObject({ code: "4.01" });
    expect(object.inForce(0)).toEqual({ value: "good" });
  });

  test("applies one after the other", async () => {
    const running: string[] = [];
    const { execute } = await create({
      applied: async () => {
        running.push("begin");
        await Promise.resolve();
        running.push("end");
      },
    });
    await Promise.all([execute("apply"), execute("apply")]);
    expect(running).toEqual(["begin", "end", "begin", "end"]);
  });

  test("is the same after a restart: instances, values, what is in force", async () => {
    const before = await create();
    const handlers = await before.object.create?.(3, { name: "b", value: "2" });
    expect(await handlers?.["value"]?.read?.()).toBe("2");
    await before.write("value", "1");
    await before.execute("apply");
    await before.write("value", "not yet");

    const after = await create({}, before.store);

    expect([...after.object.instances.keys()]).toEqual([0, 3]);
    expect(await after.read("value", 3)).toBe("2");
    expect(await after.read("value", 0)).toBe("not yet");
    expect(after.object.inForce(0)).toEqual({ value: "1" });
    expect(after.applied).toEqual([]);
  });

  test("lets instance 0 be deleted for good", async () => {
    const before = await create();
    await before.object.delete?.(0);
    const after = await create({}, before.store);
    expect(after.object.instances.size).toBe(0);
  });

  test("does not grow without end", async () => {
    const { object } = await create();
    for (let id = 1; id < 256; id++) await object.create?.(id, {});
    await expect(Promise.resolve(object.create?.(256, {}))).rejects.toMatchObject({ code: "5.00" });
  });

  test("starts from instance 0 when its record is damaged", async () => {
    const store = createFailableStore([["configuration", Uint8Array.of(0x7b)]]);
    expect([...(await create({}, store)).object.instances.keys()]).toEqual([0]);
  });
});
