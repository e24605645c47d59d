/** The cases of the OMA test specification for Objects 4, 6, 7 and 19: a whole agent over real sockets. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ResourcePath } from "../../agent/model/path.js";
import type { ConnectivityReadings, InterfaceCounters } from "../../agent/model/readings.js";
import { resourceIn } from "../../jobs/device-gateway.js";
import { BinaryAppDataContainer } from "../../objects/binary-app-data-container.js";
import { type ManagedAgent, startManagedAgent } from "../agent/managed-agent.js";

const radio: ConnectivityReadings = {
  bearer: "wlan",
  availableBearers: ["wlan", "ethernet"],
  signalStrength: -60,
  linkQuality: 50,
  addresses: ["192.0.2.20"],
  routers: ["192.0.2.1"],
};

let managed: ManagedAgent;
let readings: ConnectivityReadings;
let counters: InterfaceCounters;

beforeEach(async () => {
  readings = radio;
  counters = { transmittedBytes: 5000, receivedBytes: 7000, transmittedPackets: 50, receivedPackets: 70 };
  managed = await startManagedAgent({
    objects: [6, 19],
    definitions: [BinaryAppDataContainer],
    readings: { connectivity: () => readings, traffic: () => new Map([["wlan0", counters]]) },
  });
});
afterEach(() => managed.close());

/** What an observer of one Resource is told, the first value included. */
async function observed(path: ResourcePath): Promise<unknown[]> {
  const told: unknown[] = [];
  await managed.server.observe("board", path, (content) => void told.push(resourceIn(content, path)));
  return told;
}

test("LightweightM2M-1.1-int-701 Connectivity Monitoring is read", async () => {
  const { read } = managed;
  expect(managed.server.device("board")?.objects.get(4)).toEqual({ version: "1.3", instances: [0] });
  expect(await read([4, 0, 0])).toBe("21");
  expect(await read([4, 0, 2])).toBe("-60");
  expect(await read([4, 0, 3])).toBe("50");
  await expect(read([4, 0, 8])).rejects.toMatchObject({ code: "4.04" });
});

test("LightweightM2M-1.1-int-710 an observer of Connectivity Monitoring is told what changes", {
  timeout: 30_000,
}, async () => {
  const told = await observed([4, 0, 2]);
  readings = { ...radio, signalStrength: -75 };
  await expect.poll(() => told, { timeout: 20_000 }).toEqual(["-60", "-75"]);
});

test("LightweightM2M-1.1-int-801 Location is read", async () => {
  managed.agent.object(6).set(0, 0, 48.137);
  managed.agent.object(6).set(0, 1, 11.575);
  managed.agent.object(6).set(0, 5, 1_767_225_600);
  expect(await managed.read([6, 0, 0])).toBe("48.137");
  expect(await managed.read([6, 0, 1])).toBe("11.575");
  expect(await managed.read([6, 0, 5])).toBe("1767225600");
  await expect(managed.read([6, 0, 2])).rejects.toMatchObject({ code: "4.04" });
});

test("LightweightM2M-1.1-int-810 an observer of Location is told where the device is", async () => {
  managed.agent.object(6).set(0, 0, 48.137);
  const told = await observed([6, 0, 0]);
  managed.agent.object(6).set(0, 0, 48.25);
  await expect.poll(() => told).toEqual(["48.137", "48.25"]);
});

test("LightweightM2M-1.1-int-901 Connectivity Statistics count from Start to Stop", async () => {
  const { read, execute } = managed;
  await execute([7, 0, 6]);
  expect(await read([7, 0, 2])).toBe("0");
  counters = { ...counters, transmittedBytes: 8000, receivedBytes: 11_000 };
  expect(await read([7, 0, 2])).toBe("3");
  await execute([7, 0, 7]);
  counters = { ...counters, transmittedBytes: 80_000, receivedBytes: 110_000 };
  expect(await read([7, 0, 2])).toBe("3");
  expect(await read([7, 0, 3])).toBe("4");
});

test("LightweightM2M-1.1-int-905 Connectivity Statistics end with their Collection Period", async () => {
  const { read, write, execute } = managed;
  await write([7, 0, 8], "1");
  expect(await read([7, 0, 8])).toBe("1");
  await execute([7, 0, 6]);
  counters = { ...counters, transmittedBytes: 8000 };
  await new Promise((resolve) => setTimeout(resolve, 1200)); // the period itself, in real time
  counters = { ...counters, transmittedBytes: 80_000 };
  expect(await read([7, 0, 2])).toBe("3");
});

test("LightweightM2M-1.1-int-910 an observer of Connectivity Statistics is told that they start anew", async () => {
  const { execute } = managed;
  await execute([7, 0, 6]);
  counters = { ...counters, receivedBytes: 9000 };
  const told = await observed([7, 0, 3]);
  await execute([7, 0, 6]);
  await expect.poll(() => told).toEqual(["2", "0"]);
});

/** Instances 0 and 1, as the test specification has them. */
const createContainers = async () => {
  const object = managed.agent.object(19);
  object.createInstance(0, { 0: new Map([[0, Uint8Array.of(1, 2)]]) });
  object.createInstance(1, { 0: new Map([[0, Uint8Array.of(3)]]) });
  return object;
};

test("LightweightM2M-1.1-int-1900 an observer of BinaryAppDataContainer is told of new data", async () => {
  const object = await createContainers();
  const told: unknown[] = [];
  await managed.server.observe("board", [19, 0, 0, 0], (content) => void told.push(content.get(0)?.get(0)));
  object.set(0, 0, new Map([[0, Uint8Array.of(9, 8, 7)]]));
  await expect
    .poll(() => told)
    .toEqual([new Map([[0, Uint8Array.of(1, 2)]]), new Map([[0, Uint8Array.of(9, 8, 7)]])]);
});

test("LightweightM2M-1.1-int-1901 data is written to BinaryAppDataContainer", async () => {
  const object = await createContainers();
  const data = new Map([[0, Uint8Array.of(0xca, 0xfe)]]);
  await managed.server.write("board", [19, 1, 0, 0], new Map([[1, new Map([[0, data]])]]), "replace");
  expect(object.get(1, 0)).toEqual(data);
  expect(object.get(0, 0)).toEqual(new Map([[0, Uint8Array.of(1, 2)]]));
});
