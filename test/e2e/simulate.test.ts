import { join } from "node:path";
import { expect, test } from "vitest";
import { run, start, withFolder } from "./program.js";

const historyOf = (stdout: string) => stdout.slice(stdout.indexOf("JOB ")).split("\n");

test("six devices take new firmware, and the history says so", { timeout: 60_000 }, () =>
  withFolder(async (folder) => {
    const { exitCode, stdout, stderr } = await run("simulate", "--socket", join(folder, "s"));
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    const [header, ...rest] = historyOf(stdout);
    expect(header).toMatch(/^JOB +PARENT +DEVICE +STATUS +MESSAGE$/);
    for (let number = 1; number <= 6; number++) {
      expect(rest[number - 1]).toMatch(
        new RegExp(
          `^update-1\\.${number} +update-1 +simulated-${number} +completed +Updated to firmware version 3\\.0$`,
        ),
      );
    }
    expect(rest[6]).toMatch(/^update-1 +completed +Devices: 6; Succeeded: 6; Failed: 0;$/);
    expect(rest.slice(8, 14)).toEqual([
      "simulated-1: firmware 1.0 → 3.0",
      "simulated-2: firmware 2.0 → 3.0",
      "simulated-3: firmware 1.0 → 3.0",
      "simulated-4: firmware 2.0 → 3.0",
      "simulated-5: firmware 1.0 → 3.0",
      "simulated-6: firmware 2.0 → 3.0",
    ]);
    // No terminal here: a line per event, and each device's steps among them.
    for (const step of ["enqueued", "Downloading", "Downloaded", "Updating"]) {
      expect(stdout).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d firmwareUpdate simulated-4 .*${step}$`, "m"));
    }
  }),
);

test(
  "each fault is told by the Update Result's number and name, and the exit code is 1",
  { timeout: 60_000 },
  () =>
    withFolder(async (folder) => {
      const faults = ["bad-uri", "connection-cut", "corrupt-image", "install-failure", "old-image"];
      const flags = faults.flatMap((fault, index) => ["--fail", `${index + 1}=${fault}`]);
      const { exitCode, stdout } = await run("simulate", "--socket", join(folder, "s"), ...flags);
      expect(exitCode).toBe(1);
      const history = historyOf(stdout);
      expect(history[1]).toContain("failed     Update Result 7 (invalid URI)");
      expect(history[2]).toContain("failed     Update Result 4 (connection lost)");
      expect(history[3]).toContain("failed     Update Result 5 (integrity check failure)");
      expect(history[4]).toContain("failed     Update Result 8 (firmware update failed)");
      expect(history[5]).toContain("failed     Update Result 8 (firmware update failed)");
      expect(history[6]).toContain("completed  Updated to firmware version 3.0");
      expect(history[7]).toContain("Devices: 6; Succeeded: 1; Failed: 5;");
      expect(stdout).toContain("simulated-5: firmware 1.0 → 1.0");
    }),
);

test("a device may be named, a plugin loaded, and the package chosen", { timeout: 60_000 }, () =>
  withFolder(async (folder) => {
    const { exitCode, stdout, stderr } = await run(
      ...["simulate", "--devices", "2", "--socket", join(folder, "s"), "--state", join(folder, "state")],
      ...["--fail", "simulated-2=bad-uri", "--package-version", "7.1", "--package-size", "1"],
      ...["--plugin", "examples/announce.plugin.js", "--log-level", "info"],
    );
    expect(exitCode).toBe(1);
    expect(stdout).toContain("simulated-1: firmware 1.0 → 7.1");
    expect(stderr).toContain("a package is offered");
    expect(stderr).toContain("the update begins");
  }),
);

test("Ctrl-C ends a simulation in the middle, and devices without a server", { timeout: 60_000 }, () =>
  withFolder(async (folder) => {
    const story = start("simulate", "--devices", "1", "--socket", join(folder, "s"));
    await story.said("Downloading");
    story.kill("SIGINT");
    expect(await story.ended).toMatchObject({ exitCode: 1, stderr: "stopped before the end\n" });
    const lonely = start("simulate", "--devices", "1", "--server", "coap://127.0.0.1:9");
    await lonely.said("Ctrl-C");
    lonely.kill("SIGTERM");
    expect(await lonely.ended).toMatchObject({ exitCode: 0, stderr: "" });
  }),
);
