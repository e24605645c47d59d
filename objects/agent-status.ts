/**
 * What the agent knows and no registered Object has a place for: why the device restarted, how its last update ended and in
 * whose words, and what the one under way is doing. Read-only; a Server that fetches it needs no other log.
 */
import {
  defineObject,
  type Handlers,
  type LiveObject,
  type ObjectImplementation,
  singleInstance,
} from "../agent/model/definition.js";
import type { Clock, Log, Millis, PackageInfo } from "../agent/ports.js";
import type { FirmwareUpdateObject } from "./firmware-update/object.js";
import type { RestartReasons } from "./restart-reason.js";
import { WatchedValues } from "./watched-values.js";

/** In the range that OMNA leaves to tests; the number is a setting. */
export const defaultAgentStatusObjectId = 42770;

/** Ours: no Object of the OMA registry says any of this. */
export const AgentStatus = defineObject({
  id: defaultAgentStatusObjectId,
  name: "Agent Status",
  version: "1.0",
  instances: "single",
  resources: {
    restartReason: { id: 0, operations: "R", type: "string" },
    bootId: { id: 1, operations: "R", type: "string" },
    lastUpdateResult: { id: 2, operations: "R", type: "integer", range: [0, 13] },
    lastUpdateReason: { id: 3, operations: "R", type: "string" },
    lastUpdatePackage: { id: 4, operations: "R", type: "string" },
    lastUpdateTime: { id: 5, operations: "R", type: "time" },
    updateProgress: { id: 6, operations: "R", type: "integer", range: [0, 100], units: "/100" },
    updateActivity: { id: 7, operations: "R", type: "string" },
    updateWaitsFor: { id: 8, operations: "R", type: "string" },
    trialSecondsLeft: { id: 9, operations: "R", type: "integer", units: "s" },
  },
});

export interface AgentStatusOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly firmwareUpdate: Pick<
    FirmwareUpdateObject,
    "state" | "progress" | "waiting" | "trial" | "lastOutcome"
  >;
  readonly restarts: RestartReasons;
  /** 42770 when not given. */
  readonly objectId?: number;
  /** How often values that are observed are read again; 10 s when not given. */
  readonly refreshPeriod?: Millis;
}

export function createAgentStatus(options: AgentStatusOptions): ObjectImplementation {
  const { clock, log, firmwareUpdate, restarts, refreshPeriod } = options;
  const definition = { ...AgentStatus, id: options.objectId ?? defaultAgentStatusObjectId };
  const outcome = () => firmwareUpdate.lastOutcome();
  const handlers: Handlers<typeof AgentStatus> = {
    restartReason: { read: () => restarts.reason() },
    bootId: { read: () => restarts.bootId() },
    lastUpdateResult: { read: () => outcome()?.result },
    lastUpdateReason: { read: () => outcome()?.reason },
    lastUpdatePackage: { read: () => describePackage(outcome()?.package) },
    lastUpdateTime: { read: () => outcome()?.at },
    updateProgress: { read: () => percentOf(firmwareUpdate.progress()) },
    updateActivity: { read: () => activityOf(firmwareUpdate) },
    updateWaitsFor: { read: () => firmwareUpdate.waiting()?.reason },
    trialSecondsLeft: { read: () => firmwareUpdate.trial()?.secondsLeft },
  };
  let live: LiveObject<typeof AgentStatus> | undefined;
  const values = new WatchedValues({
    clock,
    log,
    handlers,
    names: changing,
    changed: (...names) => live?.changed(0, ...names),
    ...(refreshPeriod && { period: refreshPeriod }),
  });
  return singleInstance(definition, handlers, {
    start: async (object) => {
      live = object;
      await restarts.start();
    },
    watched: values.watched,
    close: () => {
      values.close();
      live = undefined;
    },
  });
}

/** All but what stays as long as the board runs. */
const changing = [
  "lastUpdateResult",
  "lastUpdateReason",
  "lastUpdatePackage",
  "lastUpdateTime",
  "updateProgress",
  "updateActivity",
  "updateWaitsFor",
  "trialSecondsLeft",
] as const;

const describePackage = (info: PackageInfo | undefined) => info && `${info.name} ${info.version}`.trim();

/** Whole percent, rounded down: 100 is said when all of it is there. */
function percentOf(progress: ReturnType<FirmwareUpdateObject["progress"]>): number | undefined {
  if (progress === undefined) return undefined;
  if (progress.phase === "installing") return percent(progress.fraction);
  const { received, total } = progress;
  return total === undefined || total === 0 ? undefined : percent(received / total);
}

const percent = (fraction: number) => Math.floor(Math.min(1, Math.max(0, fraction)) * 100);

function activityOf(firmwareUpdate: AgentStatusOptions["firmwareUpdate"]): string | undefined {
  const progress = firmwareUpdate.progress();
  if (progress?.phase === "downloading") return `${progress.received} bytes received`;
  if (progress?.phase === "installing") return progress.message ?? "installing";
  const trial = firmwareUpdate.trial();
  if (trial) return `on trial: ${trial.phase}`;
  const state = firmwareUpdate.state();
  return state.name === "updating" ? state.step : undefined;
}
