/** What a device costs that is registered and has nothing to do: memory beyond an empty Node.js, time, and wake-ups. */
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Figure } from "./child.js";
import { kill, type Laboratory, openLaboratory, usageOf } from "./packaged-agent.js";

/** MB beyond an empty Node.js. */
const memoryBound = 25;
/** Per cent of a core. */
const timeBound = 0.2;
const settling = 5000;
const idleSeconds = 60;
const observed = ["5/0/3", "5/0/5", "1/0/1", "1/0/7", "3/0/16"];

export async function benchIdle(): Promise<Figure[]> {
  const laboratory = await openLaboratory();
  try {
    await kill(await registered(laboratory)); // leaves the checked configuration behind, as the first start of a device does
    const agent = await registered(laboratory);
    const bare = laboratory.startBare("setInterval(() => {}, 1e6)");
    const pid = agent.pid ?? 0;
    const taken = await laboratory.server.observe(observed);
    await wait(settling);
    const before = usageOf(pid);
    await wait(idleSeconds * 1000);
    const after = usageOf(pid);
    const memory = residentMegabytes(pid);
    const beyond = memory - residentMegabytes(bare.pid ?? 0);
    await Promise.all([kill(agent), kill(bare)]);
    const load = ((after.cpuSeconds - before.cpuSeconds) / idleSeconds) * 100;
    const wakeups = (after.wakeups - before.wakeups) / idleSeconds;
    return [
      {
        text: `idle: ${memory.toFixed(1)} MB resident, ${beyond.toFixed(1)} MB beyond an empty Node.js, at most ${memoryBound}`,
        holds: beyond <= memoryBound,
      },
      {
        text:
          `idle: ${load.toFixed(3)} % of a core over ${idleSeconds} s with ${taken} observations, below ${timeBound}; ` +
          `${wakeups.toFixed(1)} wake-ups a second`,
        holds: load < timeBound && taken === observed.length,
      },
    ];
  } finally {
    laboratory.close();
  }
}

async function registered({ start, server }: Laboratory) {
  const register = server.registered();
  const agent = start();
  await register;
  await wait(1000); // until it has the answer, and has set up what comes behind
  return agent;
}

/** Pages that a process has in memory, shared ones as well. */
function residentMegabytes(pid: number): number {
  const match = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  return Number(match?.[1] ?? Number.NaN) / 1024;
}
