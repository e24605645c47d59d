/** What the jobs commands show: pure text, made from records. */
import type { JobRecord } from "./job.js";

/** Rows of equal columns under a header; the last column is not padded. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === header.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ");
  return [line(header), ...rows.map(line)];
}

/** `simulated-1: Downloading` */
export const renderProgress = (child: JobRecord): string =>
  `${child.deviceId}: ${child.status === "running" ? (child.statusMessage ?? "running") : child.status}`;

/** The devices of one job, then its tally. */
export function renderResults(parent: JobRecord, children: readonly JobRecord[]): string[] {
  const rows = children.map((child) => [child.deviceId ?? "", child.status, describe(child)]);
  return [...renderTable(["DEVICE", "STATUS", "MESSAGE"], rows), parent.statusMessage ?? ""];
}

/** All jobs, each device's part on a line of its own and the whole, which has no parent, below them. */
export const renderJobs = (jobs: readonly JobRecord[]): string[] =>
  renderTable(
    ["JOB", "PARENT", "DEVICE", "STATUS", "MESSAGE"],
    jobs.map((job) => [job.jobId, job.parentJobId ?? "", job.deviceId ?? "", job.status, describe(job)]),
  );

function describe({ result, error, failureReason, statusMessage }: JobRecord): string {
  if (error !== undefined) return `${failureReason ?? ""} [${error.code}]`;
  if (result !== undefined) {
    return Object.entries(result)
      .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join("  ");
  }
  return statusMessage ?? "";
}
