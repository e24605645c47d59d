import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millis, type UpdateAttempt } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHealthCheck, type HealthCheckOptions } from "../../../platform/hooks/health-check.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

const attempt: UpdateAttempt = {
  id: "attempt-1",
  package: { name: "fw", version: "2.0" },
  image: { path: "/var/cache/package", size: 3, sha256: "ab" },
  bootId: "boot-1",
  previousVersion: "1.0",
};

function healthCheck(body: string, options: Partial<HealthCheckOptions> = {}) {
  const folder = temporaryDirectory();
  const program = join(folder, "healthy");
  writeFileSync(program, `#!/bin/sh\ncd "${folder}"\n${body}\n`, { mode: 0o755 });
  const refusals: string[] = [];
  const clock = createSystemClock();
  const check = createHealthCheck({ program, clock, interval: millis(20), ...options });
  const passed = (signal: AbortSignal = new AbortController().signal) =>
    check.passed({ attempt, refused: (reason) => refusals.push(reason), signal });
  return { check, folder, program, refusals, passed };
}

test("a device that is well passes at once", async () => {
  const { passed, refusals } = healthCheck(
    'test "$LWM2M_PACKAGE_VERSION $LWM2M_PREVIOUS_VERSION" = "2.0 1.0"',
  );
  await passed();
  expect(refusals).toEqual([]);
});

test("one that is not is asked again until it is, and says each time why", async () => {
  const { passed, refusals } = healthCheck(
    "echo x >> asked; test $(wc -l < asked) -ge 3 || { echo no modem >&2; exit 1; }",
  );
  await passed();
  expect(refusals).toEqual(["no modem", "no modem"]);
});

test("a program that hangs, is missing or says nothing means no", async () => {
  const hangs = healthCheck("echo x >> asked; test $(wc -l < asked) -ge 2 || sleep 60", {
    timeLimit: millis(100),
  });
  await hangs.passed();
  expect(hangs.refusals).toEqual([expect.stringContaining("did not end within 0.1 s")]);
  const silent = healthCheck("mkdir asked 2>/dev/null && exit 3 || exit 0");
  await silent.passed();
  expect(silent.refusals).toEqual([`${silent.program} ended with exit code 3`]);
});

test("the end of the trial ends the question, also while the program runs", async () => {
  const { passed, folder, refusals } = healthCheck("touch started; sleep 60");
  const trial = new AbortController();
  const asked = passed(trial.signal);
  await expect.poll(() => existsSync(join(folder, "started"))).toBe(true);
  trial.abort(new Error("the trial is over"));
  await expect(asked).rejects.toThrow("the trial is over");
  expect(refusals).toEqual([]);

  const unwell = healthCheck("exit 1", { interval: millis(60_000) });
  const second = new AbortController();
  const waiting = unwell.passed(second.signal);
  await expect.poll(() => unwell.refusals).toHaveLength(1);
  second.abort(new Error("the trial is over"));
  await expect(waiting).rejects.toThrow("the trial is over");
});

test("check names a program that is not there", async () => {
  const clock = createSystemClock();
  expect(await healthCheck("exit 0").check.check()).toEqual([]);
  expect(await createHealthCheck({ program: "/no/such/program", clock }).check()).toEqual([
    expect.objectContaining({
      level: "error",
      found: expect.stringMatching(/^the health check, \/no\/such\/program, /),
    }),
  ]);
});
