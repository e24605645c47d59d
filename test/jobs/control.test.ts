import { once } from "node:events";
import { chmod, link, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../agent/model/errors.js";
import { type ControlServer, createControlServer, defaultControlSocket } from "../../jobs/control.js";
import { type ControlClient, createControlClient } from "../../jobs/control-client.js";
import type { JobRecord } from "../../jobs/job.js";
import { createJobService, type JobService } from "../../jobs/job-service.js";
import { createSimulatedClock, type SimulatedClock } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createSimulatedGateway, type SimulatedGateway } from "./simulated-gateway.js";

let directory: string;
let path: string;
let clock: SimulatedClock;
let gateway: SimulatedGateway;
let jobs: JobService;
let control: ControlServer;
let client: ControlClient;

const listen = (socket = path) =>
  createControlServer(socket, { jobs, server: gateway, packageUri: "http://192.0.2.9/f.img" });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "control-"));
  path = join(directory, "run", "simulation.sock");
  clock = createSimulatedClock();
  gateway = createSimulatedGateway();
  jobs = createJobService({ gateway, clock, log: createRecordingLog() });
  control = await listen();
  client = createControlClient(path);
});

afterEach(async () => {
  client.close();
  await control.close();
  await jobs.close();
  await rm(directory, { recursive: true });
});

/** Sends raw text, and returns what comes back until the connection ends or `lines` lines have come. */
async function talk(text: string, lines = 1): Promise<string> {
  const socket = connect(path);
  await once(socket, "connect");
  socket.setEncoding("utf8");
  let received = "";
  socket.on("data", (piece: string) => {
    received += piece;
    if (received.split("\n").length > lines) socket.destroy();
  });
  socket.on("error", () => undefined);
  socket.write(text);
  await new Promise((resolve) => socket.once("close", resolve)); // `once` would reject over a connection that is cut
  return received;
}

describe("the socket", () => {
  test("and its directory are for their owner alone", async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, "run"))).mode & 0o777).toBe(0o700);
  });

  test("is gone after close", async () => {
    await control.close();
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("of a simulation that was killed is replaced", async () => {
    const stale = join(directory, "stale.sock");
    const dead = createServer().listen(stale);
    await once(dead, "listening");
    // A killed process does not remove its socket; Node does, so put the file back by its other name.
    await link(stale, `${stale}.kept`);
    dead.close();
    await once(dead, "close");
    const revived = await listen(`${stale}.kept`);
    await revived.close();
  });

  test("of a live simulation is refused, and stays", async () => {
    await expect(listen()).rejects.toThrow(`another simulation listens on ${path}`);
    expect(await client.devices()).toEqual([]);
  });

  test("does not take the place of a file", async () => {
    const file = join(directory, "precious.txt");
    await writeFile(file, "data");
    await expect(listen(file)).rejects.toThrow("exists and is no socket");
  });

  test("is not put where others may write", async () => {
    await chmod(directory, 0o777);
    await expect(listen(join(directory, "other.sock"))).rejects.toThrow("is open to other users");
  });

  test("has a path that the system takes", async () => {
    await expect(listen(join(directory, "x".repeat(100)))).rejects.toThrow("too long for a socket");
  });

  test.each([
    [{ XDG_RUNTIME_DIR: "/run/user/1000" }, "/run/user/1000/lwm2m-agent/simulation.sock"],
    [{}, join(tmpdir(), "lwm2m-agent-1000", "simulation.sock")],
    [{ XDG_RUNTIME_DIR: "" }, join(tmpdir(), "lwm2m-agent-1000", "simulation.sock")],
  ])("is by default where %j says", (env, expected) => {
    expect(defaultControlSocket(env, 1000)).toBe(expected);
  });
});

describe("a client", () => {
  test("is told when no simulation runs", async () => {
    const nobody = createControlClient(join(directory, "nothing.sock"));
    await expect(nobody.jobs()).rejects.toThrow(ConfigError);
    await expect(nobody.jobs()).rejects.toThrow("no simulation is running: start one with");
  });

  test("is told when the simulation ends", async () => {
    gateway.register("d1").before = () => new Promise(() => undefined);
    const { jobId } = await client.submit({ type: "rebootDevice" });
    const following = client.follow(jobId, () => undefined);
    const refusal = expect(following).rejects.toThrow("the simulation has ended");
    await client.jobs();
    await control.close();
    await refusal;
  });

  test("lists devices", async () => {
    gateway.register("d1");
    expect(await client.devices()).toEqual([
      {
        endpointName: "d1",
        address: "192.0.2.1",
        port: 5683,
        lwm2mVersion: "1.1",
        lifetimeSeconds: 300,
        registeredAt: "1970-01-01T00:00:00.000Z",
      },
    ]);
  });

  test("sends a job of each type to all devices", async () => {
    for (const name of ["d1", "d2"]) gateway.register(name).resources.set("/3/0/15", "UTC");
    const submissions = [
      [{ type: "rebootDevice" }, "reboot-1"],
      [{ type: "factoryResetDevice" }, "factory-reset-1"],
      [{ type: "updateDeviceConfiguration", value: "x" }, "configure-1"],
      [{ type: "readDeviceProperties", names: ["Timezone"] }, "read-1"],
      [{ type: "writeDeviceProperties", properties: { Timezone: "CET" } }, "write-1"],
    ] as const;
    for (const [submission, jobId] of submissions) {
      const made = await client.submit(submission);
      expect(made).toMatchObject({ jobId, type: submission.type, parameters: { DeviceIds: ["d1", "d2"] } });
      const children: JobRecord[] = [];
      expect(await client.follow(jobId, (record) => children.push(record))).toMatchObject({
        status: "completed",
        statusMessage: "Devices: 2; Succeeded: 2; Failed: 0;",
      });
      expect(new Set(children.map(({ deviceId }) => deviceId))).toContain("d2");
    }
    expect(await client.jobs()).toHaveLength(15);
    expect(await client.submit({ type: "rebootDevice" })).toMatchObject({ jobId: "reboot-2" });
  });

  test("gets the package of the simulation when it names none", async () => {
    gateway.register("d1");
    const made = await client.submit({
      type: "firmwareUpdate",
      timeout: 60_000,
      devices: ["d1"],
      jobId: "mine",
    });
    expect(made).toMatchObject({
      jobId: "mine",
      parameters: { PackageUri: "http://192.0.2.9/f.img", Timeout: "00:01:00" },
    });
  });

  test("follows a job from what it is now to its end", async () => {
    let release: () => void = () => undefined;
    gateway.register("d1").before = () => new Promise((resolve) => (release = resolve));
    const { jobId } = await client.submit({ type: "rebootDevice" });
    const seen: string[] = [];
    const end = client.follow(jobId, ({ jobId: id, status }) => {
      seen.push(`${id} ${status}`);
      release();
    });
    expect(await end).toMatchObject({ status: "completed" });
    expect(seen).toEqual(["reboot-1.1 running", "reboot-1.1 completed"]);
  });

  test("cancels a job", async () => {
    gateway.register("d1").before = () => new Promise(() => undefined);
    await client.submit({ type: "rebootDevice" });
    const { jobId } = await client.submit({ type: "rebootDevice" });
    expect(await client.cancel(jobId)).toMatchObject({ status: "cancelled" });
  });

  test.each([
    ["no device", { type: "rebootDevice" }, 404, "no device is registered"],
    ["an unknown device", { type: "rebootDevice", devices: ["ghost"] }, 404, "no such device: ghost"],
    [
      "an unknown name",
      { type: "readDeviceProperties", names: ["Colour"], devices: ["d"] },
      400,
      "is no property",
    ],
  ] as const)("is refused with %s", async (_, submission, statusCode, message) => {
    const refusal = expect(client.submit(submission)).rejects;
    await refusal.toMatchObject({
      name: "ControlError",
      statusCode,
      message: expect.stringContaining(message),
    });
  });
});

describe("what is no request", () => {
  test.each([
    ["nonsense", "nonsense\n"],
    ["no object", "[]\n"],
    ["no id", '{"method":"jobs"}\n'],
    ["an unknown method", '{"id":1,"method":"shutdown"}\n'],
    ["a job without type", '{"id":1,"method":"submit","job":{}}\n'],
    ["a job of another type", '{"id":1,"method":"submit","job":{"type":"export"}}\n'],
    ["a method of JavaScript's", '{"id":1,"method":"toString"}\n'],
  ])("is answered with 400: %s", async (_, text) => {
    expect(JSON.parse(await talk(text))).toMatchObject({ error: { statusCode: 400 } });
  });

  test("may come in pieces and in one piece", async () => {
    const answers = await talk('{"id":1,"method":"jobs"}\n\n{"id":2,"method":"devices"}\n', 2);
    const ids = answers
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { id: number }).id);
    expect(ids).toEqual([1, 2]);
  });

  test("ends the connection when a line has no end, and nothing else", async () => {
    expect(await talk("x".repeat(3 * 1024 * 1024))).toBe("");
    expect(await client.jobs()).toEqual([]);
  });
});
