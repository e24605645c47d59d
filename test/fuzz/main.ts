/**
 * `npm run fuzz -- [--inputs N] [--seed N] [--first N]`: more inputs than the tests have time for. Ends with 1 when there
 * was a finding, and says how to repeat it.
 */
import { parseArgs } from "node:util";
import { BATCH_SIZE, fuzz } from "./fuzz.js";

/** After garbage collection; what the programs keep at the end is what they kept early on. */
const MAXIMUM_GROWTH = 16 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000_000}` },
    first: { type: "string", default: "0" },
  },
});
const [seed, inputs, first] = [Number(values.seed), Number(values.inputs), Number(values.first)];
const say = (line: string) => process.stdout.write(`${line}\n`);

say(`seed ${seed}: ${inputs} inputs in batches of ${BATCH_SIZE}, from batch ${first} on`);
let shown = 0;
const started = performance.now();
const { findings, growth, ...total } = await fuzz({
  seed,
  inputs,
  first,
  onProgress(result) {
    for (const { batch, target, input, error } of result.findings.slice(shown)) {
      say(`FINDING in ${target}, input ${input ?? "(the end of the batch)"}`);
      process.stdout.write(`${error instanceof Error ? error.stack : error}\n`);
      if (error instanceof Error && error.cause !== undefined) console.error(error.cause);
      say(`  again: npm run fuzz -- --seed ${seed} --first ${batch} --inputs ${BATCH_SIZE}`);
    }
    shown = result.findings.length;
    if (result.batches % 100 === 0) {
      const rate = result.inputs / ((performance.now() - started) / 1000);
      say(`${result.inputs} inputs, ${result.accepted} accepted, ${shown} findings, ${rate.toFixed(0)}/s`);
    }
  },
});
say(
  `${total.inputs} inputs, ${total.accepted} accepted, ${findings.length} findings, ` +
    `memory ${(growth / 1e6).toFixed(1)} MB more than after the first tenth (at most ${MAXIMUM_GROWTH / 1e6})`,
);
if (findings.length > 0 || growth > MAXIMUM_GROWTH) process.exitCode = 1;
