/** What monitoring collects: OpenMetrics 1.0 text. */
import type { ServiceStatus } from "../control/status.js";

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter" | "info";
  readonly help: string;
  readonly unit?: string;
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

const prefix = "lwm2m_agent_";

export function renderMetrics(
  status: ServiceStatus,
  process: { readonly uptime: number; readonly cpu: { readonly user: number; readonly system: number } },
): string {
  return `${familiesOf(status, process).flatMap(render).join("\n")}\n# EOF\n`;
}

function familiesOf(
  status: ServiceStatus,
  { uptime, cpu }: Parameters<typeof renderMetrics>[1],
): readonly Family[] {
  const { servers, firmware, board } = status;
  const gauge = (name: string, help: string, value: number, unit?: string): Family => ({
    ...{ name, type: "gauge", help, samples: [{ value }] },
    ...(unit !== undefined && { unit }),
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
    {
      ...{ name: "cpu_seconds", type: "counter", help: "Of the process, user and system.", unit: "seconds" },
      samples: [{ value: (cpu.user + cpu.system) / 1e6 }],
    },
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
