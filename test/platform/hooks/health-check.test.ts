import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millis } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHealthCheck, type HealthCheckOptions } from "../../../platform/hooks/health-check.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

const never = new AbortController().signal;

function healthCheck(body: string, options: Partial<HealthCheckOptions> = {}) {
  const folder = temporaryDirectory();
  const program = join(folder, "healthy");
  writeFileSync(program, `#!/bin/sh\ncd "${folder}"\n${body}\n`, { mode: 0o755 });
  return { folder, program, ...createHealthCheck({ program, clock: createSystemClock(), ...options }) };
}

test("a device that is well passes", async () => {
  await healthCheck('test "$1" = "a b"', { arguments: ["a b"] }).health(never);
});

test("one that is not says why, and may be well the next time", async () => {
  const { health } = healthCheck("mkdir asked 2>/dev/null || exit 0; echo 'no modem' >&2; exit 1");
  await expect(health(never)).rejects.toThrow(/^no modem$/);
  await health(never);
});

test("a program that hangs, ends without words or is not there means no", async () => {
  await expect(healthCheck("sleep 60", { timeLimit: millis(100) }).health(never)).rejects.toThrow(
    "did not end within 0.1 s",
  );
  const silent = healthCheck("exit 3");
  await expect(silent.health(never)).rejects.toThrow(`${silent.program} ended with exit code 3`);
  const { health } = createHealthCheck({ program: "/no/such/program", clock: createSystemClock() });
  await expect(health(never)).rejects.toThrow("/no/such/program cannot be run");
});

test("the end of the trial ends the question", async () => {
  const { health, folder } = healthCheck("touch started; sleep 60");
  const trial = new AbortController();
  const asked = health(trial.signal);
  await expect.poll(() => existsSync(join(folder, "started"))).toBe(true);
  trial.abort(new Error("the trial is over"));
  await expect(asked).rejects.toThrow("the trial is over");
});

test("check names a program that is not there", async () => {
  expect(await healthCheck("exit 0").check()).toEqual([]);
  const { check } = createHealthCheck({ program: "/no/such/program", clock: createSystemClock() });
  expect(await check()).toEqual([
    expect.objectContaining({
      level: "error",
      found: expect.stringMatching(/^the health check, \/no\/such\/program, /),
    }),
  ]);
});
