import { afterEach, describe, expect, test } from "vitest";
import { seconds } from "../../agent/ports.js";
import { createVirtualObserve } from "../../objects/virtual-observe.js";
import { createFileStore } from "../../platform/files/store.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";
import { settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createMemoryStore } from "../simulated/store.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";
import { createObservingWorld, type ObservingWorld } from "./observing-world.js";

const senmlJson = 110;
const json = (records: unknown) => new TextEncoder().encode(JSON.stringify(records));

/** A whole client with Object 22, and a Server that speaks in messages. */
async function startWorld({ store = createMemoryStore(), pmin = 0, pmax = 0 } = {}) {
  let world: ObservingWorld | undefined;
  const object = await createVirtualObserve({
    observing: () => {
      if (world === undefined) throw new Error("the world has not begun");
      return world.client.virtualObserving;
    },
    store,
    log: createRecordingLog(),
  });
  world = await createObservingWorld({
    objects: [object],
    store,
    account: { defaultMinimumPeriod: pmin, defaultMaximumPeriod: pmax },
  });
  const { device, ask, start } = world;
  device.set(0, 9, 80);
  device.set(0, 10, 512);
  await start();
  const create = (...links: string[]) =>
    ask({
      method: "POST",
      path: "/22",
      contentFormat: senmlJson,
      payload: json(links.map((vs, index) => ({ n: `/22/0/0/${index}`, vs }))),
    });
  const observe = () => ask({ method: "GET", path: "/22/0/1", observe: 0 });
  const set = async (resource: number, value: number) => {
    device.set(0, resource, value);
    await settle();
  };
  return { ...world, create, observe, set };
}

describe("a Server that observes the Report", () => {
  test("is told SenML JSON of all links at each hit, and nothing after an empty string", async () => {
    const { clock, create, observe, set, told, ask } = await startWorld();
    expect((await create("</3/0/9>;lt=50", "</3/0/10>;lt=100")).code).toBe("2.01");
    expect(await observe()).toMatchObject({ code: "2.05", text: "[]" });
    await clock.advance(seconds(10));
    await set(9, 60);
    expect(told()).toEqual([]);
    await set(9, 49);
    await clock.advance(seconds(10));
    await set(10, 99);
    expect(told().map(([, text]) => JSON.parse(text))).toEqual([
      [
        { bt: 1767225610, n: "/3/0/9", v: 49 },
        { n: "/3/0/10", v: 512 },
      ],
      [
        { bt: 1767225620, n: "/3/0/9", v: 49 },
        { n: "/3/0/10", v: 99 },
      ],
    ]);
    const stop = json([{ n: "/22/0/0/0", vs: "" }]);
    expect(
      (await ask({ method: "PUT", path: "/22/0/0", contentFormat: senmlJson, payload: stop })).code,
    ).toBe("2.04");
    expect(told().at(-1)?.[1]).toBe("[]");
    await set(9, 80);
    expect(told()).toHaveLength(3);
  });

  test("is not held back, nor told again, by its Default Periods", async () => {
    const { clock, create, observe, set, told } = await startWorld({ pmin: 60, pmax: 120 });
    await create("</3/0/9>");
    await observe();
    await clock.advance(seconds(1));
    await set(9, 79);
    expect(told().map(([at]) => at)).toEqual([1]);
    await clock.advance(seconds(600));
    expect(told()).toHaveLength(1);
  });

  test("hears of a link that is refused, and no instance comes of it", async () => {
    const { create, ask } = await startWorld();
    for (const link of ["</0/0/0>", "</21/0>", "</23/0>", "</22/0/1>", "3/0/9", "</3/0/4>"]) {
      expect((await create("</3/0/9>", link)).code).toBe("4.00");
    }
    expect((await ask({ method: "GET", path: "/22/0/1" })).code).toBe("4.04");
  });
});

test("after a restart the instance is there and observes from the values of then", async () => {
  const before = await startWorld();
  await before.create("</3/0/9>;lt=50");
  await before.set(9, 40);
  await before.client.stop();
  await before.tree.close();

  const after = await startWorld({ store: before.store });
  await after.observe();
  await after.set(9, 30);
  expect(after.told().map(([, text]) => JSON.parse(text))).toEqual([
    [{ bn: "/3/0/9", bt: 1767225600, v: 30 }], // from 80, which it was at the start
  ]);
});

test("no timer outlives the client", async () => {
  const { clock, create, client, binding } = await startWorld();
  await create("</3/0/9>;pmax=10");
  await client.stop();
  await binding.close();
  expect(clock.pending).toBe(0);
});

describe("the agent", () => {
  let managed: ManagedAgent | undefined;
  afterEach(async () => {
    await managed?.close();
    managed = undefined;
  });

  test("has Object 22 when it is asked for, once", async () => {
    managed = await startManagedAgent({ objects: [22] });
    expect(managed.server.device("board")?.objects.get(22)).toEqual({ version: "1.1", instances: [] });
    expect(() => managed?.agent.object(22)).toThrow("there is no Object 22 to be fed"); // a Server's alone
    await expect(startManagedAgent({ objects: [22, 22] })).rejects.toThrow(
      "22: there is an Object 22 already, Virtual Observe Notify",
    );
  });

  test("makes reports of what a Server asked for in an earlier run", async () => {
    const { create, store } = await startWorld();
    await create("</3/0/14>");
    const record = store.records.get("virtual-observe") ?? new Uint8Array();
    const stateDirectory = temporaryDirectory();
    await createFileStore(stateDirectory).write("virtual-observe", record);

    managed = await startManagedAgent({ objects: [22], stateDirectory });
    const { read, write } = managed;
    expect(await read([22, 0, 1])).toBe("[]");
    await write([3, 0, 14], "+05:00");
    await expect.poll(async () => String(await read([22, 0, 1]))).toContain('"vs":"+05:00"');
  });
});
