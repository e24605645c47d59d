import { expect, test } from "vitest";
import { progressBar, renderTable } from "../../../agent/simulation/view.js";

const row = {
  device: "simulated-1",
  job: "running: Downloading",
  progress: 0.5,
  firmwareVersion: "1.0",
  outcome: "pending",
} as const;

test("the table has a line per device under its header, in equal columns", () => {
  const failed = {
    ...row,
    device: "simulated-10",
    job: "failed: Update Result 5",
    progress: undefined,
    outcome: "failed",
  } as const;
  expect(renderTable([row, failed], 100, false)).toEqual([
    "DEVICE        FIRMWARE  PROGRESS                       JOB",
    "simulated-1   1.0       ████████████░░░░░░░░░░░░  50%  running: Downloading",
    "simulated-10  1.0                                      failed: Update Result 5",
  ]);
});

test("a narrow terminal shortens the job, so that no line wraps and the table can be redrawn", () => {
  const long = { ...row, job: "failed: Update Result 5 (integrity check failure) while downloading" };
  for (const line of renderTable([long], 80, false)) expect(line.length).toBeLessThan(80);
  expect(renderTable([long], 80, false)[1]).toMatch(/failed: Update Resu.*…$/);
});

test("colour tells how a job ended", () => {
  const [, line] = renderTable([{ ...row, outcome: "failed" }], 100, true);
  expect(line).toContain("\u001b[31mrunning: Downloading\u001b[39m");
});

test.each([
  [0, "░░░░░░░░░░░░░░░░░░░░░░░░   0%"],
  [0.999, "████████████████████████  99%"],
  [1, "████████████████████████ 100%"],
])("progress %d is drawn as %s", (progress, bar) => {
  expect(progressBar(progress)).toBe(bar);
});
