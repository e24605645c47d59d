/** What the status page says, in plain words. The browser only puts it where it belongs. */
import type { ServiceStatus } from "../../control/status.js";
import { ago, megabytes, registrationWords, until } from "../../control/status-words.js";

/** `good`: as it should be · `busy`: something is under way · `held`: a person wants it so · `bad`: look here · `calm`: neither */
export type Tone = "good" | "busy" | "held" | "bad" | "calm";

export interface StatusView {
  readonly endpointName: string;
  /** Manufacturer, model, serial number. */
  readonly device: string;
  readonly headline: { readonly tone: Tone; readonly text: string };
  readonly servers: readonly {
    readonly name: string;
    readonly uri: string;
    readonly tone: Tone;
    readonly state: string;
    readonly facts: readonly Fact[];
  }[];
  readonly firmware: {
    readonly version: string;
    readonly tone: Tone;
    readonly state: string;
    /** `percent` is null when the end is not known. */
    readonly progress: { readonly percent: number | null; readonly text: string } | null;
    readonly facts: readonly Fact[];
    readonly lastOutcome: { readonly tone: Tone; readonly text: string; readonly at: string } | null;
  };
  readonly plugins: readonly Fact[];
  readonly agent: readonly Fact[];
  /** Newest first. */
  readonly log: readonly LogEntry[];
}

export interface Fact {
  readonly label: string;
  readonly text: string;
  /** ISO 8601, where the text is of a time. */
  readonly time?: string;
  readonly tone?: Tone;
}

export interface LogEntry {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  /** `name=value`, as much as is read at a glance. */
  readonly details: string;
}

export function statusView(status: ServiceStatus, log: readonly string[], now: Date): StatusView {
  const { board, endpointName } = status;
  const servers = status.servers.map((server) => serverView(server, now));
  const firmware = firmwareView(status, now);
  return {
    endpointName,
    device: [board.manufacturer, board.modelNumber, board.serialNumber].filter(Boolean).join(" · "),
    headline: headlineOf(status, firmware),
    servers,
    firmware,
    plugins: status.plugins.map(({ name, health, reason }) => ({
      label: name,
      text: reason === null ? health : `${health}: ${reason}`,
      tone: health === "running" ? "good" : "bad",
    })),
    agent: agentFacts(status, now),
    log: log.slice(-shownLines).map(logEntry).reverse(),
  };
}

const isOnline = ({ state }: ServiceStatus["servers"][number]): boolean =>
  state === "registered" || state === "updating";

function headlineOf(status: ServiceStatus, firmware: StatusView["firmware"]): StatusView["headline"] {
  const { servers, bootstrap } = status;
  if (status.firmware.state === 3)
    return { tone: "busy", text: "Firmware is being installed: leave the power on" };
  if (status.firmware.trial !== null) return { tone: "busy", text: "New firmware has to prove itself" };
  if (servers.length === 0) {
    return { tone: "busy", text: `No Server yet (bootstrap: ${bootstrap})` };
  }
  const online = servers.filter(isOnline).length;
  if (online === 0) {
    return servers.some(({ state, lastFailure }) => state === "registering" && lastFailure === null)
      ? { tone: "busy", text: "Connecting to its Server" }
      : { tone: "bad", text: "Not connected to its Server" };
  }
  if (online < servers.length)
    return { tone: "held", text: `Connected to ${online} of ${servers.length} Servers` };
  if (status.firmware.state === 1) return { tone: "busy", text: "Connected; firmware is being downloaded" };
  return firmware.lastOutcome?.tone === "bad"
    ? { tone: "held", text: "Connected; the last firmware update did not succeed" }
    : { tone: "good", text: "Connected" };
}

// ---- Servers -------------------------------------------------------------------------------------------------------

function serverView(server: ServiceStatus["servers"][number], now: Date): StatusView["servers"][number] {
  const { shortServerId, uri, state, since, next, lastFailure } = server;
  const isRegistered = isOnline(server);
  const words = registrationWords[state] ?? state;
  return {
    name: `Server ${shortServerId}`,
    uri,
    tone: isRegistered ? "good" : state === "backingOff" ? "bad" : "busy",
    state: capital(words),
    facts: [
      ...(since === null ? [] : [{ label: "Registered", text: ago(since, now), time: since }]),
      ...(next === null
        ? []
        : [{ label: isRegistered ? "Next update" : "Next attempt", text: until(next, now), time: next }]),
      ...(lastFailure === null
        ? []
        : [
            {
              label: "Last failure",
              text: `${lastFailure.reason} (${ago(lastFailure.at, now)})`,
              time: lastFailure.at,
              ...(isRegistered ? {} : { tone: "bad" as const }),
            },
          ]),
    ],
  };
}

// ---- Firmware ------------------------------------------------------------------------------------------------------

const stateWords = ["No update", "Downloading", "Ready to install", "Installing"] as const;

function firmwareView({ firmware, board }: ServiceStatus, now: Date): StatusView["firmware"] {
  const { state, package: offered, progress, waiting, trial, hold, lastOutcome } = firmware;
  const facts: Fact[] = [];
  if (offered !== null)
    facts.push({ label: "New version", text: `${offered.name} ${offered.version}`.trim() });
  if (waiting !== null) {
    facts.push({
      label: "Waits",
      text: `before it may ${verbOf(waiting.stage)}: ${waiting.reason}`,
      tone: "held",
    });
  }
  if (trial !== null) {
    facts.push({
      label: "On trial",
      text: `${trial.secondsLeft} s are left to reach the Server and to pass the check`,
    });
  }
  if (hold !== null) {
    const end =
      hold.until === null
        ? "until it is released"
        : `for another ${until(hold.until, now).replace(/^in /, "")}`;
    facts.push({ label: "Updates held", text: `${hold.reason}, ${end}`, time: hold.since, tone: "held" });
  }
  return {
    version: board.firmwareVersion || "unknown",
    tone: hold !== null || waiting !== null ? "held" : state === 0 && trial === null ? "calm" : "busy",
    state: trial === null ? (stateWords[state] ?? firmware.stateName) : "On trial",
    progress: progress === null ? null : progressView(progress),
    facts,
    lastOutcome:
      lastOutcome === null
        ? null
        : {
            tone: outcomeTone(lastOutcome.result),
            text: outcomeText(lastOutcome),
            at: lastOutcome.at,
          },
  };
}

const verbOf = (stage: string): string =>
  stage === "download" ? "be downloaded" : stage === "apply" ? "be installed" : stage;

/** /5/0/5: 1 updated, 10 cancelled, 11 deferred; what else there is went wrong. */
const outcomeTone = (result: number): Tone =>
  result === 1 ? "good" : result === 10 || result === 11 ? "calm" : "bad";

function outcomeText({
  resultText,
  reason,
  package: offered,
  previousVersion,
}: NonNullable<ServiceStatus["firmware"]["lastOutcome"]>): string {
  const what = offered === null ? "" : `${`${offered.name} ${offered.version}`.trim()}: `;
  const from = previousVersion === null ? "" : `, from ${previousVersion}`;
  return `${what}${resultText}${from}${reason === "" ? "" : `. ${capital(reason)}`}`;
}

function progressView(
  progress: NonNullable<ServiceStatus["firmware"]["progress"]>,
): NonNullable<StatusView["firmware"]["progress"]> {
  const { phase, fraction, received, total, rate, waiting } = progress;
  const percent = fraction === null ? null : Math.floor(Math.min(1, Math.max(0, fraction)) * 100);
  const amount =
    received === null ? [] : [megabytes(received), ...(total === null ? [] : [`of ${megabytes(total)}`])];
  const pace = waiting ? [waiting] : rate ? [`${megabytes(rate)}/s`] : [];
  const share = percent === null ? [] : [`${percent} %`];
  return {
    percent,
    text: [...share, ...(amount.length > 0 ? [amount.join(" ")] : []), ...pace].join(" · ") || phase,
  };
}

// ---- Agent and log -------------------------------------------------------------------------------------------------

function agentFacts(status: ServiceStatus, now: Date): readonly Fact[] {
  const { needRestart, board, queueMode, keptNotifications } = status;
  return [
    { label: "Version", text: status.version },
    { label: "Started", text: ago(status.startedAt, now), time: status.startedAt },
    { label: "Board", text: board.type },
    { label: "Observations", text: `${status.observations}` },
    ...(keptNotifications === 0
      ? []
      : [
          {
            label: "Queue",
            text: `${keptNotifications} notifications wait for a Server`,
            tone: "held" as const,
          },
        ]),
    ...(queueMode ? [{ label: "Queue mode", text: "on: it sleeps between its messages" }] : []),
    { label: "Memory", text: megabytes(status.memory) },
    { label: "Log", text: `from ${status.logLevel} on` },
    ...(needRestart.length === 0
      ? []
      : [{ label: "Restart needed", text: `for ${needRestart.join(", ")}`, tone: "held" as const }]),
  ];
}

const shownLines = 30;
const maximumDetails = 240;

function logEntry(line: string): LogEntry {
  const { time, level, message, event: _, ...fields } = parsed(line);
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return {
    time: typeof time === "string" ? time : "",
    level: typeof level === "string" ? level : "info",
    message: typeof message === "string" ? message : line.slice(0, maximumDetails),
    details: cut(details.join(" ")),
  };
}

/** A line that was too long to be kept whole is no JSON. */
function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}

const cut = (text: string): string =>
  text.length > maximumDetails ? `${text.slice(0, maximumDetails)}…` : text;

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
