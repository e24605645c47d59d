import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import yargs from "yargs";
import { createJobsCommand } from "../../jobs/cli.js";
import { type ControlServer, createControlServer } from "../../jobs/control.js";
import { createJobService, type JobService } from "../../jobs/job-service.js";
import { createSimulatedClock } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createSimulatedGateway, refuse, type SimulatedGateway } from "./simulated-gateway.js";

let directory: string;
let gateway: SimulatedGateway;
let jobs: JobService;
let control: ControlServer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "jobs-cli-"));
  gateway = createSimulatedGateway();
  jobs = createJobService({ gateway, clock: createSimulatedClock(), log: createRecordingLog() });
  control = await createControlServer(join(directory, "lwm2m-agent", "simulation.sock"), {
    jobs,
    server: gateway,
  });
  for (const name of ["d1", "d2"]) {
    gateway.register(name).resources.set("/3/0/3", "1.0").set("/3/0/15", "UTC");
  }
});

afterEach(async () => {
  await control.close();
  await jobs.close();
  await rm(directory, { recursive: true });
});

interface Run {
  readonly out: string[];
  readonly err: string[];
  readonly exitCode: number | undefined;
}

/** Runs the commands as the program does, with what they print and their exit code kept. */
async function run(...args: string[]): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  let exitCode: number | undefined;
  const command = createJobsCommand({
    env: { XDG_RUNTIME_DIR: directory },
    uid: 1000,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    exitCode: (code) => {
      exitCode = code;
    },
  });
  await yargs(["jobs", ...args])
    .scriptName("lwm2m-agent")
    .command(command)
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    })
    .parseAsync();
  return { out, err, exitCode };
}

const help = (...args: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const command = createJobsCommand({ env: {}, uid: 1000, out: reject, err: reject, exitCode: reject });
    yargs()
      .scriptName("lwm2m-agent")
      .command(command)
      .exitProcess(false)
      .parse(["jobs", ...args, "--help"], (_: unknown, __: unknown, output: string) => resolve(output));
  });

describe("a job", () => {
  test("shows its progress, its results and the tally", async () => {
    const { out, err, exitCode } = await run("read", "FirmwareVersion", "/3/0/15");
    expect(out).toEqual([
      "DEVICE  STATUS     MESSAGE",
      "d1      completed  FirmwareVersion=1.0  /3/0/15=UTC",
      "d2      completed  FirmwareVersion=1.0  /3/0/15=UTC",
      "Devices: 2; Succeeded: 2; Failed: 0;",
    ]);
    expect(err.join("\n")).toContain("d1: completed");
    expect(exitCode).toBe(0);
  });

  test("that fails on one device ends with code 1 and the reason", async () => {
    gateway.register("d3").before = () => refuse("4.05");
    const { out, exitCode } = await run("write", "--devices", "d1,d3", "BatteryLevel=50");
    expect(out).toContain("d3      failed     the request was answered with 4.05 [notAllowed]");
    expect(out.at(-1)).toBe("Devices: 2; Succeeded: 1; Failed: 1;");
    expect(exitCode).toBe(1);
  });

  test("is printed as JSON for a program, and nothing else", async () => {
    const { out, err, exitCode } = await run("reboot", "--devices", "d2", "--json");
    expect(JSON.parse(out.join("\n"))).toMatchObject({
      job: { jobId: "reboot-1", status: "completed" },
      devices: [{ deviceId: "d2", status: "completed" }],
    });
    expect(err).toEqual([]);
    expect(exitCode).toBe(0);
  });

  test("may be left running", async () => {
    gateway.register("d3").before = () => new Promise(() => undefined);
    const { out, exitCode } = await run("factory-reset", "--devices", "d3", "--async");
    expect(out).toEqual(["factory-reset-1"]);
    expect(exitCode).toBe(0);
    expect((await run("list")).out).toEqual([
      "JOB                PARENT           DEVICE  STATUS   MESSAGE",
      "factory-reset-1.1  factory-reset-1  d3      running  ",
      "factory-reset-1                             running  Devices: 1; Succeeded: 0; Failed: 0;",
    ]);
  });

  test("configures with text as it is", async () => {
    await run("configure", "--devices", "d1", '{"interval":60}');
    expect(await jobs.getJob("configure-1")).toMatchObject({ parameters: { Value: '{"interval":60}' } });
  });

  test.each([
    [["Timezone=Europe/Berlin", "UtcOffset=+01:00"], { Timezone: "Europe/Berlin", UtcOffset: "+01:00" }],
    [['{"Timezone":"a=b","RegistrationLifetime":60}'], { Timezone: "a=b", RegistrationLifetime: 60 }],
    [["Timezone="], { Timezone: "" }],
  ])("writes %j", async (args, properties) => {
    expect(await run("write", "--devices", "d1", ...args)).toMatchObject({ exitCode: 0 });
    expect(await jobs.getJob("write-1")).toMatchObject({ parameters: { DeviceProperties: properties } });
  });

  test("hands the timeout over in minutes", async () => {
    const uri = "http://192.0.2.1/f.img";
    expect(await run("firmware-update", uri, "--timeout", "90", "--async")).toMatchObject({ exitCode: 0 });
    expect(await jobs.getJob("firmware-update-1")).toMatchObject({
      parameters: { PackageUri: uri, Timeout: "01:30:00", DeviceIds: ["d1", "d2"] },
    });
  });

  test("can be cancelled", async () => {
    gateway.register("d3").before = () => new Promise(() => undefined);
    await run("factory-reset", "--devices", "d3", "--async");
    await run("factory-reset", "--devices", "d3", "--async");
    expect((await run("cancel", "factory-reset-2")).out).toEqual(["factory-reset-2: cancelled"]);
  });
});

test("devices are listed", async () => {
  const { out } = await run("devices");
  expect(out).toHaveLength(3);
  expect(out[1]).toBe("d1      192.0.2.1:5683  1.1    300 s     1970-01-01T00:00:00.000Z");
  expect(JSON.parse((await run("devices", "--json")).out.join("\n"))).toHaveLength(2);
});

describe("a command that cannot run ends with code 2 and one line", () => {
  test.each([
    [["reboot", "--devices", "ghost"], "lwm2m-agent: no such device: ghost"],
    [["firmware-update"], "lwm2m-agent: a firmware update needs the URI of a package"],
    [
      ["firmware-update", "http://192.0.2.1/f", "--timeout", "0"],
      "lwm2m-agent: the timeout of a firmware update is between 1 minute and 24 hours",
    ],
    [["write", "Timezone"], 'lwm2m-agent: "Timezone" is not name=value'],
    [["write", "{", "x=1"], "lwm2m-agent: give one JSON object, or name=value pairs"],
    [["cancel", "nothing"], "lwm2m-agent: no such job: nothing"],
  ])("%j", async (args, line) => {
    expect(await run(...args)).toEqual({ out: [], err: [line], exitCode: 2 });
  });

  test("because no simulation is running", async () => {
    const { err, exitCode } = await run("list", "--socket", join(directory, "none.sock"));
    expect(err.join()).toContain("no simulation is running");
    expect(exitCode).toBe(2);
  });
});

describe("help", () => {
  test.each([
    "firmware-update",
    "reboot",
    "factory-reset",
    "configure",
    "read",
    "write",
    "list",
    "devices",
    "cancel",
  ])("of %s has an example", async (command) => {
    expect(await help(command)).toMatch(new RegExp(`Examples:\\s+lwm2m-agent jobs ${command}`));
  });

  test("names every command", async () => {
    expect(await help()).toMatch(
      /firmware-update[\s\S]*reboot[\s\S]*configure[\s\S]*read[\s\S]*write[\s\S]*list[\s\S]*devices/,
    );
  });
});
