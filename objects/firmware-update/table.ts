/**
 * What the Firmware Update Object does when: the state table of OMA registry Object 5, as a function without clock,
 * disk or board. Its effects are data that `runner.ts` performs.
 */
import type { ResponseCode } from "../../agent/model/errors.js";
import type { ImageFile, PackageFailure } from "../../agent/ports.js";
import { resultOf, type UpdateResult, updateResults } from "./results.js";
import type {
  Attempt,
  Downloaded,
  Downloading,
  FirmwareUpdateState,
  Idle,
  StateNumber,
  Updating,
  VerifiedPackage,
  Verifying,
} from "./state.js";
import { uriOf } from "./state.js";

/** What a Server asks for. */
export type ServerRequest =
  | {
      readonly type: "packageUriWritten";
      readonly uri: string;
      /** Why it cannot be fetched, as far as its text says. */
      readonly fault?: "invalid-uri" | "unsupported-protocol";
    }
  | { readonly type: "pushBegun" }
  /** An empty Package URI, or a Package of no byte or a single zero. */
  | { readonly type: "resetRequested" }
  | { readonly type: "updateExecuted"; readonly attempt: Attempt; readonly by: Updating["by"] }
  | { readonly type: "cancelExecuted" };

/** What has happened in the world, and cannot be refused. */
export type Occurrence =
  | { readonly type: "pushRefused"; readonly failure: PackageFailure }
  | { readonly type: "transferFailed"; readonly failure: PackageFailure }
  | { readonly type: "received"; readonly image: ImageFile }
  | { readonly type: "verified"; readonly package: VerifiedPackage }
  | { readonly type: "applied"; readonly how: "restart" | "running" }
  | { readonly type: "applyFailed"; readonly failure: PackageFailure; readonly packageIntact: boolean }
  /** A plugin has the board install its package, or takes the work back when that failed. */
  | { readonly type: "handedOver"; readonly to: Updating["by"] }
  | { readonly type: "trialPassed" }
  | { readonly type: "trialFailed" }
  | { readonly type: "committed" }
  | { readonly type: "reverted"; readonly how: "restart" | "done" }
  | {
      readonly type: "outcomeKnown";
      readonly outcome: "new" | "old" | "unknown";
      readonly packageIntact: boolean;
      readonly bootId: string;
    }
  /** `sameBoot`: as that of the attempt; the agent stopped, not the board. */
  | { readonly type: "agentStarted"; readonly sameBoot: boolean; readonly packageIntact: boolean };

/** What a plugin says about the work that it took over. */
export type PluginReport =
  | { readonly type: "stateReported"; readonly state: 0 | 1 | 2 }
  | { readonly type: "stateReported"; readonly state: 3; readonly attempt: Attempt }
  | { readonly type: "resultReported"; readonly result: UpdateResult };

export type FirmwareUpdateEvent = ServerRequest | Occurrence | PluginReport;

/** An order to the world. Each may be given again after a power cut. */
export type Effect =
  | { readonly do: "download"; readonly uri: string }
  | { readonly do: "cancelTransfer" }
  | { readonly do: "verify"; readonly image: ImageFile }
  /** Removes the package. */
  | { readonly do: "discard" }
  | { readonly do: "apply"; readonly update: Updating }
  /** `soon`: one may be on its way already. */
  | { readonly do: "restart"; readonly when: "now" | "soon" }
  | { readonly do: "askOutcome"; readonly update: Updating }
  | { readonly do: "tryOut" }
  | { readonly do: "commit" }
  | { readonly do: "revert" };

export type Answer = "accepted" | "ignored" | { readonly refused: ResponseCode };

export interface Step {
  readonly state: FirmwareUpdateState;
  readonly effects: readonly Effect[];
  readonly answer: Answer;
}

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
}

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

export const firmwareUpdateTable = ({ maxResumes }: TableOptions): Table => ({
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
      { do: "verify", image },
    ],
    transferFailed,
    resetRequested: () => dropTransfer(updateResults.initial),
    cancelExecuted: () => dropTransfer(updateResults.cancelled),
    agentStarted: (state) => restartTransfer(state),
    stateReported: (state, event) => {
      const { result, source } = state;
      if (event.state === 0) return [failed(state, result), { do: "cancelTransfer" }, { do: "discard" }];
      if (event.state === 1) return [state];
      return event.state === 2 ? [{ name: "downloaded", result, source }] : undefined;
    },
    resultReported: withResult,
  },
  verifying: {
    verified: ({ result, source }, event) => [{ name: "downloaded", result, source, package: event.package }],
    transferFailed,
    resetRequested: () => dropTransfer(updateResults.initial),
    cancelExecuted: () => dropTransfer(updateResults.cancelled),
    agentStarted: (state, { packageIntact }) =>
      packageIntact
        ? [state, { do: "commit" }, { do: "verify", image: state.image }]
        : restartTransfer(state),
    stateReported: (state, event) => (event.state === 1 ? [state] : undefined),
    resultReported: withResult,
  },
  downloaded: {
    updateExecuted: (state, { by, attempt }) => {
      const { name: _, ...kept } = state;
      const begun = {
        ...kept,
        name: "updating",
        result: updateResults.initial,
        step: "apply",
        attempt,
        resumed: 0,
      } as const;
      if (by === "plugin") return beginApply({ ...begun, by });
      // Only a plugin knows where this package is, and there is none any more that would install it.
      if (state.package === undefined) return [{ ...state, result: updateResults.updateFailed }];
      return beginApply({ ...begun, by, package: state.package });
    },
    resetRequested: () => dropTransfer(updateResults.initial),
    cancelExecuted: () => dropTransfer(updateResults.cancelled),
    agentStarted: (state, { packageIntact }) =>
      packageIntact
        ? [state, { do: "commit" }]
        : [idle(updateResults.initial), { do: "discard" }, { do: "commit" }],
    stateReported: (state, event) => {
      if (event.state === 0)
        return [failed(state, state.result), { do: "cancelTransfer" }, { do: "discard" }];
      if (event.state === 2) return [state];
      if (event.state !== 3) return undefined;
      const { name: _, ...kept } = state;
      return [{ ...kept, name: "updating", by: "plugin", step: "apply", attempt: event.attempt, resumed: 0 }];
    },
    resultReported: withResult,
  },
  updating: {
    applied: (state, { how }) => {
      if (state.step !== "apply") return undefined;
      return how === "restart"
        ? [
            { ...state, step: "restart" },
            { do: "restart", when: "now" },
          ]
        : [{ ...state, step: "trial" }, { do: "tryOut" }];
    },
    applyFailed: (state, { failure, packageIntact }) => {
      if (state.step !== "apply") return undefined;
      const unusable = failure === "integrity" || failure === "unsupported-package";
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
    trialPassed: (state) =>
      state.step === "trial" ? [{ ...state, step: "commit" }, { do: "commit" }] : undefined,
    trialFailed: (state) =>
      state.step === "trial" ? [{ ...state, step: "revert" }, { do: "revert" }] : undefined,
    // Not before: a success that the boot loader may still take back is none.
    committed: (state) =>
      state.step === "commit" ? [idle(updateResults.success), { do: "discard" }] : undefined,
    reverted: (state, { how }) => {
      if (state.step !== "revert") return undefined;
      return how === "restart"
        ? [state, { do: "restart", when: "now" }]
        : [failed(state, updateResults.updateFailed), { do: "discard" }];
    },
    agentStarted: (state, { sameBoot, packageIntact }) => {
      if (!sameBoot) return [state, { do: "askOutcome", update: state }];
      switch (state.step) {
        case "apply":
          return (
            resumeApply(state, packageIntact, maxResumes) ??
            applyFailed(state, updateResults.updateFailed, packageIntact)
          );
        case "restart":
          return [state, { do: "restart", when: "soon" }];
        case "trial":
          return [state, { do: "tryOut" }];
        case "commit":
          return [state, { do: "commit" }];
        case "revert":
          return [state, { do: "revert" }];
      }
    },
    outcomeKnown: (state, { outcome, packageIntact, bootId }) => {
      if (outcome === "new") {
        if (state.step === "revert") return [state, { do: "revert" }];
        if (state.step === "commit") return [state, { do: "commit" }];
        return [{ ...state, step: "trial" }, { do: "tryOut" }];
      }
      const unsuccessful: Next = [failed(state, updateResults.updateFailed), { do: "discard" }];
      if (outcome === "unknown") return unsuccessful;
      // A power cut looks like an image that failed, so one boot of the old image proves nothing yet. But a plugin's
      // update, or one that we took back ourselves, is not begun again.
      const attempt = { ...state.attempt, bootId };
      const again = state.by === "board" && state.step !== "revert";
      return (
        (again && resumeApply({ ...state, attempt }, packageIntact, maxResumes)) || [
          ...unsuccessful,
          { do: "commit" },
        ]
      );
    },
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
  { failure }: { readonly failure: PackageFailure },
): Next => [failed(state, resultOf(failure)), { do: "cancelTransfer" }, { do: "discard" }];

/** After a restart of the agent: what we fetch is fetched again, what was pushed is lost. */
const restartTransfer = (state: Downloading | Verifying): Next =>
  state.source.transfer === "pull"
    ? [
        { name: "downloading", result: state.result, source: state.source },
        { do: "commit" },
        { do: "download", uri: state.source.uri },
      ]
    : [idle(updateResults.connectionLost), { do: "discard" }, { do: "commit" }];

const beginApply = (update: Updating): Next => [update, { do: "apply", update }];

/** undefined when the package is gone or it was tried often enough. */
function resumeApply(state: Updating, packageIntact: boolean, maxResumes: number): Next | undefined {
  if (!packageIntact || state.resumed >= maxResumes) return undefined;
  return beginApply({ ...state, step: "apply", resumed: state.resumed + 1 });
}

const applyFailed = (state: Updating, result: UpdateResult, packageIntact: boolean): Next =>
  packageIntact ? [toDownloaded(state, result)] : [failed(state, result), { do: "discard" }];

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
