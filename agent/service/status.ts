/** Puts together what `lwm2m-agent status` shows. */
import type { ServiceStatus } from "../control/status.js";
import type { Agent, AgentStatus } from "../main.js";
import type { AgentHost } from "./agent-host.js";

/** /5/0/3 */
const stateNames = ["Idle", "Downloading", "Downloaded", "Updating"] as const;

/** /5/0/5 */
const resultTexts: readonly string[] = [
  "none",
  "updated successfully",
  "not enough storage",
  "out of memory",
  "connection lost during the download",
  "integrity check failed",
  "unsupported package",
  "invalid URI",
  "update failed",
  "unsupported protocol",
  "cancelled",
  "deferred",
  "conflicting state",
  "dependency error",
];

export interface StatusContext {
  readonly version: string;
  readonly startedAt: Date;
  readonly configurationFile: string | undefined;
  readonly needRestart: readonly string[];
  readonly queueMode: boolean;
  readonly logLevel: string;
  readonly boardType: string;
  readonly endpointName: string;
  readonly host: AgentHost;
}

const unknownBoard = { manufacturer: "", modelNumber: "", serialNumber: "", firmwareVersion: "" };

export async function serviceStatus(context: StatusContext): Promise<ServiceStatus> {
  const { host, boardType } = context;
  const board = (await host.board?.describe().catch(() => undefined)) ?? unknownBoard;
  const status = host.agent?.status();
  const hold = host.updateLock?.hold();
  return {
    version: context.version,
    pid: process.pid,
    startedAt: context.startedAt.toISOString(),
    configurationFile: context.configurationFile ?? null,
    needRestart: context.needRestart,
    endpointName: context.endpointName,
    board: {
      type: boardType === "auto" ? `auto (${host.board?.name ?? "none"})` : boardType,
      manufacturer: board.manufacturer,
      modelNumber: board.modelNumber,
      serialNumber: board.serialNumber,
      firmwareVersion: board.firmwareVersion,
    },
    servers: (status?.registrations ?? []).map(serverStatus),
    bootstrap: status?.bootstrap ?? "restarting",
    observations: status?.observations ?? 0,
    keptNotifications: status?.keptNotifications ?? 0,
    firmware: {
      ...firmwareStatus(status?.firmware),
      hold: hold
        ? {
            reason: hold.reason,
            since: hold.since.toISOString(),
            until: hold.until?.toISOString() ?? null,
          }
        : null,
    },
    queueMode: context.queueMode,
    plugins: host.plugins?.health(status?.plugins ?? []) ?? [],
    logLevel: context.logLevel,
    memory: process.memoryUsage.rss(),
  };
}

const serverStatus = ({
  shortServerId,
  uri,
  state,
  since,
  next,
  lastFailure,
}: AgentStatus["registrations"][number]): ServiceStatus["servers"][number] => ({
  shortServerId,
  uri,
  state,
  since: since?.toISOString() ?? null,
  next: next?.toISOString() ?? null,
  lastFailure: lastFailure ? { at: lastFailure.at.toISOString(), reason: lastFailure.reason } : null,
});

function firmwareStatus(
  firmware: AgentStatus["firmware"] | undefined,
): Omit<ServiceStatus["firmware"], "hold"> {
  const { state = 0, result = 0, progress, waiting, trial, lastOutcome } = firmware ?? {};
  return {
    state,
    stateName: stateNames[state] ?? `${state}`,
    result,
    resultText: resultTexts[result] ?? `${result}`,
    package: firmware?.package ?? null,
    progress: progress === undefined ? null : progressOf(progress),
    waiting: waiting ? { stage: waiting.stage, reason: waiting.reason } : null,
    trial: trial ? { phase: trial.phase, secondsLeft: trial.secondsLeft } : null,
    lastOutcome: lastOutcome
      ? {
          result: lastOutcome.result,
          resultText: resultTexts[lastOutcome.result] ?? `${lastOutcome.result}`,
          reason: lastOutcome.reason,
          package: lastOutcome.package ?? null,
          previousVersion: lastOutcome.previousVersion ?? null,
          at: new Date(lastOutcome.at * 1000).toISOString(),
        }
      : null,
  };
}

function progressOf(
  progress: NonNullable<AgentStatus["firmware"]["progress"]>,
): NonNullable<ServiceStatus["firmware"]["progress"]> {
  if (progress.phase === "installing") {
    return { phase: "installing", fraction: progress.fraction, received: null, total: null };
  }
  const { received, total, rate, waiting } = progress;
  const fraction = total === undefined || total === 0 ? null : received / total;
  return {
    phase: "downloading",
    fraction,
    received,
    total: total ?? null,
    ...(rate !== undefined && { rate }),
    ...(waiting !== undefined && { waiting }),
  };
}

/** One line for `systemctl status`. */
export function statusLine(agent: Agent | undefined): string {
  if (agent === undefined) return "the board restarts";
  const { registrations, bootstrap, firmware } = agent.status();
  const online = registrations.filter(({ state }) => state === "registered" || state === "updating");
  const where =
    registrations.length === 0
      ? `no Server yet, bootstrap: ${bootstrap}`
      : online.length > 0
        ? `registered with ${online.map(({ uri }) => uri).join(", ")}`
        : `not registered: ${registrations[0]?.lastFailure?.reason ?? registrations[0]?.state}`;
  const update = firmware.state === 0 ? "" : `; firmware: ${stateNames[firmware.state]}`;
  return `${where}${update}`;
}
