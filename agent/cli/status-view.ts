/** `lwm2m-agent status` for people. */
import type { ServiceStatus } from "../control/status.js";
import { ago, megabytes, registrationWords, until } from "../control/status-words.js";

/** @param now for spans such as `3 min ago` */
export function renderStatus(status: ServiceStatus, now: Date): readonly string[] {
  const { board, firmware, plugins, needRestart } = status;
  const rows: (readonly [label: string, text: string])[] = [
    [
      "Device",
      [status.endpointName, board.manufacturer, board.modelNumber, board.serialNumber]
        .filter(Boolean)
        .join(" · "),
    ],
    [
      "Agent",
      `version ${status.version}, process ${status.pid}, started ${ago(status.startedAt, now)}, ${megabytes(status.memory)}`,
    ],
    ...serverRows(status, now),
    [
      "Observations",
      `${status.observations}${status.keptNotifications > 0 ? ` · ${status.keptNotifications} notifications wait for a Server` : ""}`,
    ],
    ["Firmware", [board.firmwareVersion || "of unknown version", `board ${board.type}`].join(" · ")],
    ...updateRows(firmware, now),
    ...plugins.map(
      ({ name, health, reason }, index) =>
        [index === 0 ? "Plugins" : "", `${name} · ${health}${reason === null ? "" : `: ${reason}`}`] as const,
    ),
    ["Log", `from ${status.logLevel} on`],
    ...(needRestart.length === 0
      ? []
      : [["Restart", `needed for ${needRestart.join(", ")} (systemctl restart lwm2m-agent)`] as const]),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${label.padEnd(width)}  ${printable(text)}`);
}

function serverRows({ servers, bootstrap, queueMode }: ServiceStatus, now: Date) {
  const rows = servers.map(({ shortServerId, uri, state, since, next, lastFailure }) => {
    const parts = [
      `${uri} · ${registrationWords[state] ?? state}`,
      ...(since === null ? [] : [`since ${shortTime(since)}`]),
      ...(next === null ? [] : [`${since === null ? "next attempt" : "next Update"} ${until(next, now)}`]),
      ...(lastFailure === null ? [] : [`last failure ${ago(lastFailure.at, now)}: ${lastFailure.reason}`]),
    ];
    return [`Server ${shortServerId}`, parts.join(" · ")] as const;
  });
  const mode = queueMode
    ? [["Queue mode", "on: Servers keep what they have until the device is awake"] as const]
    : [];
  return rows.length > 0
    ? [...rows, ...mode]
    : [["Server", `none yet · bootstrap: ${bootstrap}`] as const, ...mode];
}

function updateRows(firmware: ServiceStatus["firmware"], now: Date) {
  const { stateName, package: offered, progress, waiting, trial, hold, lastOutcome } = firmware;
  const rows: (readonly [string, string])[] = [];
  const name = offered === null ? "" : ` ${offered.name} ${offered.version}`;
  rows.push(["Update", `${stateName}${name}${progress === null ? "" : `  ${renderProgress(progress)}`}`]);
  if (waiting !== null) rows.push(["", `waits before ${waiting.stage}: ${waiting.reason}`]);
  if (trial !== null) rows.push(["", `on trial (${trial.phase}), ${trial.secondsLeft} s left`]);
  if (hold !== null) {
    const end = hold.until === null ? "until released" : `until ${shortTime(hold.until)}`;
    rows.push(["Held", `${end}: ${hold.reason} (since ${shortTime(hold.since)})`]);
  }
  if (lastOutcome !== null) {
    const what =
      lastOutcome.package === null ? "" : `${lastOutcome.package.name} ${lastOutcome.package.version}: `;
    const reason = lastOutcome.reason === "" ? "" : ` (${lastOutcome.reason})`;
    rows.push(["Last update", `${what}${lastOutcome.resultText}${reason}, ${ago(lastOutcome.at, now)}`]);
  }
  return rows;
}

const barWidth = 24;

/** `[████████░░░░░░░░]  33 %  4.2 of 12.6 MB  0.8 MB/s`, or what it waits for at the end */
export function renderProgress({
  fraction,
  received,
  total,
  rate,
  waiting,
}: NonNullable<ServiceStatus["firmware"]["progress"]>): string {
  const pace = waiting ?? (rate ? `${megabytes(rate)}/s` : "");
  const amount =
    received === null
      ? ""
      : `  ${megabytes(received)}${total === null ? "" : ` of ${megabytes(total)}`}${pace && `  ${pace}`}`;
  if (fraction === null) return amount.trim();
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * barWidth);
  const percent = `${Math.floor(fraction * 100)}`.padStart(3);
  return `[${"█".repeat(full)}${"░".repeat(barWidth - full)}] ${percent} %${amount}`;
}

const shortTime = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;

/** What Servers and packages call themselves must not move the cursor. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, "?");
