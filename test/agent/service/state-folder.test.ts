import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { migrate, openStateFolder } from "../../../agent/service/state-folder.js";
import { lockState } from "../../../agent/service/state-lock.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { createRecordingLog } from "../../simulated/log.js";

/** A /proc in which only what is named is there. */
function procWith(boot: string, startTimes: Readonly<Record<number, string>>): string {
  const proc = temporaryDirectory();
  mkdirSync(join(proc, "sys/kernel/random"), { recursive: true });
  writeFileSync(join(proc, "sys/kernel/random/boot_id"), `${boot}\n`);
  for (const [pid, startTime] of Object.entries(startTimes)) {
    mkdirSync(join(proc, pid));
    // The name of a program may hold whatever looks like the end of it.
    const fields = ["S", ...Array.from({ length: 18 }, () => "0"), startTime, "0"];
    writeFileSync(join(proc, pid, "stat"), `${pid} (node) x) ${fields.join(" ")}\n`);
  }
  return proc;
}

const written = (folder: string) => JSON.parse(readFileSync(join(folder, "lock"), "utf8")) as { pid: number };
const lockOf = (folder: string, holder: object) =>
  writeFileSync(join(folder, "lock"), JSON.stringify(holder));

test("a folder is locked once, and free again after its release", async () => {
  const folder = temporaryDirectory();
  const lock = await lockState(folder);
  await expect(lockState(folder)).rejects.toMatchObject({
    exitCode: 69,
    message: expect.stringContaining(`another agent, process ${process.pid}, has the state folder ${folder}`),
  });
  await lock.release();
  await lock.release();
  await (await lockState(folder)).release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a process that lives holds its lock, one that has ended does not", async () => {
  const folder = temporaryDirectory();
  const other = spawn(process.execPath, ["-e", "process.stdin.resume()"]);
  const pid = other.pid ?? 0;
  const proc = procWith("boot-1", { [process.pid]: "500", [pid]: "600" });
  lockOf(folder, { pid, bootId: "boot-1", startTime: "600" });
  await expect(lockState(folder, proc)).rejects.toThrow(`process ${pid}`);
  const ended = once(other, "exit");
  other.kill();
  await ended;
  await lockState(folder, proc);
  expect(written(folder).pid).toBe(process.pid);
});

test.each([
  ["of another boot", { pid: process.ppid, bootId: "boot-0", startTime: "600" }],
  ["of an earlier process with the same number", { pid: process.ppid, bootId: "boot-1", startTime: "599" }],
  ["of our own number in an earlier run", { pid: process.pid, bootId: "boot-1", startTime: "499" }],
  ["that is no record", { nonsense: true }],
])("a lock %s is taken over", async (_, holder) => {
  const folder = temporaryDirectory();
  const proc = procWith("boot-1", { [process.pid]: "500", [process.ppid]: "600" });
  lockOf(folder, holder);
  await lockState(folder, proc);
  expect(written(folder).pid).toBe(process.pid);
});

test("a lock that a power cut left empty is taken over", async () => {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, "lock"), "");
  await lockState(folder);
  expect(written(folder).pid).toBe(process.pid);
});

test("a process whose start is hidden from us counts as the holder", async () => {
  const folder = temporaryDirectory();
  lockOf(folder, { pid: process.ppid, bootId: "boot-1", startTime: "600" });
  const proc = procWith("boot-1", { [process.pid]: "500" });
  await expect(lockState(folder, proc)).rejects.toThrow(`process ${process.ppid}`);
});

test("a folder of any older version is migrated step by step, and a step that failed is taken up again", async () => {
  const folder = temporaryDirectory();
  const log = createRecordingLog();
  const done: number[] = [];
  let fails = true;
  const migrations = [0, 1, 2].map((version) => async () => {
    if (version === 1 && fails) throw new Error("no space left");
    done.push(version);
  });
  await expect(migrate(folder, { log, current: 3, migrations })).rejects.toThrow("no space left");
  expect(readFileSync(join(folder, "version"), "utf8")).toBe("1\n");
  fails = false;
  await migrate(folder, { log, current: 3, migrations });
  await migrate(folder, { log, current: 3, migrations });
  expect(done).toEqual([0, 1, 2]);
  expect(readFileSync(join(folder, "version"), "utf8")).toBe("3\n");
});

test.each([
  ["2\n", "is of version 2, this program knows up to 1: install the newer lwm2m-agent again"],
  ["twelve", "holds no version: restore it"],
])("a folder whose version is %j is refused, and not locked", async (version, sentence) => {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, "version"), version);
  await expect(openStateFolder(folder, createRecordingLog())).rejects.toMatchObject({
    exitCode: 65,
    message: expect.stringContaining(sentence),
  });
  expect(readdirSync(folder)).toEqual(["version"]);
});
