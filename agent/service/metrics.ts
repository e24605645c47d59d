/** What monitoring collects: OpenMetrics 1.0 text. */
import type { ServiceStatus } from "../control/status.js";
import type { Lag } from "./watchdog.js";

/** What the process knows of itself. */
export interface ProcessFigures {
  /** Milliseconds. */
  readonly uptime: number;
  /** Microseconds. */
  readonly cpu: { readonly user: number; readonly system: number };
  readonly lag: Lag;
  /** With this state folder. */
  readonly starts: number;
  /** Bytes of packages since the start. */
  readonly downloaded: number;
}

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter" | "info";
  readonly help: string;
  readonly unit?: string;
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

const prefix = "lwm2m_agent_";

export function renderMetrics(status: ServiceStatus, process: ProcessFigures): string {
  return `${familiesOf(status, process).flatMap(render).join("\n")}\n# EOF\n`;
}

function familiesOf(
  status: ServiceStatus,
  { uptime, cpu, lag, starts, downloaded }: ProcessFigures,
): readonly Family[] {
  const { servers, firmware, board } = status;
  const gauge = (name: string, help: string, value: number, unit?: string): Family => ({
    ...{ name, type: "gauge", help, samples: [{ value }] },
    ...(unit !== undefined && { unit }),
  });
  const counter = (name: string, help: string, value: number, unit?: string): Family => ({
    ...gauge(name, help, value, unit),
    type: "counter",
  });
  return [
    {
      ...{ name: "build", type: "info", help: "Version of the agent and of the firmware." },
      samples: [
        { labels: { version: status.version, firmware: board.firmwareVersion, board: board.type }, value: 1 },
      ],
    },
    {
      ...{ name: "registered", type: "gauge", help: "1 while that Server has our registration." },
      samples: servers.map(({ shortServerId, uri, state }) => ({
        labels: { server: `${shortServerId}`, uri },
        value: state === "registered" || state === "updating" ? 1 : 0,
      })),
    },
    gauge("observations", "Observations of all Servers.", status.observations),
    gauge(
      "queued_notifications",
      "Notifications that wait for Servers that cannot be reached.",
      status.keptNotifications,
    ),
    gauge(
      "firmware_state",
      "State (/5/0/3): 0 idle, 1 downloading, 2 downloaded, 3 updating.",
      firmware.state,
    ),
    gauge("firmware_result", "Update Result (/5/0/5) of the last update.", firmware.result),
    gauge(
      "firmware_progress_ratio",
      "Of the download or installation that is under way.",
      firmware.progress?.fraction ?? 0,
      "ratio",
    ),
    gauge("updates_held", "1 while the operator holds updates.", firmware.hold === null ? 0 : 1),
    gauge("resident_memory_bytes", "Memory of the process.", status.memory, "bytes"),
    gauge("uptime_seconds", "Since the start of the process.", uptime / 1000, "seconds"),
    counter("cpu_seconds", "Of the process, user and system.", (cpu.user + cpu.system) / 1e6, "seconds"),
    counter(
      "starts",
      "Starts of the agent with this state folder; what keeps restarting shows here.",
      starts,
    ),
    counter("download_bytes", "Of packages, since the start of the process.", downloaded, "bytes"),
    gauge(
      "event_loop_lag_seconds",
      "How late the event loop was at the last beat of the watchdog.",
      lag.last / 1000,
      "seconds",
    ),
    gauge(
      "event_loop_lag_longest_seconds",
      "The longest of these since the start of the process.",
      lag.longest / 1000,
      "seconds",
    ),
  ];
}

const suffixes = { gauge: "", counter: "_total", info: "_info" } as const;

function render({ name, type, help, unit, samples }: Family): readonly string[] {
  const full = `${prefix}${name}`;
  return [
    `# TYPE ${full} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${full} ${unit}`]),
    `# HELP ${full} ${help}`,
    ...samples.map(({ labels, value }) => `${full}${suffixes[type]}${renderLabels(labels)} ${value}`),
  ];
}

function renderLabels(labels: Readonly<Record<string, string>> | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return `{${pairs.join(",")}}`;
}

const escapeLabel = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
