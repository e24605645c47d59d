import { beforeEach, describe, expect, test } from "vitest";
import { resolveRecords } from "../../../agent/codec/senml.js";
import { decodeSenmlJson } from "../../../agent/codec/senml-json.js";
import { formatPath } from "../../../agent/model/path.js";
import { seconds } from "../../../agent/ports.js";
import { settle } from "../../simulated/clock.js";
import { createMemoryStore } from "../../simulated/store.js";
import {
  createObservingWorld,
  type Notification,
  type ObservingWorld,
  type ObservingWorldOptions,
} from "../observing-world.js";

const senmlJson = 110;
const began = Date.parse("2026-01-01T00:00:00Z") / 1000;

let world: ObservingWorld;

async function begin(options: ObservingWorldOptions = {}): Promise<void> {
  world = await createObservingWorld({ version: "1.2", ...options });
  world.device.set(0, 9, 100);
  world.device.set(0, 16, "U");
  await world.start();
}

/** Second and value of each record: when it was so, not when it was told. */
const readingsIn = ({ payload }: Notification) =>
  resolveRecords(decodeSenmlJson(payload)).map(({ path, time, value }) => [
    formatPath(path),
    time === undefined ? undefined : Math.round(time - began),
    value?.value,
  ]);

/** One change each ten seconds. */
async function drain(levels: readonly number[]): Promise<void> {
  for (const level of levels) {
    await world.clock.advance(seconds(10));
    world.device.set(0, 9, level);
    await settle();
  }
}

/** Until every retransmission has come to nothing. */
const patience = seconds(100);

const observe = (accept: number, query: readonly string[] = ["con=1"]) =>
  world.ask({ method: "GET", path: "/3/0/9", observe: 0, accept, query });

const update = async () => {
  world.client.triggerUpdate(1);
  await settle();
};

describe("a Server that does not answer", () => {
  test("hears afterwards what it missed, in order and with times", async () => {
    await begin();
    await observe(senmlJson);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience); // the first notification is given up
    await drain([98, 97]);
    await world.clock.advance(patience);
    expect(world.notifications).toEqual([]);
    world.cut(false);
    await update();
    expect(world.notifications.flatMap(readingsIn)).toEqual([
      ["/3/0/9", 10, 99],
      ["/3/0/9", 120, 98],
      ["/3/0/9", 130, 97],
    ]);
    expect(world.notifications.every(({ type }) => type === "CON")).toBe(true);
    await update();
    expect(world.notifications.flatMap(readingsIn)).toHaveLength(3); // once is enough
  });

  test("hears the present value where the format has no times", async () => {
    await begin();
    await observe(0);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience);
    world.device.set(0, 9, 42);
    await world.clock.advance(patience);
    world.cut(false);
    await update();
    expect(world.notifications.map(({ text }) => text)).toEqual(["42"]);
  });

  test("hears nothing of the past when it wants none: /1/x/6 is false", async () => {
    await begin({ account: { notificationStoring: false } });
    await observe(senmlJson);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience);
    world.cut(false);
    await update();
    expect(world.notifications).toEqual([]);
    await drain([50]);
    expect(world.notifications.flatMap(readingsIn)).toEqual([["/3/0/9", undefined, 50]]);
  });

  test("hears the newest n values with hqmax=n", async () => {
    await begin();
    await observe(senmlJson, ["con=1", "hqmax=3"]);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience);
    await drain([98, 97, 96, 95, 94]);
    world.cut(false);
    await world.clock.advance(patience);
    await update();
    const readings = world.notifications.flatMap(readingsIn);
    expect(readings.map(([, , value]) => value)).toEqual([96, 95, 94]);
    const times = readings.map(([, time]) => Number(time));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test("hears nothing of the past with hqmax=0", async () => {
    await begin();
    await observe(senmlJson, ["con=1", "hqmax=0"]);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience);
    world.cut(false);
    await update();
    expect(world.notifications).toEqual([]);
  });

  test("makes us keep 100 notifications of an observation beside those on their way, and no more", async () => {
    await begin();
    await observe(senmlJson);
    world.cut(true);
    await drain([50]);
    await world.clock.advance(patience);
    for (let level = 0; level < 150; level++) {
      world.device.set(0, 9, level % 100);
      await settle();
    }
    world.cut(false);
    await world.clock.advance(patience);
    await update();
    const values = world.notifications.flatMap(readingsIn).map(([, , value]) => value);
    const onTheWay = [50, 0]; // the attempt that failed was on its way with them
    expect(values.slice(0, 2)).toEqual(onTheWay);
    expect(values.slice(2)).toHaveLength(100);
    expect(values.at(-1)).toBe(49);
  });
});

describe("with hqmax, while a notification waits for its ACK", () => {
  test("newer values do not take the place of older ones", async () => {
    await begin();
    await observe(senmlJson, ["con=1", "hqmax=10"]);
    world.acknowledge(false);
    await drain([99]);
    for (const level of [98, 97]) {
      world.device.set(0, 9, level);
      await settle();
    }
    expect(world.notifications.flatMap(readingsIn)).toEqual([["/3/0/9", undefined, 99]]);
    world.acknowledge(true);
    await world.clock.advance(seconds(5)); // the retransmission is acknowledged
    const distinct = new Map(world.notifications.map((one) => [one.messageId, readingsIn(one)]));
    expect([...distinct.values()].flat().map(([, , value]) => value)).toEqual([99, 98, 97]);
  });
});

describe("after a restart of the program", () => {
  const restart = async (store = world.store) => {
    await world.client.abandon();
    const before = world;
    await before.binding.close();
    await begin({ store });
    return before;
  };

  beforeEach(async () => {
    await begin({ store: createMemoryStore() });
  });

  test("attributes are as they were", async () => {
    await world.ask({ method: "PUT", path: "/3/0/9", query: ["pmin=5", "gt=42.20"] });
    await world.ask({ method: "PUT", path: "/3", query: ["pmax=600"] });
    await restart();
    const links = await world.ask({ method: "GET", path: "/3/0/9", accept: 40 });
    expect(links.text).toBe("</3/0/9>;pmin=5;pmax=600;gt=42.20");
  });

  test("observations go on with their registration: same token, newer number, same format", async () => {
    await observe(senmlJson);
    await drain([99]);
    const [last] = world.notifications;
    const before = await restart();
    expect(world.requests.map(({ path }) => path)).toEqual(["rd/1"]); // an Update, no Register
    const [first] = world.notifications;
    expect(first).toMatchObject({ token: last?.token, contentFormat: senmlJson, type: "CON" });
    const ahead = ((first?.observe ?? 0) - (last?.observe ?? 0)) & 0xffffff;
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThan(2 ** 23); // RFC 7641 §3.4
    await drain([98]);
    expect(world.notifications.flatMap(readingsIn).map(([, , value]) => value)).toEqual([100, 98]);
    expect(before.notifications).toHaveLength(1);
    await world.ask({ method: "GET", path: "/3/0/9", observe: 1, accept: senmlJson, query: ["con=1"] });
    expect(world.client.observationCount).toBe(0);
  });

  test("composite observations go on, with the attributes of their request", async () => {
    const payload = new TextEncoder().encode('[{"n":"/3/0/9"},{"n":"/3/0/16"}]');
    const query = ["pmin=30"];
    await world.ask({ method: "FETCH", path: "/", observe: 0, contentFormat: senmlJson, query, payload });
    await restart();
    expect(world.notifications).toHaveLength(1);
    await drain([98]);
    await world.clock.advance(seconds(30));
    expect(world.told().map(([at]) => at)).toEqual([0, 30]);
  });

  test("a Server that did not answer before hears what it missed, and what there is now", async () => {
    await observe(senmlJson);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience);
    await restart();
    await settle();
    const readings = world.notifications.flatMap(readingsIn);
    expect(readings.map(([, , value]) => value)).toEqual([99, 100]);
    expect(readings[0]?.[1]).toBe(10);
  });

  test("an observation is on disk before its Server hears of it, so no power cut takes it", async () => {
    const store = createMemoryStore(world.store.records);
    let write: () => void = () => undefined;
    const slow = {
      ...store,
      write: async (name: string, record: Uint8Array) => {
        if (name === "observations") await new Promise<void>((resolve) => (write = resolve));
        await store.write(name, record);
      },
    };
    await world.client.stop();
    await world.binding.close();
    world = await createObservingWorld({ version: "1.2", store: slow });
    world.device.set(0, 9, 100);
    await world.start();
    write(); // the record that comes with the registration
    await expect(observe(senmlJson)).rejects.toThrow("no answer");
    write();
    await settle();
    const cut = new Map(store.records); // as the power leaves it now
    await restart(createMemoryStore(cut));
    expect(world.requests.map(({ path }) => path)).toEqual(["rd/1"]);
    expect(world.client.observationCount).toBe(1);
  });

  test("a composite observation too large to be kept leads to a Register", async () => {
    const links = [{ n: "/3/0/9" }, { n: "/3/0/16" }];
    const payload = new TextEncoder().encode(JSON.stringify(links) + " ".repeat(5000));
    const request = { path: "/", observe: 0 as const, token: 0x71, contentFormat: senmlJson, payload };
    expect((await world.ask({ method: "FETCH", ...request })).code).toBe("2.05");
    await observe(senmlJson);
    await restart();
    await settle();
    expect(world.requests.map(({ path }) => path)).toEqual(["rd/1", "rd"]);
    expect(world.client.observationCount).toBe(0);
    await restart(); // what the Register has ended counts no more
    expect(world.requests.map(({ path }) => path)).toEqual(["rd/1"]);
  });

  test("where the record of observations is missing, a Register tells the Server", async () => {
    await observe(senmlJson);
    const records = new Map(world.store.records);
    records.delete("observations");
    await restart(createMemoryStore(records));
    expect(world.requests.map(({ path }) => path)).toEqual(["rd"]);
  });

  test("observations that were ended stay ended", async () => {
    await observe(senmlJson);
    await world.ask({ method: "GET", path: "/3/0/9", observe: 1, accept: senmlJson, query: ["con=1"] });
    await restart();
    expect(world.notifications).toEqual([]);
    expect(world.client.observationCount).toBe(0);
  });

  test("observations end where the registration was not kept", async () => {
    await observe(senmlJson);
    await world.clock.advance(seconds(2));
    const records = new Map(world.store.records);
    records.delete("registrations");
    await restart(createMemoryStore(records));
    expect(world.requests.map(({ path }) => path)).toEqual(["rd"]);
    expect(world.client.observationCount).toBe(0);
    await world.clock.advance(seconds(60));
    expect(JSON.parse(new TextDecoder().decode(world.store.records.get("observations")))).toMatchObject({
      content: { observations: [], unkept: [] },
    });
  });

  test("one observation that cannot go on makes the client register anew, without the others", async () => {
    await observe(senmlJson);
    await world.ask({ method: "GET", path: "/3/0/16", observe: 0, token: 0x71 });
    await world.clock.advance(seconds(2));
    const records = new Map(world.store.records);
    const saved = JSON.parse(new TextDecoder().decode(records.get("observations")));
    expect(saved.content.observations).toHaveLength(2);
    saved.content.observations[1].observer = "{}";
    records.set("observations", new TextEncoder().encode(JSON.stringify(saved)));
    await restart(createMemoryStore(records));
    await settle();
    expect(world.requests.map(({ path }) => path)).toEqual(["rd/1", "rd"]);
    expect(world.client.observationCount).toBe(0);
    expect(world.client.registrationState(1)?.name).toBe("registered");
  });

  test("a damaged record costs what it held and a line in the log, and a Register tells the Server", async () => {
    await observe(senmlJson);
    const records = new Map(world.store.records);
    records.set("observations", new TextEncoder().encode('{"version":1,"content":[{"key":1}]}'));
    await restart(createMemoryStore(records));
    expect(world.client.observationCount).toBe(0);
    expect(world.requests.map(({ path }) => path)).toEqual(["rd"]);
    expect(world.log.lines.some(({ event }) => event === "record unreadable")).toBe(true);
  });
});

describe("the store", () => {
  /** How often each record was written. */
  function countWrites(fails: () => boolean = () => false) {
    const store = createMemoryStore();
    const writes: string[] = [];
    const counting = {
      ...store,
      write: async (name: string, record: Uint8Array) => {
        writes.push(name);
        if (fails() && name !== "registrations") throw new Error("no space left on device");
        await store.write(name, record);
      },
    };
    return { store: counting, writes };
  }

  test("is not written with each change of a value that a Server misses", async () => {
    const { store, writes } = countWrites();
    await begin({ store });
    await observe(senmlJson);
    world.cut(true);
    await drain([99]);
    await world.clock.advance(patience);
    writes.length = 0;
    for (let second = 0; second < 120; second++) {
      await world.clock.advance(seconds(1));
      world.device.set(0, 9, second % 90);
      await settle();
    }
    expect(writes.filter((name) => name === "notifications").length).toBeLessThanOrEqual(5);
    expect(writes.filter((name) => name === "observations")).toEqual([]);
  });

  test("that is full ends nothing: one line says what to do, and one that it works again", async () => {
    let isFull = true;
    const { store } = countWrites(() => isFull);
    await begin({ store });
    expect((await observe(senmlJson)).code).toBe("2.05");
    expect((await world.ask({ method: "PUT", path: "/3/0/9", query: ["pmin=0"] })).code).toBe("2.04");
    await drain([99, 98]);
    expect(world.notifications).toHaveLength(2);
    const said = (event: string) => world.log.lines.filter((line) => line.event === event);
    expect(
      said("record not saved")
        .map(({ fields }) => fields["record"])
        .sort(),
    ).toEqual(["attributes", "observations"]);
    expect(said("record not saved")[0]?.fields["advice"]).toContain("state directory");
    const registrations = JSON.parse(
      new TextDecoder().decode(store.records.get("registrations") ?? new Uint8Array()),
    );
    expect(registrations.content).toEqual([]); // with an observation lost it could not go on
    isFull = false;
    await world.ask({ method: "PUT", path: "/3/0/9", query: ["pmin=1"] });
    await world.clock.advance(seconds(2));
    expect(said("record saved again")).toHaveLength(1);
  });
});
