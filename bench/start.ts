/** How long a device takes from the start of the process to its Register, against a Node.js that does nothing. */
import { type Figure, median } from "./child.js";
import { ended, kill, type Laboratory, openLaboratory } from "./packaged-agent.js";

const rounds = 21;
/** Times `node -e 0`, of the same run. */
const bound = 2;

export async function benchStart(): Promise<Figure[]> {
  const laboratory = await openLaboratory();
  try {
    await toRegister(laboratory); // leaves the checked configuration behind, as the first start of a device does
    const agent: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round++) {
      bare.push(await toEnd(laboratory));
      agent.push(await toRegister(laboratory));
    }
    const ratio = median(agent) / median(bare);
    return [
      {
        text:
          `start: ${median(agent).toFixed(0)} ms to the Register, ${ratio.toFixed(2)} times an empty Node.js ` +
          `(${median(bare).toFixed(0)} ms; the fastest of each: ${(Math.min(...agent) / Math.min(...bare)).toFixed(2)}), at most ${bound.toFixed(1)}`,
        holds: ratio <= bound,
      },
    ];
  } finally {
    laboratory.close();
  }
}

async function toRegister({ start, server }: Laboratory): Promise<number> {
  const registered = server.registered();
  const begin = performance.now();
  const agent = start();
  const died = ended(agent).then(() => Promise.reject(new Error("the agent ended before it had registered")));
  await Promise.race([registered, died]);
  const duration = performance.now() - begin;
  died.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 200)); // what it writes behind
  await kill(agent);
  return duration;
}

async function toEnd({ startBare }: Laboratory): Promise<number> {
  const begin = performance.now();
  await ended(startBare("0"));
  return performance.now() - begin;
}
