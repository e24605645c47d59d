/**
 * Every moment at which an update may be cut off, by processes that are killed. POWER_CUTS says how many moments chance adds:
 * 60 unless told, 500 for a night.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ending, expectTruthful, type Plan, play } from "../../agent/power-cuts/stories.js";
import { createSeededRandom } from "../../simulated/random.js";

const timeout = 1_800_000;
let directory: string;
/** Of an update that nobody disturbs. */
let undisturbed: Ending;
let duration: number;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-cuts-"));
  const began = performance.now();
  const [ending] = await play(join(directory, "undisturbed"), [{}]);
  duration = performance.now() - began;
  if (ending === undefined) throw new Error("the update did not end");
  undisturbed = ending;
}, 60_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

async function playAll(name: string, plans: readonly Plan[]): Promise<readonly Ending[]> {
  const endings = await play(join(directory, name), plans);
  expect(endings).toHaveLength(plans.length);
  for (const ending of endings) await expectTruthful(ending);
  return endings;
}

const count = (from: number, to: number, by = 1) =>
  Array.from({ length: Math.max(0, Math.ceil((to - from) / by)) }, (_, index) => from + index * by);

test("an update that is killed before any one of its effects installs the new image all the same", {
  timeout,
}, async () => {
  const { moments } = undisturbed;
  expect(moments).toBeGreaterThan(80);
  const endings = await playAll(
    "every",
    count(1, moments + 1).map((cutAt) => ({ cutAt })),
  );
  for (const ending of endings) expect(ending).toMatchObject({ version: "2.0" });
  console.log(
    `killed before each of ${moments} effects; ${endings.filter(({ cuts }) => cuts > 0).length} cuts`,
  );
});

test("an update whose agent alone is killed goes on in the same boot", { timeout }, async () => {
  const endings = await playAll(
    "agent",
    count(3, undisturbed.moments, 9).map((cutAt) => ({ cutAt, sameBoot: true })),
  );
  for (const ending of endings) expect(ending).toMatchObject({ version: "2.0" });
});

test("an update that is killed twice, or whose record is damaged, ends truthfully", { timeout }, async () => {
  const twice = count(5, undisturbed.moments, 17).flatMap((cutAt) =>
    [4, 22].map((cutAgainAt): Plan => ({ cutAt, cutAgainAt })),
  );
  const damaged = count(10, undisturbed.moments, 20).flatMap((cutAt): readonly Plan[] => [
    { cutAt, damage: "truncated" },
    { cutAt, damage: "zeroed" },
    { cutAt, damage: "empty" },
    { cutAt, cutAgainAt: 20, damage: "older" },
  ]);
  await playAll("twice", [...twice, ...damaged]);
});

test("an update that is killed at moments of chance ends truthfully", { timeout }, async () => {
  const random = createSeededRandom(2026);
  const cuts = Number(process.env["POWER_CUTS"] ?? 60);
  const plans = Array.from(
    { length: cuts },
    (): Plan => ({ killAfter: random.integer(Math.ceil(duration)) }),
  );
  const endings = await playAll("chance", plans);
  const interrupted = endings.filter(({ cuts }) => cuts > 0).length;
  expect(interrupted).toBeGreaterThan(cuts / 3); // the rest had ended by then
  console.log(`killed at ${cuts} moments of chance; ${interrupted} of the updates were under way`);
});
