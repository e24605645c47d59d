/** The whole way: a Server's job, download, RAUC, restart, trial, commit; and what happens when the new image is no good. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seconds } from "../../agent/ports.js";
import { type FirmwareServer, startFirmwareServer } from "../../agent/simulation/firmware-server.js";
import { resourceContent } from "../../jobs/device-gateway.js";
import type { JobRecord } from "../../jobs/job.js";
import { createJobService, type JobService } from "../../jobs/job-service.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { debianPackage } from "./debian-package.js";
import type { Guest } from "./guest.js";
import {
  createBundle,
  createRaucBoard,
  createSigningKeys,
  cutPower,
  type SigningKeys,
  type SlotImage,
} from "./rauc-board.js";

const run = promisify(execFile);
const device = "lab-board";
const clock = createSystemClock();
const log = createRecordingLog();
const packages: FirmwareServer[] = [];
let guest: Guest;
let keys: SigningKeys;
let server: ManagementServer;
let jobs: JobService;
let running: Promise<void>;

beforeAll(async () => {
  server = await createManagementServer({ port: 0, clock, random: systemRandom, log });
  jobs = createJobService({ gateway: server, clock, log, pollInterval: seconds(1) });
  ({ guest, keys } = await createRaucBoard());
  await cp(await debianPackage(), join(guest.disk, "lwm2m-agent.deb"));
  const { code, stdout, stderr } = await guest.chroot("dpkg", "-i", "/disk/lwm2m-agent.deb");
  expect(code, stdout + stderr).toBe(0);
  await guest.write("/etc/lwm2m-agent/agent.yaml", configuration(server.uri));
  await guest.chroot("systemctl", "enable", "lwm2m-agent.service");
  await guest.boot();
  running = guest.keepUp();
  await guest.until(async () => server.devices().length === 1, "it is registered");
});
afterAll(async () => {
  await jobs?.close();
  await guest?.remove();
  await running;
  await server?.close();
  for (const each of packages) await each.close();
});

const configuration = (uri: string) => `
endpointName: ${device}
servers:
  - uri: ${uri}
    lifetime: 60 s
board:
  type: rauc
firmware:
  maximumResumes: 1
  trial:
    timeLimit: 15 s
    health: { program: /usr/local/bin/healthy }
    healthInterval: 1 s
`;

async function update(jobId: string, image: SlotImage): Promise<JobRecord> {
  const packageServer = await startFirmwareServer({ image: await createBundle(image, keys) });
  packages.push(packageServer);
  await jobs.scheduleFirmwareUpdate(jobId, device, packageServer.packageUri, seconds(300));
  await jobs.waitForJob(jobId, { signal: AbortSignal.timeout(170_000) });
  return jobs.getJob(`${jobId}.1`);
}

const environment = async (name: string) => (await guest.must("fw_printenv", "-n", name)).trim();
const runningImage = () => guest.must("cat", "/run/image");
const status = async () => JSON.parse(await guest.must("lwm2m-agent", "status", "--json"));

test("a good image is installed, tried out, and stays", async () => {
  const job = await update("good", { version: "2.0", health: "good" });
  expect(job, `${JSON.stringify(job)}\n${await guest.journal("lwm2m-agent")}`).toMatchObject({
    status: "completed",
  });
  expect(await runningImage()).toContain("VERSION=2.0");
  expect(guest.boots).toBe(2);
  // Marked good: the boot loader has its attempts back, and starts this slot again.
  expect([await environment("BOOT_ORDER"), await environment("BOOT_B_LEFT")]).toEqual(["B A", "3"]);
  expect(await status()).toMatchObject({
    board: { firmwareVersion: "2.0" },
    firmware: {
      stateName: "Idle",
      result: 1,
      lastOutcome: { result: 1, previousVersion: expect.any(String) },
    },
  });
});

test("an image that never becomes healthy is taken back, with the reason", async () => {
  const before = guest.boots;
  const job = await update("sick", { version: "3.0", health: "bad" });
  expect(job, `${JSON.stringify(job)}\n${await guest.journal("lwm2m-agent")}`).toMatchObject({
    status: "failed",
  });
  expect(await runningImage()).toContain("VERSION=2.0");
  expect(guest.boots - before).toBe(2); // into the new image, and back
  const { firmware } = await status();
  expect(firmware).toMatchObject({ stateName: "Idle", result: 8, lastOutcome: { result: 8 } });
  expect(firmware.lastOutcome.reason).toContain("not healthy");
});

test("an image whose agent never comes up ends in the old image, by the boot loader's count", async () => {
  // Nothing of ours runs there: its unit does not even start.
  await guest.write(
    "/etc/systemd/system/lwm2m-agent.service.d/broken-image.conf",
    "[Unit]\nConditionPathExists=!/run/broken-image\n",
  );
  await guest.write(
    "/etc/systemd/system/broken-image.service",
    "[Unit]\nDefaultDependencies=no\nAfter=boot-loader.service\nBefore=lwm2m-agent.service sysinit.target\nConditionPathExists=/run/image\n" +
      "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'grep -q VERSION=4.0 /run/image && touch /run/broken-image; true'\n" +
      "[Install]\nWantedBy=sysinit.target\n",
  );
  await guest.write(
    "/etc/systemd/system/no-agent.service",
    "[Unit]\nAfter=multi-user.target\nConditionPathExists=/run/broken-image\n" +
      "[Service]\nType=oneshot\nExecStart=/bin/systemctl --no-block reboot\n[Install]\nWantedBy=multi-user.target\n",
  );
  await guest.must("systemctl", "daemon-reload");
  await guest.must("systemctl", "enable", "broken-image.service", "no-agent.service");
  const job = await update("broken", { version: "4.0", health: "good" });
  expect(job, `${JSON.stringify(job)}\n${await guest.journal("lwm2m-agent")}`).toMatchObject({
    status: "failed",
  });
  expect(await runningImage()).toContain("VERSION=2.0");
  expect((await status()).firmware).toMatchObject({ stateName: "Idle", result: 8 });
});

test("a bundle that somebody else signed never reaches a slot", async () => {
  const before = guest.boots;
  const image = await createBundle({ version: "5.0", health: "good" }, await createSigningKeys());
  const packageServer = await startFirmwareServer({ image });
  packages.push(packageServer);
  await jobs.scheduleFirmwareUpdate("foreign", device, packageServer.packageUri, seconds(120));
  await jobs.waitForJob("foreign", { signal: AbortSignal.timeout(100_000) });
  expect(await jobs.getJob("foreign.1")).toMatchObject({ status: "failed" });
  expect((await status()).firmware).toMatchObject({ stateName: "Idle", result: 5 });
  expect(guest.boots).toBe(before);
});

test.each([300, 700, 1200, 2000, 3500])(
  "power that goes %i ms after the order leaves the old image or the new one, and the Server hears which",
  async (moment) => {
    const version = `6.${moment}`;
    const old = await runningImage();
    const packageServer = await startFirmwareServer({
      image: await createBundle({ version, health: "good" }, keys),
      rate: 2 ** 20,
    });
    packages.push(packageServer);
    const jobId = `cut-${moment}`;
    await jobs.scheduleFirmwareUpdate(jobId, device, packageServer.packageUri, seconds(120));
    await new Promise((resolve) => setTimeout(resolve, moment));
    await cutPower(guest);
    await running;
    await guest.boot();
    running = guest.keepUp();
    await jobs.waitForJob(jobId, { signal: AbortSignal.timeout(150_000) });
    const job = await jobs.getJob(`${jobId}.1`);
    const { firmware } = await status();
    expect(firmware.stateName, JSON.stringify(firmware)).toBe("Idle");
    if (firmware.result === 1) {
      expect(job.status).toBe("completed");
      expect(await runningImage()).toContain(`VERSION=${version}`);
    } else {
      // Before the agent had noted the order it is as if it had never come.
      expect([0, 4], JSON.stringify(firmware)).toContain(firmware.result);
      expect(await runningImage()).toBe(old);
    }
  },
);

test("the package of the agent is upgraded while an update is in state Downloaded, which stays", async () => {
  await guest.until(async () => server.device(device) !== undefined, "it is registered");
  const packageServer = await startFirmwareServer({
    image: await createBundle({ version: "7.0", health: "good" }, keys),
  });
  packages.push(packageServer);
  await server.write(device, [5, 0, 1], resourceContent([5, 0, 1], packageServer.packageUri), "replace");
  await guest.until(async () => (await status()).firmware.stateName === "Downloaded", "it is downloaded");
  const before = await status();

  await writeFile(join(guest.disk, "newer.deb"), await newerPackage("99.0.0"));
  await guest.must("dpkg", "-i", "/disk/newer.deb");
  await guest.until(async () => server.device(device) !== undefined && (await isAnswering()), "it is back");
  const after = await status();
  expect(after.pid).not.toBe(before.pid);
  expect(after.version).toBe("99.0.0");
  expect(after.firmware).toMatchObject({ stateName: "Downloaded", package: { version: "7.0" } });

  await server.execute(device, [5, 0, 2]);
  await guest.until(
    async () => (await guest.run("cat", "/run/image")).stdout.includes("VERSION=7.0"),
    "the new image runs",
    90,
  );
  await guest.until(
    async () => (await isAnswering()) && (await status()).firmware.result === 1,
    "it stays",
    60,
  );
});

const isAnswering = async () => (await guest.run("lwm2m-agent", "status")).code === 0;

/** The same package under a newer version. */
async function newerPackage(version: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "newer-"));
  try {
    const tree = join(folder, "tree");
    await run("dpkg-deb", ["--raw-extract", await debianPackage(), tree]);
    for (const [file, pattern, replacement] of [
      ["DEBIAN/control", /^Version: .*$/m, `Version: ${version}`],
      ["usr/lib/lwm2m-agent/package.json", /"version": "[^"]*"/, `"version": "${version}"`],
    ] as const) {
      await writeFile(
        join(tree, file),
        (await readFile(join(tree, file), "utf8")).replace(pattern, replacement),
      );
    }
    await run("dpkg-deb", ["--root-owner-group", "--build", tree, join(folder, "newer.deb")]);
    return await readFile(join(folder, "newer.deb"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
