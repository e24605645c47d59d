/** A few of the moments at which an update may be cut off; `test/interop/power-cuts` has all of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectTruthful, type Plan, play } from "./stories.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-cuts-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** As many effects as an update that nobody disturbs has, or a few less. */
const effects = 110;

test("an update that is killed before one of its effects ends as it would have ended", {
  timeout: 120_000,
}, async () => {
  const plans = Array.from({ length: 22 }, (_, index): Plan => ({ cutAt: 1 + index * 5 }));
  const endings = await play(join(directory, "cuts"), plans);
  expect(endings).toHaveLength(plans.length);
  for (const ending of endings) {
    await expectTruthful(ending);
    expect(ending).toMatchObject({ cuts: 1, version: "2.0" });
  }
});

test("an update whose record is damaged, or an older one, ends all the same", {
  timeout: 120_000,
}, async () => {
  const plans = [0.4, 0.6, 0.8].flatMap((part): Plan[] => {
    const cutAt = Math.floor(effects * part);
    return [
      { cutAt, damage: "truncated" },
      { cutAt, damage: "zeroed" },
      { cutAt: cutAt - 12, cutAgainAt: 15, damage: "older" },
    ];
  });
  const endings = await play(join(directory, "damage"), plans);
  expect(endings).toHaveLength(plans.length);
  for (const ending of endings) await expectTruthful(ending);
});
