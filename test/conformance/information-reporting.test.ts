/** The cases of the OMA test specification about observations and Send, in simulated time. */
import { beforeEach, describe, expect, test } from "vitest";
import { resolveRecords } from "../../agent/codec/senml.js";
import { decodeSenmlJson } from "../../agent/codec/senml-json.js";
import { formatPath } from "../../agent/model/path.js";
import { seconds } from "../../agent/ports.js";
import { BinaryAppDataContainer } from "../../objects/binary-app-data-container.js";
import { ConnectivityMonitoring } from "../../objects/connectivity-monitoring.js";
import { ConnectivityStatistics } from "../../objects/connectivity-statistics.js";
import { Location } from "../../objects/location.js";
import { createStoredObject, type StoredObject } from "../../objects/stored-object.js";
import {
  createObservingWorld,
  type ObservingWorld,
  type ObservingWorldOptions,
} from "../agent/observing-world.js";
import { settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createMemoryStore } from "../simulated/store.js";

const senmlJson = 110;
const text = new TextEncoder();

/** Configuration 4 of the specification: Device with power sources, storing off. */
async function begin(options: ObservingWorldOptions = {}): Promise<ObservingWorld> {
  const world = await createObservingWorld({
    ...options,
    account: { notificationStoring: false, muteSend: false, ...options.account },
  });
  world.device.set(0, 0, "Open Mobile Alliance");
  world.device.set(
    0,
    6,
    new Map([
      [0, 1],
      [1, 2],
    ]),
  );
  world.device.set(
    0,
    7,
    new Map([
      [0, 3800],
      [1, 5000],
    ]),
  );
  world.device.set(
    0,
    8,
    new Map([
      [0, 125],
      [1, 900],
    ]),
  );
  world.device.set(0, 9, 100);
  world.device.set(0, 11, new Map([[0, 0]]));
  world.device.set(0, 16, "U");
  await world.start();
  return world;
}

/** The body of an Observe-Composite. */
const composite = (...paths: string[]) => ({
  path: "/",
  contentFormat: senmlJson,
  payload: text.encode(JSON.stringify(paths.map((n) => ({ n })))),
});

/** What a notification or Send in SenML JSON says, by path. */
const valuesIn = (payload: Uint8Array): Record<string, unknown> =>
  Object.fromEntries(
    resolveRecords(decodeSenmlJson(payload)).map(({ path, value }) => [formatPath(path), value?.value]),
  );

let world: ObservingWorld;

describe("observations", () => {
  beforeEach(async () => {
    world = await begin();
  });

  test("LightweightM2M-1.1-int-301 Observation and Notification of parameter values", async () => {
    for (const [path, periods] of [
      ["/3/0/7", ["pmin=5", "pmax=15"]],
      ["/3/0/8", ["pmin=10", "pmax=20"]],
    ] as const) {
      expect((await world.ask({ method: "PUT", path, query: periods })).code).toBe("2.04");
    }
    const voltage = await world.ask({
      method: "GET",
      path: "/3/0/7",
      observe: 0,
      token: 7,
      accept: senmlJson,
    });
    const current = await world.ask({
      method: "GET",
      path: "/3/0/8",
      observe: 0,
      token: 8,
      accept: senmlJson,
    });
    expect([voltage.code, current.code]).toEqual(["2.05", "2.05"]);
    expect(voltage.observe).toBeDefined();
    expect(valuesIn(voltage.payload)).toEqual({ "/3/0/7/0": 3800, "/3/0/7/1": 5000 });
    world.device.set(
      0,
      7,
      new Map([
        [0, 3700],
        [1, 5000],
      ]),
    );
    await world.clock.advance(seconds(40));
    expect(world.told(7).map(([at]) => at)).toEqual([5, 20, 35]); // the change at the end of pmin, then pmax
    expect(world.told(8).map(([at]) => at)).toEqual([20, 40]);
    expect(world.notifications.every(({ contentFormat }) => contentFormat === senmlJson)).toBe(true);
    const numbers = world.notifications.filter(({ token }) => token === 7).map(({ observe }) => observe ?? 0);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  test("LightweightM2M-1.1-int-302 Cancel Observations using Reset Operation", async () => {
    await world.ask({ method: "PUT", path: "/3/0/9", query: ["pmin=5", "pmax=15"] });
    await world.ask({ method: "GET", path: "/3/0/9", observe: 0 });
    await world.clock.advance(seconds(16));
    const [notification] = world.notifications;
    if (notification === undefined) throw new Error("no notification");
    await world.reset(notification);
    world.device.set(0, 9, 50);
    await world.clock.advance(seconds(100));
    expect(world.notifications).toHaveLength(1);
    expect(world.client.observationCount).toBe(0);
  });

  test("LightweightM2M-1.1-int-303 Cancel observations using Observe with Cancel parameter", async () => {
    await world.ask({ method: "PUT", path: "/3/0/7", query: ["pmin=5", "pmax=15"] });
    await world.ask({ method: "GET", path: "/3/0/7", observe: 0, accept: senmlJson });
    await world.clock.advance(seconds(16));
    expect(world.notifications).toHaveLength(1);
    const last = await world.ask({ method: "GET", path: "/3/0/7", observe: 1, accept: senmlJson });
    expect(last).toMatchObject({ code: "2.05", observe: undefined });
    expect(valuesIn(last.payload)).toEqual({ "/3/0/7/0": 3800, "/3/0/7/1": 5000 });
    await world.clock.advance(seconds(100));
    expect(world.notifications).toHaveLength(1);
  });

  const targets = ["/1/0/1", "/3/0/11/0", "/3/0/16"];

  test("LightweightM2M-1.1-int-304 Observe-Composite Operation", async () => {
    for (const path of ["/1/0/1", "/3/0/11/0", "/3/0/16"]) {
      await world.ask({ method: "PUT", path, query: ["pmin=30", "pmax=45"] });
    }
    const first = await world.ask({
      method: "FETCH",
      observe: 0,
      accept: senmlJson,
      ...composite(...targets),
    });
    const all = { "/1/0/1": 86400, "/3/0/11/0": 0, "/3/0/16": "U" };
    expect(first).toMatchObject({ code: "2.05", contentFormat: senmlJson });
    expect(first.observe).toBeDefined();
    expect(valuesIn(first.payload)).toEqual(all);
    await world.clock.advance(seconds(10));
    world.device.set(0, 11, new Map([[0, 2]]));
    await world.clock.advance(seconds(66));
    expect(world.notifications.map(({ at }) => at)).toEqual([30, 75]);
    expect(valuesIn(world.notifications[0]?.payload ?? text.encode("[]"))).toEqual({
      ...all,
      "/3/0/11/0": 2,
    });
  });

  test("LightweightM2M-1.1-int-305 Cancel Observation-Composite Operation", async () => {
    await world.ask({ method: "FETCH", observe: 0, accept: senmlJson, ...composite(...targets) });
    world.device.set(0, 16, "UT");
    await settle();
    expect(world.notifications).toHaveLength(1);
    const last = await world.ask({
      method: "FETCH",
      observe: 1,
      accept: senmlJson,
      ...composite(...targets),
    });
    expect(last).toMatchObject({ code: "2.05", observe: undefined });
    world.device.set(0, 16, "U");
    await world.clock.advance(seconds(100));
    expect(world.notifications).toHaveLength(1);
    expect(world.client.observationCount).toBe(0);
  });

  test("LightweightM2M-1.1-int-308 Observe-Composite and Creating Object Instance", async () => {
    world.portfolio.createInstance(0, { 0: new Map([[0, "host"]]) });
    const first = await world.ask({
      method: "FETCH",
      observe: 0,
      accept: senmlJson,
      ...composite("/16/0", "/16/1"),
    });
    expect(valuesIn(first.payload)).toEqual({ "/16/0/0/0": "host" });
    const created = await world.ask({
      method: "POST",
      path: "/16",
      contentFormat: senmlJson,
      payload: text.encode('[{"bn":"/16/1/0/","n":"0","vs":"new"}]'),
    });
    expect(created.code).toBe("2.01");
    expect(world.notifications).toHaveLength(1);
    expect(valuesIn(world.notifications[0]?.payload ?? text.encode("[]"))).toEqual({
      "/16/0/0/0": "host",
      "/16/1/0/0": "new",
    });
  });

  test("LightweightM2M-1.1-int-309 Observe-Composite and Deleting Object Instance", async () => {
    await world.ask({
      method: "POST",
      path: "/16",
      contentFormat: senmlJson,
      payload: text.encode('[{"bn":"/16/1/0/","n":"0","vs":"new"}]'),
    });
    world.portfolio.createInstance(0, { 0: new Map([[0, "host"]]) });
    await world.ask({ method: "FETCH", observe: 0, accept: senmlJson, ...composite("/16/0", "/16/1") });
    expect((await world.ask({ method: "DELETE", path: "/16/1" })).code).toBe("2.02");
    expect(world.notifications).toHaveLength(1);
    expect(valuesIn(world.notifications[0]?.payload ?? text.encode("[]"))).toEqual({ "/16/0/0/0": "host" });
    expect(world.client.observationCount).toBe(1);
  });

  test("LightweightM2M-1.1-int-310 Observe-Composite and modification of parameter values", async () => {
    await world.ask({ method: "PUT", path: "/3/0/9", query: ["pmin=5", "pmax=15"] });
    await world.ask({ method: "GET", path: "/3/0/9", observe: 0 });
    await world.clock.advance(seconds(16));
    expect(world.told()).toEqual([[15, "100"]]);
    await world.ask({ method: "PUT", path: "/3/0/9", query: ["pmax=60"] });
    await world.clock.advance(seconds(100));
    expect(world.told().map(([at]) => at)).toEqual([15, 75]);
  });
});

describe("attributes in the request", () => {
  beforeEach(async () => {
    world = await begin({ version: "1.2" });
  });

  test("LightweightM2M-1.2-int-312 Observation with attributes in the Observe operation", async () => {
    const query = ["pmin=5", "pmax=15"];
    const first = await world.ask({ method: "GET", path: "/3/0/7", query, observe: 0, accept: senmlJson });
    expect(first.code).toBe("2.05");
    world.device.set(
      0,
      7,
      new Map([
        [0, 3700],
        [1, 5000],
      ]),
    );
    await world.clock.advance(seconds(30));
    expect(world.told().map(([at]) => at)).toEqual([5, 20]);
    const links = await world.ask({ method: "GET", path: "/3/0/7", accept: 40 });
    expect(links.text).not.toContain("pmin"); // they are of the observation, and of nothing else
  });

  test("LightweightM2M-1.2-int-313 Attributes in the Observe operation go before attached ones", async () => {
    await world.ask({ method: "PUT", path: "/3/0/7", query: ["pmin=2", "pmax=60"] });
    const query = ["pmax=15"];
    await world.ask({ method: "GET", path: "/3/0/7", query, observe: 0, accept: senmlJson });
    await world.clock.advance(seconds(1));
    world.device.set(
      0,
      7,
      new Map([
        [0, 3700],
        [1, 5000],
      ]),
    );
    await world.clock.advance(seconds(30));
    expect(world.told().map(([at]) => at)).toEqual([1, 16, 31]);
    expect((await world.ask({ method: "GET", path: "/3/0/7", accept: 40 })).text).toContain("pmin=2;pmax=60");
  });
});

describe("Send", () => {
  const sends = () => world.requests.filter(({ path }) => path === "dp");

  test("LightweightM2M-1.1-int-306 Send Operation", async () => {
    world = await begin();
    const sending = world.client.send(["/3/0/9"], { contentFormat: senmlJson });
    await settle();
    expect(await sending).toEqual([{ shortServerId: 1, delivered: true }]);
    expect(sends()).toMatchObject([{ code: 2, contentFormat: senmlJson }]);
    expect(valuesIn(sends()[0]?.payload ?? text.encode("[]"))).toEqual({ "/3/0/9": 100 });
  });

  test("LightweightM2M-1.1-int-311 Send command", async () => {
    world = await begin();
    const sending = world.client.send(["/1/0/1", "/3/0/11/0"], { contentFormat: senmlJson });
    await settle();
    expect(await sending).toEqual([{ shortServerId: 1, delivered: true }]);
    expect(valuesIn(sends()[0]?.payload ?? text.encode("[]"))).toEqual({ "/1/0/1": 86400, "/3/0/11/0": 0 });
  });

  test("LightweightM2M-1.1-int-307 Muting Send", async () => {
    world = await begin();
    const write = (value: string) =>
      world.ask({ method: "PUT", path: "/1/0/23", contentFormat: 0, payload: text.encode(value) });
    const send = async () => {
      const sending = world.client.send(["/3/0/9"]);
      await settle();
      const [report] = await sending;
      return report?.delivered;
    };
    expect((await write("1")).code).toBe("2.04");
    expect(await send()).toBe(false);
    expect(sends()).toEqual([]);
    expect((await write("0")).code).toBe("2.04");
    expect(await send()).toBe(true);
    expect(sends()).toHaveLength(1);
  });
});

describe("observations of other Objects", () => {
  let object: StoredObject;
  const withObject = async (definition: Parameters<typeof createStoredObject>[0]["definition"]) => {
    object = await createStoredObject({
      definition,
      store: createMemoryStore(),
      log: createRecordingLog(),
      serversCreate: true,
    });
    world = await begin({ objects: [object] });
  };
  const observe = (path: string) => world.ask({ method: "GET", path, observe: 0, accept: senmlJson });
  const lastTold = () => valuesIn(world.notifications.at(-1)?.payload ?? text.encode("[]"));

  test("LightweightM2M-1.1-int-710 Observation of Connectivity Monitoring", async () => {
    await withObject(ConnectivityMonitoring);
    for (const [id, value] of [
      [0, 41],
      [2, -60],
      [3, 80],
    ] as const)
      object.set(0, id, value);
    await world.ask({ method: "PUT", path: "/4/0", query: ["pmin=5", "pmax=15"] });
    expect((await observe("/4/0")).code).toBe("2.05");
    object.set(0, 2, -72);
    object.set(0, 3, 70);
    await world.clock.advance(seconds(20));
    expect(world.told().map(([at]) => at)).toEqual([5, 20]);
    expect(lastTold()).toMatchObject({ "/4/0/2": -72, "/4/0/3": 70 });
  });

  test("LightweightM2M-1.1-int-810 Observation of Location", async () => {
    await withObject(Location);
    for (const [id, value] of [
      [0, 52.5],
      [1, 13.4],
      [5, 1700000000],
    ] as const)
      object.set(0, id, value);
    expect((await observe("/6/0")).code).toBe("2.05");
    object.set(0, 0, 52.6);
    await settle();
    expect(lastTold()).toMatchObject({ "/6/0/0": 52.6, "/6/0/1": 13.4 });
  });

  test("LightweightM2M-1.1-int-910 Observation of Connectivity Statistics", async () => {
    await withObject(ConnectivityStatistics);
    for (const [id, value] of [
      [2, 10],
      [3, 20],
    ] as const)
      object.set(0, id, value);
    expect((await observe("/7/0")).code).toBe("2.05");
    object.set(0, 2, 11);
    await settle();
    expect(lastTold()).toMatchObject({ "/7/0/2": 11, "/7/0/3": 20 });
  });

  test("LightweightM2M-1.1-int-1900 Observation of BinaryAppDataContainer", async () => {
    await withObject(BinaryAppDataContainer);
    object.createInstance(0, { 0: new Map([[0, Uint8Array.of(1, 2)]]) });
    expect((await observe("/19/0/0")).code).toBe("2.05");
    object.set(
      0,
      0,
      new Map([
        [0, Uint8Array.of(1, 2)],
        [1, Uint8Array.of(3)],
      ]),
    );
    await settle();
    expect(Object.keys(lastTold())).toEqual(["/19/0/0/0", "/19/0/0/1"]);
  });
});
