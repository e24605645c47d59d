import { describe, expect, test } from "vitest";
import type { ConnectivityReadings, InterfaceCounters } from "../../agent/model/readings.js";
import { seconds } from "../../agent/ports.js";
import { createConnectivityMonitoring, networkBearers } from "../../objects/connectivity-monitoring.js";
import { createConnectivityStatistics } from "../../objects/connectivity-statistics.js";
import { createSimulatedClock, settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, tested } from "./doubles.js";

const wired: ConnectivityReadings = {
  bearer: "ethernet",
  availableBearers: ["ethernet", "wlan"],
  addresses: ["192.0.2.7", "2001:db8::7"],
  routers: ["192.0.2.1"],
};

describe("Connectivity Monitoring", () => {
  function monitoring(readings: { now: ConnectivityReadings }) {
    const clock = createSimulatedClock();
    let asked = 0;
    const object = createConnectivityMonitoring({
      clock,
      log: createRecordingLog(),
      connectivity: async () => {
        asked++;
        return readings.now;
      },
    });
    return { object, clock, asked: () => asked, ...tested(object) };
  }

  test("says what the device is connected by", async () => {
    const { read, asked } = monitoring({ now: wired });
    expect(await read("networkBearer")).toBe(41);
    expect(await read("availableNetworkBearer")).toEqual(
      new Map([
        [0, 41],
        [1, 21],
      ]),
    );
    expect(await read("radioSignalStrength")).toBe(0);
    expect(await read("ipAddresses")).toEqual(
      new Map([
        [0, "192.0.2.7"],
        [1, "2001:db8::7"],
      ]),
    );
    expect(await read("routerIpAddresses")).toEqual(new Map([[0, "192.0.2.1"]]));
    for (const name of [
      "linkQuality",
      "linkUtilization",
      "apn",
      "cellId",
      "smnc",
      "smcc",
      "signalSnr",
      "lac",
    ]) {
      expect(await read(name)).toBeUndefined();
    }
    expect(asked()).toBe(1);
  });

  test("says what a modem knows of its cell", async () => {
    const { read } = monitoring({
      now: {
        ...wired,
        bearer: "nbIot",
        routers: [],
        signalStrength: -101,
        linkQuality: 12,
        apns: ["iot.example"],
        cellId: 0x1234567,
        mobileNetworkCode: 1,
        mobileCountryCode: 262,
        signalToNoise: 7,
        locationAreaCode: 99,
        coverageEnhancement: 2,
        linkUtilization: 3,
      },
    });
    const names = [
      "networkBearer",
      "radioSignalStrength",
      "linkQuality",
      "linkUtilization",
      "cellId",
      "smnc",
      "smcc",
    ];
    const values = await Promise.all(
      [...names, "signalSnr", "lac", "coverageEnhancementLevel"].map((n) => read(n)),
    );
    expect(values).toEqual([7, -101, 12, 3, 0x1234567, 1, 262, 7, 99, 2]);
    expect(await read("apn")).toEqual(new Map([[0, "iot.example"]]));
    expect(await read("routerIpAddresses")).toBeUndefined();
  });

  test("asks only when somebody reads or observes, and tells what changed", async () => {
    const readings = { now: wired };
    const { object, clock, asked, changes, start } = monitoring(readings);
    await start();
    await clock.advance(seconds(100));
    expect(asked()).toBe(0);
    object.watched?.(true);
    await clock.advance(seconds(5));
    readings.now = { ...wired, bearer: "wlan", signalStrength: -60 };
    await clock.advance(seconds(5));
    expect(changes).toEqual(["0/networkBearer", "0/radioSignalStrength"]);
    object.watched?.(false);
    await clock.advance(seconds(100));
    expect(asked()).toBe(2);
    expect(clock.pending).toBe(0);
  });

  test("numbers every bearer as the registry does", () => {
    expect(Object.values(networkBearers)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22, 23, 41, 42, 43]);
  });
});

describe("Connectivity Statistics", () => {
  const counters = (transmittedBytes: number, receivedBytes: number, packets: number): InterfaceCounters => ({
    transmittedBytes,
    receivedBytes,
    transmittedPackets: packets,
    receivedPackets: packets,
  });

  function statistics(store = createFailableStore()) {
    const clock = createSimulatedClock();
    const interfaces = new Map([["eth0", counters(1_000_000, 2_000_000, 1000)]]);
    const object = createConnectivityStatistics({
      clock,
      log: createRecordingLog(),
      store,
      traffic: async () => new Map(interfaces),
    });
    const under = tested(object);
    const read = async () => [
      await under.read("txData"),
      await under.read("rxData"),
      await under.read("averageMessageSize"),
    ];
    return { ...under, object, clock, interfaces, store, read, one: under.read };
  }

  test("counts from Start to Stop, and then stays", async () => {
    const { execute, interfaces, read, start, changes } = statistics();
    await start();
    expect(await read()).toEqual([0, 0, 0]);
    await execute("start");
    interfaces.set("eth0", counters(1_005_999, 2_010_000, 1050));
    expect(await read()).toEqual([5, 10, 160]);
    await execute("stop");
    interfaces.set("eth0", counters(9_000_000, 9_000_000, 9000));
    expect(await read()).toEqual([5, 10, 160]);
    await execute("start");
    expect(await read()).toEqual([0, 0, 0]);
    expect(changes).toHaveLength(9);
  });

  test("adds up interfaces that come, go and start counting anew", async () => {
    const { execute, interfaces, read, start } = statistics();
    await start();
    await execute("start");
    interfaces.set("wwan0", counters(3000, 0, 1));
    expect(await read()).toEqual([3, 0, 1500]);
    interfaces.set("eth0", counters(2000, 1000, 1));
    expect(await read()).toEqual([5, 1, 1500]);
    interfaces.delete("wwan0");
    interfaces.set("eth0", counters(2000, 1000, 1));
    expect(await read()).toEqual([5, 1, 1500]);
  });

  test("ends by itself after the Collection Period, which survives a restart", async () => {
    const before = statistics();
    await before.start();
    await before.write("collectionPeriod", 60);
    const { execute, interfaces, read, start, clock, one, changes } = statistics(before.store);
    await start();
    expect(await one("collectionPeriod")).toBe(60);
    await execute("start");
    await clock.advance(seconds(59));
    interfaces.set("eth0", counters(1_001_000, 2_000_000, 1001));
    await clock.advance(seconds(1));
    interfaces.set("eth0", counters(5_000_000, 5_000_000, 5000));
    expect(await read()).toEqual([1, 0, 500]);
    expect(changes.slice(3)).toEqual(["0/txData", "0/rxData", "0/averageMessageSize"]);
    expect(clock.pending).toBe(0);
  });

  test("a Collection Period counts from Start, and 0 takes the end away", async () => {
    const { execute, start, clock, write, interfaces, read } = statistics();
    await start();
    await execute("start");
    await clock.advance(seconds(30));
    await write("collectionPeriod", 40);
    await clock.advance(seconds(5));
    await write("collectionPeriod", 0);
    await clock.advance(seconds(1000));
    interfaces.set("eth0", counters(1_002_000, 2_000_000, 1000));
    expect((await read())[0]).toBe(2);
    await write("collectionPeriod", 40); // long over
    await clock.advance(seconds(0));
    interfaces.set("eth0", counters(1_009_000, 2_000_000, 1000));
    expect((await read())[0]).toBe(2);
  });

  test("is read again only while it is observed", async () => {
    const { execute, object, start, clock, interfaces, changes } = statistics();
    await start();
    await execute("start");
    changes.length = 0;
    object.watched?.(true);
    await settle();
    interfaces.set("eth0", counters(1_002_000, 2_000_000, 1000));
    await clock.advance(seconds(10));
    expect(changes).toEqual(["0/txData"]);
    await object.close?.();
    expect(clock.pending).toBe(0);
  });
});
