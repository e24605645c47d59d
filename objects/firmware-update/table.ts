/**
 * What the Firmware Update Object does when: the state table of OMA registry Object 5, as a function without clock,
 * disk or board. Its effects are data that `runner.ts` performs.
 */
import type { PackageFailure } from "../../agent/ports.js";
import type { Effect, FirmwareUpdateEvent, ServerRequest, Step } from "./events.js";
import { resultOf, type UpdateResult, updateResults } from "./results.js";
import type {
  Downloaded,
  Downloading,
  FirmwareUpdateState,
  Idle,
  Setback,
  StateNumber,
  UpdateRequest,
  Updating,
  Verifying,
} from "./state.js";
import { uriOf } from "./state.js";

type Next = readonly [FirmwareUpdateState, ...Effect[]];
type StateNamed<Name> = Extract<FirmwareUpdateState, { readonly name: Name }>;
type EventOf<Type> = Extract<FirmwareUpdateEvent, { readonly type: Type }>;

export type Table = {
  readonly [Name in FirmwareUpdateState["name"]]: {
    readonly [Type in FirmwareUpdateEvent["type"]]?: (
      state: StateNamed<Name>,
      event: EventOf<Type>,
    ) => Next | undefined;
  };
};

export interface TableOptions {
  /** How often an interrupted update is taken up again before it counts as failed. */
  readonly maxResumes: number;
  /** How often the agent may start with the new image on trial before that one has failed; without end unless told. */
  readonly maximumBoots?: number;
  /** The operator has a say: each update asks first. */
  readonly isGated?: boolean;
}

/** How often a board may start the image that was to go before nothing more is tried. */
const MAX_REVERTS = 3;

const serverRequests: ReadonlySet<FirmwareUpdateEvent["type"]> = new Set<ServerRequest["type"]>([
  "packageUriWritten",
  "pushBegun",
  "resetRequested",
  "updateExecuted",
  "cancelExecuted",
]);

/** Applies one event. A request that the state does not list is refused; anything else is ignored. */
export function step(table: Table, state: FirmwareUpdateState, event: FirmwareUpdateEvent): Step {
  const next = handlerOf(table, state, event.type)?.(state as never, event as never); // one row, one column: they fit
  if (next !== undefined) {
    const [after, ...effects] = next;
    return { state: after, effects, answer: "accepted" };
  }
  return {
    state,
    effects: [],
    answer: serverRequests.has(event.type) ? { refused: "4.05" } : "ignored",
  };
}

/** Would a request of this type be heard in this state? */
export const accepts = (table: Table, state: FirmwareUpdateState, type: ServerRequest["type"]): boolean =>
  handlerOf(table, state, type) !== undefined;

const handlerOf = (table: Table, state: FirmwareUpdateState, type: FirmwareUpdateEvent["type"]) =>
  table[state.name][type];

export const firmwareUpdateTable = ({
  maxResumes,
  maximumBoots = Number.POSITIVE_INFINITY,
  isGated = false,
}: TableOptions): Table => ({
  idle: {
    packageUriWritten: (_, { uri, fault }) =>
      fault === undefined
        ? [
            { name: "downloading", result: updateResults.initial, source: { transfer: "pull", uri } },
            { do: "download", uri },
          ]
        : [{ name: "idle", result: resultOf(fault), uri }],
    pushBegun: () => [{ name: "downloading", result: updateResults.initial, source: { transfer: "push" } }],
    pushRefused: (_, { failure }) => [{ name: "idle", result: resultOf(failure), uri: "" }],
    resetRequested: () => [idle(updateResults.initial)],
    // A package may be left from a cut between two steps; and a normal boot is to be kept.
    agentStarted: (state) => [state, { do: "discard" }, { do: "commit" }],
    stateReported: (state, event) => (event.state === 0 ? [state] : undefined),
    resultReported: withResult,
  },
  downloading: {
    received: ({ result, source }, { image }) => [
      { name: "verifying", result, source, image },
      verify({ source, image }),
    ],
    transferFailed,
    resetRequested: () => dropTransfer(updateResults.initial),
    cancelExecuted: () => dropTransfer(updateResults.cancelled),
    agentStarted: (state) => restartTransfer(state),
    stateReported: (state, event) => {
      const { result, source } = state;
      if (event.state === 0) return [failed(state, result), { do: "cancelTransfer" }, { do: "discard" }];
      if (event.state === 1) return [state];
      return event.state === 2 ? arrived({ name: "downloaded", result, source }, event.upgrade) : undefined;
    },
    resultReported: withResult,
  },
  verifying: {
    verified: ({ result, source }, event) =>
      arrived({ name: "downloaded", result, source, package: event.package }, event.upgrade),
    transferFailed,
    resetRequested: () => dropTransfer(updateResults.initial),
    cancelExecuted: () => dropTransfer(updateResults.cancelled),
    agentStarted: (state, { packageIntact }) =>
      packageIntact ? [state, { do: "commit" }, verify(state)] : restartTransfer(state),
    stateReported: (state, event) => (event.state === 1 ? [state] : undefined),
    resultReported: withResult,
  },
  downloaded: {
    updateExecuted: (state, { by, attempt }) => {
      // Only a plugin knows where this package is, and there is none any more that would install it.
      if (by === "board" && state.package === undefined) {
        return [{ ...withoutRequest(state), result: updateResults.updateFailed }];
      }
      if (!isGated) return beginUpdate(state, { attempt, by, deferredSeconds: 0 });
      // It waits already; the Server that asks again may know that the operator has changed his mind.
      if (state.request) return [state, { do: "cancelTransfer" }, ...askPermission(state)];
      return arrived({ ...state, result: updateResults.initial }, { attempt, by });
    },
    permitted: (state, { bootId }) => {
      const { request } = state;
      if (request === undefined) return undefined;
      const begun = beginUpdate(state, { ...request, attempt: { ...request.attempt, bootId } });
      return begun ?? [{ ...withoutRequest(state), result: updateResults.updateFailed }];
    },
    dependencyMissing: (state) => [{ ...withoutRequest(state), result: updateResults.dependencyError }],
    deferred: (state, { deferredSeconds }) =>
      state.request && [
        { ...state, result: updateResults.deferred, request: { ...state.request, deferredSeconds } },
      ],
    forbidden: (state, { failure }) => {
      if (state.request === undefined) return undefined;
      const result = resultOf(failure);
      return isUnusable(failure)
        ? [failed(state, result), { do: "discard" }]
        : [{ ...withoutRequest(state), result }];
    },
    resetRequested: () => dropTransfer(updateResults.initial),
    cancelExecuted: () => dropTransfer(updateResults.cancelled),
    agentStarted: (state, { packageIntact }) => {
      if (packageIntact) return [state, { do: "commit" }, ...askPermission(state)];
      // Whoever asked for the update is owed an answer; whoever did not sees that there is no package.
      const after = state.request ? failed(state, updateResults.updateFailed) : idle(updateResults.initial);
      return [after, { do: "discard" }, { do: "commit" }];
    },
    stateReported: (state, event) => {
      if (event.state === 0)
        return [failed(state, state.result), { do: "cancelTransfer" }, { do: "discard" }];
      if (event.state === 2) return [state];
      if (event.state !== 3) return undefined;
      const { name: _, request: __, ...kept } = state;
      return [{ ...kept, name: "updating", by: "plugin", step: "apply", attempt: event.attempt, resumed: 0 }];
    },
    resultReported: withResult,
  },
  updating: {
    applied: (state, { how }) => {
      if (state.step !== "apply") return undefined;
      return how === "restart"
        ? restart({ ...state, step: "restart" }, "now")
        : startTrial(state, maximumBoots);
    },
    deferred: (state, { deferredSeconds }) =>
      state.step === "restart" ? [{ ...state, deferredSeconds }] : undefined,
    forbidden: (state, { failure, reason }) =>
      state.step === "restart" ? takeBack(state, { result: resultOf(failure), reason }) : undefined,
    applyFailed: (state, { failure, packageIntact }) => {
      if (state.step !== "apply") return undefined;
      const unusable = isUnusable(failure);
      return applyFailed(
        state,
        unusable ? resultOf(failure) : updateResults.updateFailed,
        packageIntact && !unusable,
      );
    },
    handedOver: (state, { to }) => {
      if (state.step !== "apply") return undefined;
      if (to === "plugin") return [{ ...state, by: to }];
      return state.package && [{ ...state, by: to, package: state.package }];
    },
    // Recorded first: once committed, no later trial may take the image back.
    trialPassed: (state) => (state.step === "trial" ? commit({ ...state, step: "commit" }) : undefined),
    trialFailed: (state, { reason }) =>
      state.step === "trial" ? takeBack(state, { result: updateResults.updateFailed, reason }) : undefined,
    // Not before: a success that the boot loader may still take back is none.
    committed: (state) =>
      state.step === "commit" ? [idle(updateResults.success), { do: "discard" }] : undefined,
    reverted: (state, { how }) => {
      if (state.step !== "revert") return undefined;
      return how === "restart" ? restart(state, "now") : unsuccessful(state);
    },
    revertFailed: (state) => (state.step === "revert" ? unsuccessful(state) : undefined),
    agentStarted: (state, { sameBoot, packageIntact }) => {
      if (!sameBoot) return [state, { do: "askOutcome", update: state }];
      switch (state.step) {
        case "apply":
          return (
            resumeApply(state, packageIntact, maxResumes) ??
            applyFailed(state, updateResults.updateFailed, packageIntact)
          );
        case "restart":
          return restart(state, "soon");
        case "trial":
          return startTrial(state, maximumBoots);
        case "commit":
          return commit(state);
        case "revert":
          return [state, { do: "revert" }];
      }
    },
    outcomeKnown: (state, { outcome, packageIntact, bootId }) => {
      switch (outcome) {
        case "new":
          if (state.step === "revert") return revertAgain(state);
          return state.step === "commit" ? commit(state) : startTrial(state, maximumBoots);
        case "other":
          return [idle(updateResults.initial), { do: "discard" }, { do: "commit" }];
        case "unknown":
          return unsuccessful(state);
        case "old": {
          // A power cut looks like an image that failed, so one boot of the old image proves nothing yet. But a
          // plugin's update, or one that we took back ourselves, is not begun again.
          const attempt = { ...state.attempt, bootId };
          const again = state.by === "board" && state.step !== "revert";
          const resumed = again && resumeApply({ ...state, attempt }, packageIntact, maxResumes);
          return resumed || [...unsuccessful(state), { do: "commit" }];
        }
      }
    },
    installationRefused: (state, { failure }) => [
      failed(state, state.setback?.result ?? resultOf(failure)),
      { do: "discard" },
      { do: "commit" },
    ],
    stateReported: (state, event) => {
      if (event.state === 3) return [state];
      if (state.by === "board") return undefined;
      if (event.state === 0) return [failed(state, state.result), { do: "discard" }];
      return event.state === 2 ? [toDownloaded(state, state.result)] : undefined;
    },
    resultReported: withResult,
  },
});

/** The states that a plugin may report now, its own included. */
export function reportableStates(table: Table, state: FirmwareUpdateState): readonly StateNumber[] {
  const attempt = { id: "", bootId: "", previousVersion: "" };
  const reports = [
    { type: "stateReported", state: 0 },
    { type: "stateReported", state: 1 },
    { type: "stateReported", state: 2 },
    { type: "stateReported", state: 3, attempt },
  ] as const;
  return reports
    .filter((report) => step(table, state, report).answer === "accepted")
    .map((report) => report.state);
}

const idle = (result: UpdateResult, uri = ""): Idle => ({ name: "idle", result, uri });

/** What was tried stays readable. */
const failed = (state: FirmwareUpdateState, result: UpdateResult): Idle =>
  idle(result, result === updateResults.success ? "" : uriOf(state));

const dropTransfer = (result: UpdateResult): Next => [
  idle(result),
  { do: "cancelTransfer" },
  { do: "discard" },
];

const transferFailed = (
  state: Downloading | Verifying,
  { failure, result = resultOf(failure) }: EventOf<"transferFailed">,
): Next => [failed(state, result), { do: "cancelTransfer" }, { do: "discard" }];

/** After a restart of the agent: what we fetch is fetched again, what was pushed is lost. */
const restartTransfer = (state: Downloading | Verifying): Next =>
  state.source.transfer === "pull"
    ? [
        { name: "downloading", result: state.result, source: state.source },
        { do: "commit" },
        { do: "download", uri: state.source.uri },
      ]
    : [idle(updateResults.connectionLost), { do: "discard" }, { do: "commit" }];

/** A package is here; who asked for it to be installed at once, or now, has to be allowed to. */
function arrived(state: Downloaded, upgrade: Pick<UpdateRequest, "attempt" | "by"> | undefined): Next {
  if (upgrade === undefined) return [state];
  const asked = { ...state, request: { ...upgrade, deferredSeconds: 0 } };
  return [asked, ...askPermission(asked)];
}

/** Nothing unless an update was asked for. */
function askPermission(state: Downloaded): readonly Effect[] {
  const { request, package: verified } = state;
  if (request === undefined) return [];
  const about = { uri: uriOf(state), package: verified?.info, image: verified?.image };
  return [{ do: "askPermission", request, about }];
}

function withoutRequest({ request: _, ...state }: Downloaded): Downloaded {
  return state;
}

const verify = ({ source, image }: Pick<Verifying, "source" | "image">): Effect => ({
  do: "verify",
  image,
  uri: source.transfer === "pull" ? source.uri : "",
});

function beginUpdate(state: Downloaded, { by, attempt, deferredSeconds }: UpdateRequest): Next | undefined {
  const { name: _, request: __, ...kept } = state;
  const begun = {
    ...kept,
    name: "updating",
    result: updateResults.initial,
    step: "apply",
    attempt,
    resumed: 0,
    ...(deferredSeconds > 0 && { deferredSeconds }),
  } as const;
  if (by === "plugin") return beginApply({ ...begun, by });
  return state.package && beginApply({ ...begun, by, package: state.package });
}

const beginApply = (update: Updating): Next => [update, { do: "apply", update }];

/** undefined when the package is gone or it was tried often enough. */
function resumeApply(state: Updating, packageIntact: boolean, maxResumes: number): Next | undefined {
  if (!packageIntact || state.resumed >= maxResumes) return undefined;
  const { starts: _, ...kept } = state;
  return beginApply({ ...kept, step: "apply", resumed: state.resumed + 1 });
}

/** Its package is worth nothing, however often it is installed. */
const isUnusable = (failure: PackageFailure) => failure === "integrity" || failure === "unsupported-package";

const applyFailed = (state: Updating, result: UpdateResult, packageIntact: boolean): Next =>
  packageIntact ? [toDownloaded(state, result)] : [failed(state, result), { do: "discard" }];

const restart = (update: Updating, when: "now" | "soon"): Next => [update, { do: "restart", update, when }];

/** Counted before the trial begins, so that an image which takes the board down with it does not go on for ever. */
function startTrial(state: Updating, maximumBoots: number): Next {
  const starts = (state.starts ?? 0) + 1;
  if (starts > maximumBoots) {
    const reason = `the new firmware was started ${maximumBoots} times and did not prove itself`;
    return takeBack(state, { result: updateResults.updateFailed, reason });
  }
  const update: Updating = { ...state, step: "trial", starts };
  return [update, { do: "tryOut", update }];
}

const commit = (update: Updating): Next => [update, { do: "commit", update }];

const takeBack = (state: Updating, setback: Setback): Next => [
  { ...state, step: "revert", setback },
  { do: "revert" },
];

function revertAgain(state: Updating): Next {
  const reverts = (state.reverts ?? 0) + 1;
  return reverts > MAX_REVERTS ? unsuccessful(state) : [{ ...state, reverts }, { do: "revert" }];
}

const unsuccessful = (state: Updating): Next => [
  failed(state, state.setback?.result ?? updateResults.updateFailed),
  { do: "discard" },
];

const toDownloaded = (state: Updating, result: UpdateResult): Downloaded => ({
  name: "downloaded",
  result,
  source: state.source,
  ...(state.package && { package: state.package }),
});

function withResult<S extends FirmwareUpdateState>(
  state: S,
  { result }: { readonly result: UpdateResult },
): Next {
  return [{ ...state, result }];
}
