/** Shows a running simulation: a table that redraws itself on a terminal, a line per event anywhere else. */
import { isFinal, type JobRecord } from "../../jobs/job.js";
import type { SimulatedDevice } from "../simulation/device.js";
import { type DeviceRow, renderTable } from "../simulation/view.js";

export interface LiveView {
  /** A device's part of a job has changed. */
  jobChanged(record: JobRecord): void;
  /** Draws a last time and leaves the screen to what follows. */
  close(): Promise<void>;
}

interface Screen {
  readonly columns?: number;
  write(text: string): unknown;
}

const redrawInterval = 100;

/** For a terminal that understands cursor movements. */
export function createTableView(
  screen: Screen,
  devices: readonly SimulatedDevice[],
  color: boolean,
): LiveView {
  const latest = new Map<string, JobRecord>();
  let drawn = 0;

  const draw = async () => {
    const rows = await Promise.all(devices.map((device) => rowOf(device, latest.get(device.endpointName))));
    const lines = renderTable(rows, screen.columns ?? 100, color);
    const up = drawn === 0 ? "" : `\u001b[${drawn}A`;
    screen.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join("")}`);
    drawn = lines.length;
  };
  let drawing = draw();
  const timer = setInterval(() => {
    drawing = drawing.then(draw);
  }, redrawInterval);
  return {
    jobChanged: (record) => {
      if (record.deviceId !== undefined) latest.set(record.deviceId, record);
    },
    async close() {
      clearInterval(timer);
      await drawing;
      await draw();
    },
  };
}

async function rowOf(device: SimulatedDevice, job: JobRecord | undefined): Promise<DeviceRow> {
  const firmware = device.status()?.firmware;
  return {
    device: device.endpointName,
    firmwareVersion: await device.firmwareVersion(),
    progress: progressOf(firmware),
    job: job === undefined ? registrationOf(device) : describeJob(job),
    outcome: outcomeOf(job),
  };
}

type FirmwareStatus = NonNullable<ReturnType<SimulatedDevice["status"]>>["firmware"];

function progressOf(firmware: FirmwareStatus | undefined): number | undefined {
  const progress = firmware?.progress;
  if (progress?.phase === "installing") return progress.fraction;
  if (progress?.phase === "downloading" && progress.total) return progress.received / progress.total;
  return firmware?.state === downloaded ? 1 : undefined;
}

/** State (/5/0/3). */
const downloaded = 2;

const registrationOf = (device: SimulatedDevice) => device.status()?.registrations[0]?.state ?? "restarting";

function outcomeOf(job: JobRecord | undefined): DeviceRow["outcome"] {
  if (job === undefined || !isFinal(job.status)) return "pending";
  return job.status === "completed" ? "succeeded" : "failed";
}

/** For pipes and files: every event is one line, `12:30:01 simulated-1 running: Downloading`. */
export function createLineView(screen: Screen, now: () => Date): LiveView {
  const said = new Map<string, string>();
  return {
    jobChanged(record) {
      const line = `${record.deviceId ?? "all devices"} ${describeJob(record)}`;
      if (said.get(record.jobId) === line) return;
      said.set(record.jobId, line);
      screen.write(`${now().toISOString().slice(11, 19)} ${record.type} ${line}\n`);
    },
    close: async () => undefined,
  };
}

/** `running: Downloading`, or `failed: Update Result 5 …`. */
function describeJob({ status, statusMessage, failureReason }: JobRecord): string {
  const detail = failureReason ?? statusMessage;
  return detail === undefined || detail === "" ? status : `${status}: ${detail}`;
}
