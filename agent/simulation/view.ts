/** What a person sees of a simulation: pure text, made from the state of the devices. */

/** One device, as the table shows it. */
export interface DeviceRow {
  readonly device: string;
  /** State of its job, in words. */
  readonly job: string;
  /** Of the download, then of the installation, 0 to 1; undefined when neither is under way. */
  readonly progress: number | undefined;
  readonly firmwareVersion: string;
  readonly outcome: "pending" | "succeeded" | "failed";
}

const barWidth = 24;

/** Lines of the table, fit for a terminal of `columns` columns. */
export function renderTable(rows: readonly DeviceRow[], columns: number, color: boolean): string[] {
  const paint = color ? ansi : plain;
  const deviceWidth = Math.max("DEVICE".length, ...rows.map(({ device }) => device.length));
  const versionWidth = Math.max(
    "FIRMWARE".length,
    ...rows.map(({ firmwareVersion }) => firmwareVersion.length),
  );
  const header = `${"DEVICE".padEnd(deviceWidth)}  ${"FIRMWARE".padEnd(versionWidth)}  ${"PROGRESS".padEnd(barWidth + 5)}  JOB`;
  const jobWidth = Math.max(8, columns - header.length + "JOB".length - 1);
  return [
    paint.bold(header.slice(0, columns - 1)),
    ...rows.map(({ device, firmwareVersion, progress, job, outcome }) => {
      const cells = [device.padEnd(deviceWidth), firmwareVersion.padEnd(versionWidth), progressBar(progress)];
      return `${cells.join("  ")}  ${paint[outcome](shorten(job, jobWidth))}`;
    }),
  ];
}

export function progressBar(progress: number | undefined): string {
  if (progress === undefined) return " ".repeat(barWidth + 5);
  const filled = Math.round(Math.min(1, Math.max(0, progress)) * barWidth);
  const percent = `${Math.floor(progress * 100)}%`.padStart(4);
  return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${percent}`;
}

const shorten = (text: string, width: number) =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`;

const ansi = {
  bold: (text: string) => `\u001b[1m${text}\u001b[22m`,
  pending: (text: string) => text,
  succeeded: (text: string) => `\u001b[32m${text}\u001b[39m`,
  failed: (text: string) => `\u001b[31m${text}\u001b[39m`,
};

const same = (text: string) => text;
const plain = { bold: same, pending: same, succeeded: same, failed: same };
