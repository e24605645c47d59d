/** Updates that are cut off, by processes that are killed; what the next process makes of what is left on disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { createSimulatedImage } from "../../../platform/boards/simulated-image.js";

/** How one update is interrupted. */
export interface Plan {
  /** Killed before its n-th effect. */
  readonly cutAt?: number;
  /** Killed so many milliseconds after it began. */
  readonly killAfter?: number;
  /** The process that goes on is killed again, before its n-th effect. */
  readonly cutAgainAt?: number;
  /** Only the agent was killed; the board went on. */
  readonly sameBoot?: boolean;
  /** What became of the record of the update: changed by a bad disk, or as it was at the first of two cuts. */
  readonly damage?: "truncated" | "zeroed" | "empty" | "older";
}

export interface Ending {
  readonly plan: Plan;
  /** How often it was cut; fewer times than planned when it had ended by then. */
  readonly cuts: number;
  /** Effects of the process that ended it. */
  readonly moments: number;
  /** What the Server saw of State and Result in the last process. */
  readonly seen: readonly string[];
  /** Firmware Version (/3/0/3) at the end. */
  readonly version: string;
  readonly reason: string | undefined;
  /** Where it happened. */
  readonly home: string;
}

/**
 * For two stories, and longer than any wait of the agent that they may meet: 30 s for a restart that was asked for before, 93 s
 * of the Server for an answer that the device took with it.
 */
const STUCK = 150_000;

/** Where stories happen, and where their package is. */
interface Place {
  readonly directory: string;
  readonly packageUri: string;
}

/** One process that lives through stories. */
interface Life {
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
}

type Said =
  | { readonly event: "begun"; readonly folder: string }
  | ({ readonly event: "ended"; readonly folder: string } & Omit<Ending, "plan" | "cuts" | "home">);

const here = import.meta.dirname;

function begin(
  { directory, packageUri }: Place,
  stories: readonly object[],
  heard: (said: Said) => void,
): Life {
  const args = ["--import", join(here, "effects.mjs"), join(here, "device.mjs"), directory, packageUri];
  const child = spawn(process.execPath, [...args, ...stories.map((story) => JSON.stringify(story))], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (text) => {
    complaint += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => heard(JSON.parse(line) as Said));
  const ended = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`stuck: ${JSON.stringify(stories)}, after ${complaint}`));
    }, STUCK);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (signal === "SIGKILL" || code === 0) resolve();
      else reject(new Error(`the device ended with ${code ?? signal}: ${complaint}`));
    });
  });
  return { process: child, ended };
}

const image = createSimulatedImage({ name: "cut", version: "2.0", size: 600_000, seed: 5 });
const imageSha256 = createHash("sha256").update(image).digest("hex");

/**
 * Plays one story after the other. A process that goes on with an interrupted one begins the next in the same life, for
 * starting processes is what takes the time.
 */
async function playInTurn(place: Place, plans: readonly Plan[], lane: number): Promise<Ending[]> {
  const { directory } = place;
  const endings: Ending[] = [];
  let left = plans.map((plan, index) => ({ plan, folder: `${lane}-${index}`, cuts: 0 }));
  const begun = new Set<string>();
  let older: Uint8Array | undefined;
  while (left[0] !== undefined) {
    const [first, second] = left;
    const stories = [first, second].filter((story) => story !== undefined);
    const timers: NodeJS.Timeout[] = [];
    const life = begin(place, stories.map(orderFor), (said) => {
      const story = stories.find(({ folder }) => folder === said.folder);
      if (story === undefined) return;
      if (said.event === "begun") {
        begun.add(story.folder);
        const { killAfter } = story.plan;
        if (killAfter === undefined || story.cuts > 0) return;
        timers.push(setTimeout(() => life.process.kill("SIGKILL"), killAfter));
        return;
      }
      for (const timer of timers) clearTimeout(timer);
      left = left.filter((one) => one !== story);
      endings.push({ ...said, plan: story.plan, cuts: story.cuts, home: join(directory, said.folder) });
    });
    await life.ended;
    for (const timer of timers) clearTimeout(timer);
    // Whoever was at it when the process died goes on; a story that had not begun yet begins in the next life.
    const [interrupted] = left;
    if (interrupted === undefined || !begun.has(interrupted.folder)) continue;
    interrupted.cuts += 1;
    const record = join(directory, interrupted.folder, "state", "firmware-update");
    if (interrupted.cuts === 1) older = await readFile(record).catch(() => undefined);
    if (interrupted.cuts === (interrupted.plan.cutAgainAt === undefined ? 1 : 2)) {
      await damage(record, interrupted.plan.damage, older);
    }
  }
  return endings;
}

function orderFor({ plan, folder, cuts }: { plan: Plan; folder: string; cuts: number }): object {
  const cutAt = cuts === 0 ? plan.cutAt : cuts === 1 ? plan.cutAgainAt : undefined;
  return { folder, cutAt, sameBoot: cuts > 0 && plan.sameBoot === true };
}

async function damage(record: string, how: Plan["damage"], older: Uint8Array | undefined): Promise<void> {
  if (how === undefined) return;
  const now = await readFile(record).catch(() => undefined);
  if (now === undefined) return; // it was not written yet
  const damaged = {
    truncated: now.subarray(0, now.length / 2),
    zeroed: Buffer.alloc(now.length),
    empty: Buffer.alloc(0),
    older: older ?? now,
  };
  await writeFile(record, damaged[how]);
}

/** Plays all stories, in two lanes: an update waits more than it works. */
export async function play(directory: string, plans: readonly Plan[], lanes = 2): Promise<Ending[]> {
  const shares = Array.from({ length: lanes }, (_, lane) =>
    plans.filter((_, index) => index % lanes === lane),
  );
  const web = createServer(serve);
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const packageUri = `http://127.0.0.1:${(web.address() as AddressInfo).port}/cut-2.0`;
  try {
    const place = { directory, packageUri };
    return (await Promise.all(shares.map((share, lane) => playInTurn(place, share, lane)))).flat();
  } finally {
    web.closeAllConnections();
    web.close();
  }
}

/** With ranges, so that a download that was cut goes on where it was. */
function serve({ headers }: IncomingMessage, response: ServerResponse): void {
  const etag = '"cut-2.0"';
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const begin = headers["if-range"] === undefined || headers["if-range"] === etag ? from : 0;
  response.writeHead(begin > 0 ? 206 : 200, {
    etag,
    "accept-ranges": "bytes",
    "content-length": image.length - begin,
    ...(begin > 0 && { "content-range": `bytes ${begin}-${image.length - 1}/${image.length}` }),
  });
  response.end(image.subarray(begin));
}

/** What must hold however an update was cut: the new image whole and for good, or the old one and a Result that says so. */
export async function expectTruthful({ plan, seen, version, reason, home }: Ending): Promise<void> {
  const told = JSON.stringify({ plan, seen, version, reason });
  const board = JSON.parse(await readFile(join(home, "board", "board.json"), "utf8"));
  const packages = await readdir(join(home, "cache")).catch(() => []);
  if (seen.at(-1) === "0/1") {
    expect(version, told).toBe("2.0");
    expect(board.staying, told).toBe(board.running);
    const slot = await readFile(join(home, "board", `slot-${board.running}.img`));
    expect(createHash("sha256").update(slot).digest("hex"), told).toBe(imageSha256);
    expect(packages, told).toEqual([]);
  } else {
    expect(seen.at(-1), told).toMatch(/^[02]\/[2-9]$/);
    expect(version, told).toBe("1.0");
    expect(reason, told).toBeTypeOf("string");
  }
}
