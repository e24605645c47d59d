import { beforeEach, describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import type { DeviceEvent } from "../../../jobs/device-gateway.js";
import { RegistrationDirectory } from "../../../jobs/server/registration-directory.js";
import type { Registration } from "../../../jobs/server/registration-request.js";
import { createSimulatedClock, type SimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";

let clock: SimulatedClock;
let directory: RegistrationDirectory;
let events: DeviceEvent[];

const home = { address: "192.0.2.1", port: 5683 };
const registration = (endpointName: string, changes: Partial<Registration> = {}): Registration => ({
  endpointName,
  lwm2mVersion: "1.1",
  lifetimeSeconds: 60,
  queueMode: false,
  objects: new Map(),
  ...changes,
});

beforeEach(() => {
  clock = createSimulatedClock();
  directory = new RegistrationDirectory({ clock, random: createSeededRandom(3), log: createRecordingLog() });
  events = [];
  directory.onEvent((event) => events.push(event));
});

describe("a registration", () => {
  test("ends with its lifetime", async () => {
    directory.register(registration("lamp"), home);
    const ended = directory.ended("lamp");
    await clock.advance(seconds(59));
    expect(directory.device("lamp")).toBeDefined();
    await clock.advance(seconds(1));
    expect(directory.device("lamp")).toBeUndefined();
    expect(directory.isKnown("lamp")).toBe(true);
    expect(ended?.reason).toBe("expired");
    expect(events.map(({ type }) => type)).toEqual(["registered", "expired"]);
  });

  test("begins its lifetime again with each Update", async () => {
    const id = directory.register(registration("lamp"), home);
    await clock.advance(seconds(50));
    expect(directory.update(id, {}, home)).toBe(true);
    await clock.advance(seconds(50));
    expect(directory.device("lamp")).toBeDefined();
    expect(directory.update(id, { lifetimeSeconds: 10 }, home)).toBe(true);
    await clock.advance(seconds(10));
    expect(directory.update(id, {}, home)).toBe(false);
  });

  test("with lifetime 0 never ends by itself", async () => {
    directory.register(registration("lamp", { lifetimeSeconds: 0 }), home);
    expect(clock.pending).toBe(0);
  });

  test("ends when the device registers again, and says why", () => {
    const first = directory.register(registration("lamp"), home);
    const ended = directory.ended("lamp");
    directory.register(registration("lamp"), { ...home, port: 4242 });
    expect(ended?.reason).toBe("registered");
    expect(directory.update(first, {}, home)).toBe(false);
    expect(directory.device("lamp")?.port).toBe(4242);
    expect(clock.pending).toBe(1);
  });

  test("moves with an Update from elsewhere", () => {
    const id = directory.register(registration("lamp"), home);
    directory.update(id, {}, { address: "192.0.2.7", port: 1 });
    expect(directory.device("lamp")).toMatchObject({ address: "192.0.2.7", port: 1 });
  });

  test("ends once", () => {
    const id = directory.register(registration("lamp"), home);
    expect(directory.deregister(id)).toBe(true);
    expect(directory.deregister(id)).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe("a device in queue mode", () => {
  test("is reachable for 93 seconds after it was heard", async () => {
    const id = directory.register(registration("lamp", { queueMode: true, lifetimeSeconds: 0 }), home);
    await clock.advance(seconds(92));
    expect(directory.isReachable("lamp")).toBe(true);
    await clock.advance(seconds(1));
    expect(directory.isReachable("lamp")).toBe(false);
    directory.heard("lamp");
    expect(directory.isReachable("lamp")).toBe(true);
    await clock.advance(seconds(93));
    directory.update(id, {}, home);
    expect(directory.isReachable("lamp")).toBe(true);
  });
});

test("devices are listed in the order that a person counts", () => {
  for (const name of ["device-10", "device-9", "device-1"]) directory.register(registration(name), home);
  expect(directory.devices().map(({ endpointName }) => endpointName)).toEqual([
    "device-1",
    "device-9",
    "device-10",
  ]);
});

test("ten thousand devices are enough, and those that are there may come back", () => {
  for (let number = 0; number < 10_000; number++) directory.register(registration(`d${number}`), home);
  expect(() => directory.register(registration("one more"), home)).toThrow("10000 devices are registered");
  expect(() => directory.register(registration("d7"), home)).not.toThrow();
});
