/** One state folder, one agent: a file that names the process which has it. */
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../platform/system-error.js";
import { ServiceFailure, serviceExitCodes } from "./exit-codes.js";

export interface StateLock {
  /** Calling it again is harmless. */
  release(): Promise<void>;
}

/** What tells one run of a process from another one with the same number, also over boots. */
interface Holder {
  readonly pid: number;
  readonly bootId: string;
  /** In clock ticks since the boot, proc(5); empty where there is no /proc. */
  readonly startTime: string;
}

const lockName = "lock";
/** Between finding a lock of the dead and taking it somebody else may be quicker. */
const attempts = 3;

/** @throws ServiceFailure naming the process that has the folder */
export async function lockState(directory: string, proc = "/proc"): Promise<StateLock> {
  const path = join(directory, lockName);
  const self: Holder = {
    pid: process.pid,
    bootId: await readText(`${proc}/sys/kernel/random/boot_id`),
    startTime: await startTimeOf(proc, process.pid),
  };
  const draft = join(directory, `${lockName}.${process.pid}`);
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
  try {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      if (await tryLink(draft, path)) return { release: () => release(path, self) };
      const text = await readText(path);
      const holder = parseHolder(text);
      if (holder !== undefined && (await isAlive(proc, holder, self))) throw inUse(directory, holder.pid);
      await takeAway(path, text, `${draft}.old`);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new ServiceFailure(
    serviceExitCodes.stateInUse,
    `${path} is taken again and again by others: start one agent only with this state folder`,
  );
}

const inUse = (directory: string, pid: number) =>
  new ServiceFailure(
    serviceExitCodes.stateInUse,
    `another agent, process ${pid}, has the state folder ${directory}: stop it (systemctl stop lwm2m-agent), or give this one another folder with --state-directory`,
  );

async function tryLink(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path); // atomic, and whole from its first moment
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moves a lock of the dead aside; puts it back where it is not the one that was read. */
async function takeAway(path: string, text: string, aside: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  if ((await readText(aside)) !== text) await tryLink(aside, path);
  await rm(aside, { force: true });
}

async function release(path: string, self: Holder): Promise<void> {
  const holder = parseHolder(await readText(path));
  if (holder?.pid === self.pid && holder.startTime === self.startTime) await rm(path, { force: true });
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, bootId, startTime } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (!Number.isSafeInteger(pid) || typeof bootId !== "string" || typeof startTime !== "string")
      return undefined;
    return { pid: pid as number, bootId, startTime };
  } catch {
    return undefined; // cut off by a power cut, or not ours
  }
}

async function isAlive(proc: string, holder: Holder, self: Holder): Promise<boolean> {
  if (holder.bootId !== self.bootId) return false;
  if (holder.pid === self.pid) return holder.startTime === self.startTime;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (errorCode(error) !== "EPERM") return false;
  }
  // There is a process of that number. The processes of others may be hidden from us: then it counts as the holder.
  const startTime = await startTimeOf(proc, holder.pid);
  return startTime === "" || holder.startTime === "" || startTime === holder.startTime;
}

/** Field 22 of /proc/PID/stat; the name of the program before it may hold anything. */
async function startTimeOf(proc: string, pid: number): Promise<string> {
  const stat = await readText(`${proc}/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

const readText = (path: string): Promise<string> =>
  readFile(path, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
