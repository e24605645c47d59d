import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Ended, run, start, withFolder } from "./program.js";

test("jobs from a second terminal do what they say", { timeout: 90_000 }, () =>
  withFolder(async (folder) => {
    const socket = join(folder, "s");
    const simulation = start("simulate", "--wait", "--devices", "2", "--socket", socket);
    await simulation.said("devices are registered");
    const jobs = (...args: readonly string[]): Promise<Ended> => run("jobs", ...args, "--socket", socket);
    const values = async (...names: readonly string[]) => (await jobs("read", ...names)).stdout;

    expect((await jobs("devices")).stdout).toMatch(/^simulated-1 .*\n^simulated-2 /m);
    expect(await values("FirmwareVersion", "SerialNumber")).toContain(
      "FirmwareVersion=2.0  SerialNumber=simulated-2",
    );

    expect(await jobs("write", "Timezone=Europe/Berlin", "--devices", "simulated-1")).toMatchObject({
      exitCode: 0,
    });
    expect((await jobs("read", "Timezone", "--devices", "simulated-1")).stdout).toContain(
      "Timezone=Europe/Berlin",
    );
    const refused = await jobs("write", "BatteryLevel=3");
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toContain("[notAllowed]");

    expect(await jobs("configure", '{"interval":60}')).toMatchObject({ exitCode: 0 });
    expect(await values("ConfigValue")).toContain('ConfigValue={"interval":60}');

    expect(await jobs("firmware-update")).toMatchObject({ exitCode: 0 });
    expect(await values("FirmwareVersion")).toMatch(/simulated-1 .*=3\.0\n.*simulated-2 .*=3\.0/);

    // The answer to a reset comes before the reset; the device is back within seconds, and nothing is left of it all.
    expect(await jobs("factory-reset", "--devices", "simulated-1")).toMatchObject({ exitCode: 0 });
    expect(await jobs("reboot", "--devices", "simulated-2")).toMatchObject({ exitCode: 0 });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await values("FirmwareVersion")).toMatch(/simulated-1 .*=1\.0\n.*simulated-2 .*=3\.0/);
    expect((await jobs("read", "Timezone", "--devices", "simulated-1")).stdout).toContain("[notFound]");

    const started = await jobs("reboot", "--devices", "simulated-2", "--async");
    expect(started).toMatchObject({ exitCode: 0, stdout: "reboot-2\n" });
    const listed: unknown = JSON.parse((await jobs("list", "--json")).stdout);
    expect(listed).toEqual(expect.arrayContaining([expect.objectContaining({ jobId: "firmware-update-1" })]));

    simulation.kill("SIGINT");
    expect(await simulation.ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(existsSync(socket)).toBe(false);
  }),
);
