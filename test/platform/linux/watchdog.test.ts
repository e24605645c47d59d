import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { SystemFiles } from "../../../platform/linux/files.js";
import { checkWatchdog } from "../../../platform/linux/watchdog.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

const state = "sys/class/watchdog/watchdog0/state";
const identity = "sys/class/watchdog/watchdog0/identity";
const dropIn = "etc/systemd/system.conf.d/watchdog.conf";

async function found(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const root = temporaryDirectory();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  const findings = await checkWatchdog(new SystemFiles(root));
  for (const { level, remedy } of findings) expect([level, remedy !== ""]).toEqual(["warning", true]);
  return findings.map((finding) => finding.found);
}

test("a watchdog that runs is well, whoever feeds it", async () => {
  expect(await found({ [state]: "active" })).toEqual([]);
  expect(await found({ [state]: "inactive", "sys/class/watchdog/watchdog1/state": "active" })).toEqual([]);
});

test("one that nobody feeds, and none at all, are said", async () => {
  expect(await found({})).toEqual([expect.stringContaining("there is no hardware watchdog")]);
  expect(await found({ [state]: "inactive" })).toEqual([
    expect.stringContaining("the hardware watchdog (watchdog0) is not running"),
  ]);
});

test.each([
  ["RuntimeWatchdogSec=30", "RuntimeWatchdogSec=30", 0],
  ["#RuntimeWatchdogSec=30", "", 1],
  ["RuntimeWatchdogSec=off", "", 1],
  ["RuntimeWatchdogSec=30", "RuntimeWatchdogSec=0", 1],
  ["#RuntimeWatchdogSec=off", "[Manager]\nRuntimeWatchdogSec=1min", 0],
])(
  "where the kernel does not tell, %j and then %j in the settings of systemd count",
  async (main, later, count) => {
    const files = { [identity]: "bcm2835", "etc/systemd/system.conf": `[Manager]\n${main}`, [dropIn]: later };
    expect(await found(files)).toHaveLength(count);
  },
);
