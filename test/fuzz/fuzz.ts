/**
 * Inputs that nobody sensible sends, to everything that takes bytes from the network. They come in batches, each of them made
 * from the seed and its own number alone: a batch with a finding can be repeated by itself.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createSeededRandom } from "../simulated/random.js";
import { bootstrap } from "./bootstrap.js";
import { client } from "./client.js";
import { decoders } from "./decoders.js";
import { helper } from "./helper.js";
import { packages } from "./packages.js";
import type { Target } from "./target.js";

export interface FuzzOptions {
  readonly seed: number;
  /** At least so many, in whole batches. */
  readonly inputs: number;
  /** The number of the first batch. */
  readonly first?: number;
  /** Called after each batch. */
  readonly onProgress?: (result: FuzzResult) => void;
}

export interface Finding {
  readonly batch: number;
  readonly target: string;
  /** In hexadecimal; undefined when the batch as a whole went wrong. */
  readonly input: string | undefined;
  readonly error: unknown;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly batches: number;
  readonly accepted: number;
  readonly findings: readonly Finding[];
  /** How much more memory was in use at the end than after the first tenth, in bytes. */
  readonly growth: number;
}

export const BATCH_SIZE = 500;
/** No input of some 2,000 bytes takes that long, even on a busy machine. */
const SLOW_MILLISECONDS = 3000;

const targets: readonly Target[] = [...decoders, ...packages, helper, client, bootstrap].flatMap((target) =>
  Array.from({ length: target.weight }, () => target),
);

export async function fuzz({ seed, inputs, first = 0, onProgress }: FuzzOptions): Promise<FuzzResult> {
  const batches = Math.ceil(inputs / BATCH_SIZE);
  const findings: Finding[] = [];
  let accepted = 0;
  let baseline = 0;
  const result = (done: number): FuzzResult => ({
    inputs: done * BATCH_SIZE,
    batches: done,
    accepted,
    findings,
    growth: baseline === 0 ? 0 : usedMemory() - baseline,
  });
  for (let done = 0; done < batches; done++) {
    if (done === Math.ceil(batches / 10)) baseline = usedMemory();
    accepted += await runBatch(seed, first + done, findings);
    onProgress?.({ ...result(0), inputs: (done + 1) * BATCH_SIZE, batches: done + 1 });
  }
  return result(batches);
}

/** @returns how many inputs were accepted */
async function runBatch(seed: number, batch: number, findings: Finding[]): Promise<number> {
  const random = createSeededRandom(Math.imul(seed ^ 0x9e3779b9, batch + 1) ^ batch);
  const target = targets[batch % targets.length] ?? client;
  const { next, take, end } = await target.begin(random);
  let accepted = 0;
  let input: Uint8Array | undefined;
  try {
    for (let count = 0; count < BATCH_SIZE; count++) {
      input = next();
      const started = performance.now();
      if (await take(input)) accepted++;
      const elapsed = performance.now() - started;
      if (elapsed > SLOW_MILLISECONDS) throw new Error(`this took ${elapsed.toFixed(0)} ms`);
    }
    input = undefined;
    await end?.();
  } catch (error) {
    findings.push({ batch, target: target.name, input: input && Buffer.from(input).toString("hex"), error });
  }
  return accepted;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void; // what the flag above has put there

function usedMemory(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
