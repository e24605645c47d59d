import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seconds } from "../../agent/ports.js";
import type { JobRecord } from "../../jobs/job.js";
import { createJobService, type JobService } from "../../jobs/job-service.js";
import { createSimulatedClock, type SimulatedClock, settle } from "../simulated/clock.js";
import { createRecordingLog, type RecordingLog } from "../simulated/log.js";
import { withFirmware } from "./firmware-device.js";
import { createSimulatedGateway, refuse, type SimulatedGateway } from "./simulated-gateway.js";

let clock: SimulatedClock;
let gateway: SimulatedGateway;
let log: RecordingLog;
let jobs: JobService;
let changes: JobRecord[];

const packageUri = "http://192.0.2.9/firmware.img";
const minutes = (count: number) => seconds(count * 60);

beforeEach(() => {
  clock = createSimulatedClock();
  gateway = createSimulatedGateway();
  log = createRecordingLog();
  jobs = createJobService({ gateway, clock, log });
  changes = [];
  jobs.onChange((record) => changes.push(record));
});

afterEach(async () => {
  await jobs.close();
  expect(clock.pending).toBe(0);
  expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
});

const child = (deviceId: string) =>
  jobs.getJobs().then((all) => all.find((job) => job.deviceId === deviceId));

/** What the child of one device said on its way, in order. */
const progressOf = (deviceId: string) =>
  changes
    .filter((job) => job.deviceId === deviceId)
    .map(({ status, statusMessage }) => statusMessage ?? status);

/** Never resolves by itself. */
const never = () => new Promise<void>(() => undefined);

describe("a job over six devices", () => {
  const names = ["d1", "d2", "d3", "d4", "d5", "d6"];

  test("makes seven records and ends with all devices updated", async () => {
    for (const name of names) withFirmware(gateway, name, gateway.register(name), clock);
    const made = await jobs.scheduleFirmwareUpdate("upd-7", names, packageUri);
    expect(made).toEqual({
      jobId: "upd-7",
      type: "firmwareUpdate",
      status: "enqueued",
      createdTimeUtc: "2026-01-01T00:00:00.000Z",
      statusMessage: "Devices: 6; Succeeded: 0; Failed: 0;",
      parameters: { DeviceIds: names, PackageUri: packageUri, Timeout: "00:30:00" },
      deviceJobStatistics: {
        deviceCount: 6,
        pendingCount: 6,
        runningCount: 0,
        succeededCount: 0,
        failedCount: 0,
        cancelledCount: 0,
      },
    });
    await clock.advance(minutes(2));
    const all = await jobs.getJobs();
    expect(all.map(({ jobId }) => jobId)).toEqual([
      ...names.map((_, index) => `upd-7.${index + 1}`),
      "upd-7",
    ]);
    expect(all.at(-1)).toMatchObject({
      status: "completed",
      statusMessage: "Devices: 6; Succeeded: 6; Failed: 0;",
      startTimeUtc: "2026-01-01T00:00:00.000Z",
      deviceJobStatistics: { deviceCount: 6, succeededCount: 6, runningCount: 0 },
    });
    expect(all[0]).toEqual({
      jobId: "upd-7.1",
      type: "firmwareUpdate",
      status: "completed",
      createdTimeUtc: "2026-01-01T00:00:00.000Z",
      startTimeUtc: "2026-01-01T00:00:00.000Z",
      endTimeUtc: "2026-01-01T00:00:30.000Z",
      statusMessage: "Updated to firmware version 2.0",
      deviceId: "d1",
      parentJobId: "upd-7",
    });
  });

  test("ends as completed with the failures in its tally", async () => {
    for (const name of names) {
      const device = gateway.register(name);
      withFirmware(gateway, name, device, clock, name === "d2" ? { downloadResult: 7 } : {});
    }
    gateway.deregister("d5");
    await jobs.scheduleFirmwareUpdate("upd-8", names, packageUri);
    await clock.advance(minutes(2));
    expect(await jobs.getJob("upd-8")).toMatchObject({
      status: "completed",
      statusMessage: "Devices: 6; Succeeded: 4; Failed: 2;",
    });
    expect(await child("d2")).toMatchObject({
      status: "failed",
      failureReason: "Update Result 7 (invalid URI) while downloading",
      error: { code: "firmware.7" },
    });
    const offline = await child("d5");
    expect(offline).toMatchObject({
      status: "failed",
      failureReason: "d5 is not registered",
      error: { code: "deviceNotConnected" },
    });
    expect(offline).not.toHaveProperty("startTimeUtc");
  });
});

describe("a firmware update", () => {
  test("tells its progress", async () => {
    withFirmware(gateway, "d1", gateway.register("d1"), clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(minutes(1));
    expect(progressOf("d1")).toEqual([
      "enqueued",
      "running",
      "Preparing",
      "Downloading",
      "Downloaded",
      "Updating",
      "Registered again",
      "Updated to firmware version 2.0",
    ]);
  });

  test("needs no notification at all", async () => {
    withFirmware(gateway, "d1", gateway.register("d1"), clock, { silent: true });
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(minutes(1));
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("clears away what an earlier one left behind", async () => {
    const device = gateway.register("d1");
    withFirmware(gateway, "d1", device, clock);
    device.resources.set("/5/0/3", 2).set("/5/0/5", 8);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(minutes(1));
    expect(device.requests.filter((request) => request.startsWith("write"))).toEqual([
      "write /5/0/1 ",
      `write /5/0/1 ${packageUri}`,
    ]);
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("reports an installation that failed", async () => {
    withFirmware(gateway, "d1", gateway.register("d1"), clock, { updateResult: 8 });
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(minutes(1));
    expect(await child("d1")).toMatchObject({
      status: "failed",
      error: { code: "firmware.8" },
      failureReason: "Update Result 8 (firmware update failed) while updating",
    });
  });

  test("ends by its timeout, and the next job begins", async () => {
    const device = gateway.register("d1");
    device.resources.set("/5/0/3", 0).set("/5/0/5", 0).set("/3/0/3", "1.0");
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri, minutes(1));
    await jobs.scheduleDevicePropertyRead("r", "d1", "FirmwareVersion");
    await clock.advance(seconds(59));
    expect(await jobs.getJob("u.1")).toMatchObject({ status: "running" });
    expect(await jobs.getJob("r.1")).toMatchObject({ status: "enqueued" });
    await clock.advance(seconds(1));
    expect(await jobs.getJob("u.1")).toMatchObject({
      status: "failed",
      error: { code: "jobTimeout" },
      failureReason: "no end after 00:01:00 (Downloading)",
    });
    expect(await jobs.getJob("r.1")).toMatchObject({
      status: "completed",
      result: { FirmwareVersion: "1.0" },
    });
  });

  test("is offered again to a device that forgot it in a restart", async () => {
    const device = gateway.register("d1");
    withFirmware(gateway, "d1", device, clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(seconds(3));
    device.resources.set("/5/0/3", 0);
    gateway.reregister("d1");
    await clock.advance(minutes(1));
    expect(device.requests.filter((request) => request.startsWith("write"))).toHaveLength(2);
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("is ordered again when the order was lost in a restart", async () => {
    const device = gateway.register("d1");
    withFirmware(gateway, "d1", device, clock);
    const { before } = device;
    device.before = (request) => {
      if (request !== "execute /5/0/2") return before(request);
      device.before = before;
      clock.after(seconds(2), () => gateway.reregister("d1"));
      return never();
    };
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(minutes(1));
    expect(device.requests.filter((request) => request === "execute /5/0/2")).toHaveLength(2);
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("outlives the time in which its device is not registered", async () => {
    const device = gateway.register("d1");
    withFirmware(gateway, "d1", device, clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(seconds(15));
    gateway.deregister("d1");
    expect(await child("d1")).toMatchObject({ status: "running", statusMessage: "Restarting" });
    await clock.advance(seconds(14));
    gateway.register("d1").resources.set("/5/0/3", 0).set("/5/0/5", 1).set("/3/0/3", "2.0");
    await clock.advance(seconds(1));
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("on a device without the Object fails with notFound", async () => {
    gateway.register("d1");
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(seconds(1));
    expect(await child("d1")).toMatchObject({ status: "failed", error: { code: "notFound" } });
  });

  test("observes and reads no more once it has ended", async () => {
    const device = gateway.register("d1");
    withFirmware(gateway, "d1", device, clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(minutes(1));
    const { length } = device.requests;
    await clock.advance(minutes(10));
    expect(device.requests).toHaveLength(length);
    expect([...device.observers.values()].every(({ size }) => size === 0)).toBe(true);
  });
});

describe("cancelling", () => {
  test("ends a firmware update on the device while it downloads", async () => {
    const device = gateway.register("d1");
    withFirmware(gateway, "d1", device, clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(seconds(5));
    await jobs.cancelJob("u");
    await clock.advance(seconds(10));
    expect(device.requests).toContain("execute /5/0/10");
    expect(device.resources.get("/5/0/3")).toBe(0);
    expect(await child("d1")).toMatchObject({ status: "cancelled" });
    expect(await jobs.getJob("u")).toMatchObject({
      status: "cancelled",
      deviceJobStatistics: { cancelledCount: 1 },
    });
  });

  test("writes an empty Package URI where the Object is of version 1.0", async () => {
    const device = gateway.register("d1", {
      objects: new Map([[5, { version: undefined, instances: [0] }]]),
    });
    withFirmware(gateway, "d1", device, clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(seconds(5));
    await jobs.cancelJob("u");
    await clock.advance(seconds(10));
    expect(device.requests.filter((request) => request.startsWith("write"))).toEqual([
      `write /5/0/1 ${packageUri}`,
      "write /5/0/1 ",
    ]);
    expect(await child("d1")).toMatchObject({ status: "cancelled" });
  });

  test("leaves a device alone that is installing, and reports what became of it", async () => {
    withFirmware(gateway, "d1", gateway.register("d1"), clock);
    await jobs.scheduleFirmwareUpdate("u", "d1", packageUri);
    await clock.advance(seconds(15));
    expect(await child("d1")).toMatchObject({ statusMessage: "Updating" });
    await jobs.cancelJob("u");
    await clock.advance(minutes(1));
    expect(await child("d1")).toMatchObject({ status: "completed" });
    expect(await jobs.getJob("u")).toMatchObject({
      status: "cancelled",
      statusMessage: "Devices: 1; Succeeded: 1; Failed: 0;",
    });
  });

  test("takes a job out of the queue before it has begun", async () => {
    const device = gateway.register("d1");
    device.before = never;
    await jobs.scheduleDevicePropertyRead("first", "d1", "Timezone");
    await jobs.scheduleDevicePropertyRead("second", "d1", "Timezone");
    expect(await jobs.cancelJob("second")).toMatchObject({ status: "cancelled" });
    expect(await jobs.getJob("second.1")).toMatchObject({ status: "cancelled" });
    expect(await jobs.getJob("first.1")).toMatchObject({ status: "running" });
  });

  test("concerns one device when it names a child", async () => {
    for (const name of ["d1", "d2"]) gateway.register(name).before = never;
    await jobs.scheduleDevicePropertyRead("busy", ["d1", "d2"], "Timezone");
    await jobs.scheduleReboot("r", ["d1", "d2"]);
    await jobs.cancelJob("r.1");
    expect(await jobs.getJob("r.1")).toMatchObject({ status: "cancelled" });
    expect(await jobs.getJob("r.2")).toMatchObject({ status: "enqueued" });
    expect(await jobs.getJob("r")).toMatchObject({ status: "running" });
  });

  test("changes nothing about a job that has ended", async () => {
    gateway.register("d1");
    await jobs.scheduleReboot("r", "d1");
    await settle();
    expect(await jobs.cancelJob("r")).toMatchObject({ status: "completed" });
  });
});

describe("the jobs of one device", () => {
  test("run one at a time in the order of their creation, and a reboot overtakes", async () => {
    const device = gateway.register("d1");
    device.resources.set("/3/0/15", "UTC");
    let release: () => void = () => undefined;
    device.before = () => new Promise((resolve) => (release = resolve));
    await jobs.scheduleDevicePropertyRead("a", "d1", "Timezone");
    await jobs.scheduleDevicePropertyWrite("b", "d1", { Timezone: "CET" });
    await jobs.scheduleFactoryReset("c", "d1");
    await jobs.scheduleReboot("d", "d1");
    await jobs.scheduleReboot("e", "d1");
    for (let request = 0; request < 5; request++) {
      await settle();
      release();
    }
    await settle();
    expect(device.requests).toEqual([
      "read /3/0/15",
      "execute /3/0/4",
      "execute /3/0/4",
      "write /3/0/15 CET",
      "execute /3/0/5",
    ]);
  });

  test("wait while it sleeps, and begin when it has woken up", async () => {
    const device = gateway.register("d1", { queueMode: true });
    device.resources.set("/3/0/15", "UTC");
    device.awake = false;
    await jobs.scheduleDevicePropertyRead("r", "d1", "Timezone");
    await clock.advance(seconds(60));
    expect(await child("d1")).toMatchObject({
      status: "enqueued",
      statusMessage: "Waiting for the device to wake up",
    });
    device.awake = true;
    gateway.update("d1");
    await settle();
    expect(await child("d1")).toMatchObject({ status: "completed", result: { Timezone: "UTC" } });
  });

  test("fail when it sleeps for longer than they may take", async () => {
    gateway.register("d1", { queueMode: true }).awake = false;
    await jobs.scheduleDevicePropertyRead("r", "d1", "Timezone");
    await clock.advance(minutes(2));
    expect(await child("d1")).toMatchObject({ status: "failed", error: { code: "jobTimeout" } });
  });
});

describe("what jobs do", () => {
  test("a read brings the values, by name, in JSON", async () => {
    const device = gateway.register("d1");
    device.resources
      .set("/3/0/3", "1.0")
      .set("/3/0/9", 90)
      .set("/3/0/13", 1767225600)
      .set("/3303/0/5700", "22.5");
    await jobs.scheduleDevicePropertyRead("r", "d1", [
      "FirmwareVersion",
      "/3/0/9",
      "CurrentTime",
      "/3303/0/5700",
    ]);
    await settle();
    expect(await child("d1")).toMatchObject({
      status: "completed",
      result: {
        FirmwareVersion: "1.0",
        "/3/0/9": 90,
        CurrentTime: "2026-01-01T00:00:00.000Z",
        "/3303/0/5700": "22.5",
      },
    });
  });

  test("a write that the device does not allow fails with notAllowed", async () => {
    gateway.register("d1").before = () => refuse("4.05");
    await jobs.scheduleDevicePropertyWrite("w", "d1", { BatteryLevel: 50 });
    await settle();
    expect(await child("d1")).toMatchObject({ status: "failed", error: { code: "notAllowed" } });
  });

  test.each([
    ["4.00", "badValue"],
    ["4.01", "unauthorized"],
    ["4.04", "notFound"],
    ["4.05", "notAllowed"],
    ["4.15", "badValue"],
    ["5.00", "deviceError"],
    ["5.03", "deviceError"],
  ])("an answer %s becomes the code %s", async (response, code) => {
    gateway.register("d1").before = () => refuse(response);
    await jobs.scheduleDeviceConfigurationUpdate("c", "d1", "x");
    await settle();
    expect((await child("d1"))?.error?.code).toBe(code);
  });

  test("a configuration is written, then applied", async () => {
    const device = gateway.register("d1");
    await jobs.scheduleDeviceConfigurationUpdate("c", "d1", "");
    await settle();
    expect(device.requests).toEqual(["write /42769/0/2 ", "execute /42769/0/3"]);
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("a reboot is done when the device registers anew instead of answering", async () => {
    gateway.register("d1").before = never;
    await jobs.scheduleReboot("r", "d1");
    gateway.reregister("d1");
    await settle();
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("a write over which the device restarts is done again", async () => {
    const device = gateway.register("d1");
    device.before = never;
    await jobs.scheduleDevicePropertyWrite("w", "d1", { Timezone: "CET" });
    device.before = () => undefined;
    gateway.reregister("d1");
    await settle();
    expect(device.requests).toEqual(["write /3/0/15 CET", "write /3/0/15 CET"]);
    expect(await child("d1")).toMatchObject({ status: "completed" });
  });

  test("one that takes too long fails after two minutes", async () => {
    gateway.register("d1").before = never;
    await jobs.scheduleReboot("r", "d1");
    await clock.advance(seconds(119));
    expect(await child("d1")).toMatchObject({ status: "running" });
    await clock.advance(seconds(1));
    expect(await child("d1")).toMatchObject({ status: "failed", error: { code: "jobTimeout" } });
  });
});

describe("a caller", () => {
  test("gets 404 for an unknown device, and no record is made", async () => {
    gateway.register("d1");
    await expect(jobs.scheduleReboot("r", ["d1", "ghost"])).rejects.toMatchObject({ statusCode: 404 });
    expect(await jobs.getJobs()).toEqual([]);
  });

  test("gets 404 for an unknown job", async () => {
    await expect(jobs.getJob("nothing")).rejects.toMatchObject({ statusCode: 404 });
    await expect(jobs.cancelJob("nothing")).rejects.toMatchObject({ statusCode: 404 });
    await expect(jobs.waitForJob("nothing")).rejects.toMatchObject({ statusCode: 404 });
  });

  test("gets 409 for a job id that is in use", async () => {
    gateway.register("d1");
    await jobs.scheduleReboot("r", "d1");
    await expect(jobs.scheduleReboot("r", "d1")).rejects.toMatchObject({ statusCode: 409 });
  });

  test("can wait for the end of a job, or give up waiting", async () => {
    gateway.register("d1").before = never;
    await jobs.scheduleReboot("r", "d1");
    const impatience = new AbortController();
    const abandoned = jobs.waitForJob("r", { signal: impatience.signal });
    const end = jobs.waitForJob("r");
    impatience.abort(new Error("no patience"));
    await expect(abandoned).rejects.toThrow("no patience");
    await clock.advance(minutes(2));
    expect(await end).toMatchObject({ jobId: "r", status: "completed" });
    expect(await jobs.waitForJob("r.1")).toMatchObject({ status: "failed" });
  });

  test("is told that the service is closed", async () => {
    gateway.register("d1").before = never;
    await jobs.scheduleReboot("r", "d1");
    const waiting = jobs.waitForJob("r");
    const refusal = expect(waiting).rejects.toThrow("client is closed");
    await jobs.close();
    await refusal;
    await expect(jobs.getJobs()).rejects.toThrow("client is closed");
    await expect(jobs.scheduleReboot("r", "d1")).rejects.toThrow("client is closed");
  });

  test("sees the newest jobs when history is full", async () => {
    const small = createJobService({ gateway, clock, log, historySize: 2 });
    gateway.register("d1");
    for (const jobId of ["a", "b", "c"]) {
      await small.scheduleReboot(jobId, "d1");
      await settle();
    }
    const parents = (await small.getJobs()).filter(({ parentJobId }) => parentJobId === undefined);
    expect(parents.map(({ jobId }) => jobId)).toEqual(["b", "c"]);
    await small.close();
  });
});

test("a listener that throws does not disturb the jobs", async () => {
  gateway.register("d1");
  const stop = jobs.onChange(() => {
    throw new Error("of the listener");
  });
  await jobs.scheduleReboot("r", "d1");
  await settle();
  stop();
  expect(await jobs.getJob("r")).toMatchObject({ statusMessage: "Devices: 1; Succeeded: 1; Failed: 0;" });
  expect(log.lines.splice(0).some(({ event }) => event === "a listener to job changes failed")).toBe(true);
});
