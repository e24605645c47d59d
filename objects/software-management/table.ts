/**
 * What the Software Management Object does when: the state diagram of OMA registry Object 9, as a function without clock,
 * disk or installer. Its effects are data that `runner.ts` performs.
 */
import type { ResponseCode } from "../../agent/model/errors.js";
import type { ImageFile, PackageFailure, PackageInfo } from "../../agent/ports.js";
import { resultOf, type SoftwareResult, softwareResults } from "./results.js";
import {
  type Downloading,
  type Initial,
  type Installed,
  initialState,
  type SoftwareState,
  type Verifying,
} from "./state.js";

/** What a Server asks for. */
export type ServerRequest =
  | {
      readonly type: "packageUriWritten";
      readonly uri: string;
      /** Why it cannot be fetched, as far as its text says. */
      readonly fault?: "invalid-uri" | "unsupported-protocol";
    }
  | { readonly type: "pushBegun" }
  | { readonly type: "installExecuted" }
  | { readonly type: "uninstallExecuted"; readonly forUpdate: boolean }
  | { readonly type: "activateExecuted" }
  | { readonly type: "deactivateExecuted" };

/** What has happened in the world, and cannot be refused. */
export type Occurrence =
  | { readonly type: "pushRefused"; readonly failure: PackageFailure }
  | { readonly type: "transferFailed"; readonly failure: PackageFailure }
  | { readonly type: "received"; readonly image: ImageFile }
  | { readonly type: "verified"; readonly info: PackageInfo }
  | { readonly type: "installed" }
  | { readonly type: "installFailed"; readonly packageIntact: boolean }
  | { readonly type: "uninstalled" }
  | { readonly type: "uninstallFailed" }
  /** The software was activated or deactivated. */
  | { readonly type: "switched"; readonly active: boolean }
  | { readonly type: "switchFailed" }
  | { readonly type: "agentStarted"; readonly packageIntact: boolean };

export type SoftwareEvent = ServerRequest | Occurrence;

/** An order to the world. Each may be given again after a power cut. */
export type Effect =
  | { readonly do: "download"; readonly uri: string }
  | { readonly do: "verify"; readonly image: ImageFile }
  /** Removes the package. */
  | { readonly do: "discard" }
  | { readonly do: "install"; readonly image: ImageFile }
  | { readonly do: "uninstall"; readonly forUpdate: boolean }
  | { readonly do: "switch"; readonly active: boolean };

export type Answer = "accepted" | "ignored" | { readonly refused: ResponseCode };

export interface Step {
  readonly state: SoftwareState;
  readonly effects: readonly Effect[];
  readonly answer: Answer;
}

type Next = readonly [SoftwareState, ...Effect[]];

type Table = {
  readonly [Name in SoftwareState["name"]]: {
    readonly [Type in SoftwareEvent["type"]]?: (
      state: Extract<SoftwareState, { readonly name: Name }>,
      event: Extract<SoftwareEvent, { readonly type: Type }>,
    ) => Next;
  };
};

const serverRequests: ReadonlySet<SoftwareEvent["type"]> = new Set<ServerRequest["type"]>([
  "packageUriWritten",
  "pushBegun",
  "installExecuted",
  "uninstallExecuted",
  "activateExecuted",
  "deactivateExecuted",
]);

/** How often an interrupted installation is taken up again before it counts as failed. */
const MAX_RESUMES = 2;

/** Applies one event. A request that the state does not list is refused; anything else is ignored. */
export function step(state: SoftwareState, event: SoftwareEvent): Step {
  const handler = table[state.name][event.type];
  if (handler === undefined) {
    const answer = serverRequests.has(event.type) ? { refused: "4.05" as const } : "ignored";
    return { state, effects: [], answer };
  }
  const [after, ...effects] = handler(state as never, event as never); // one row, one column: they fit
  return { state: after, effects, answer: "accepted" };
}

/** Would a request of this type be heard in this state? */
export const accepts = (state: SoftwareState, type: ServerRequest["type"]): boolean =>
  table[state.name][type] !== undefined;

const table: Table = {
  initial: {
    packageUriWritten: (_, { uri, fault }) =>
      fault === undefined
        ? [downloading({ transfer: "pull", uri }), { do: "download", uri }]
        : [initial(resultOf(fault))],
    pushBegun: () => [downloading({ transfer: "push" })],
    pushRefused: (_, { failure }) => [initial(resultOf(failure))],
    // A package may be left from a cut between two steps.
    agentStarted: (state) => [state, { do: "discard" }],
  },
  downloading: {
    received: ({ result, source }, { image }) => [
      { name: "verifying", result, source, image },
      { do: "verify", image },
    ],
    transferFailed: (_, { failure }) => withoutPackage(resultOf(failure)),
    agentStarted: restartTransfer,
  },
  verifying: {
    verified: ({ image }, { info }) => [
      { name: "delivered", result: softwareResults.delivered, image, info },
    ],
    transferFailed: (_, { failure }) => withoutPackage(resultOf(failure)),
    agentStarted: (state, { packageIntact }) =>
      packageIntact ? [state, { do: "verify", image: state.image }] : restartTransfer(state),
  },
  delivered: {
    installExecuted: ({ image, info }) => [
      { name: "installing", result: softwareResults.delivered, image, info, resumed: 0 },
      { do: "install", image },
    ],
    uninstallExecuted: () => withoutPackage(softwareResults.initial),
    agentStarted: (state, { packageIntact }) =>
      packageIntact ? [state] : withoutPackage(softwareResults.integrityFailure),
  },
  installing: {
    installed: ({ info }) => [
      { name: "installed", result: softwareResults.installed, info, active: false, wanted: false },
      { do: "discard" },
    ],
    installFailed: ({ image, info }, { packageIntact }) =>
      packageIntact
        ? [{ name: "delivered", result: softwareResults.installFailed, image, info }]
        : withoutPackage(softwareResults.integrityFailure),
    agentStarted: (state, { packageIntact }) => {
      const { image, info, resumed } = state;
      if (!packageIntact) return withoutPackage(softwareResults.integrityFailure);
      return resumed < MAX_RESUMES
        ? [
            { ...state, resumed: resumed + 1 },
            { do: "install", image },
          ]
        : [{ name: "delivered", result: softwareResults.installFailed, image, info }];
    },
  },
  installed: {
    activateExecuted: (state) => want(state, true),
    deactivateExecuted: (state) => want(state, false),
    switched: (state, { active }) => pursue({ ...state, active }),
    switchFailed: (state) => [{ ...state, wanted: state.active, result: softwareResults.deviceError }],
    uninstallExecuted: ({ info, active }, { forUpdate }) => [
      { name: "uninstalling", result: softwareResults.installed, info, active, forUpdate },
      { do: "uninstall", forUpdate },
    ],
    agentStarted: (state) => {
      const [next, ...effects] = pursue(state);
      return [next, { do: "discard" }, ...effects];
    },
  },
  uninstalling: {
    uninstalled: () => [initialState],
    uninstallFailed: ({ info, active }) => [
      { name: "installed", result: softwareResults.uninstallFailed, info, active, wanted: active },
    ],
    // The switching that went on when Uninstall came.
    switched: (state, { active }) => [{ ...state, active }],
    agentStarted: (state) => [state, { do: "uninstall", forUpdate: state.forUpdate }],
  },
};

const initial = (result: SoftwareResult): Initial => ({ name: "initial", result });

const withoutPackage = (result: SoftwareResult): Next => [initial(result), { do: "discard" }];

const downloading = (source: Downloading["source"]): Downloading => ({
  name: "downloading",
  result: softwareResults.downloading,
  source,
});

/** After a restart of the agent: what we fetch is fetched again, what was pushed is lost. */
function restartTransfer({ source }: Downloading | Verifying): Next {
  return source.transfer === "pull"
    ? [downloading(source), { do: "download", uri: source.uri }]
    : withoutPackage(softwareResults.connectionLost);
}

/** One switching at a time: while one goes on, its end looks at what is wanted then. */
function want(state: Installed, wanted: boolean): Next {
  const next: Installed = { ...state, wanted, result: softwareResults.installed };
  return state.wanted === state.active ? pursue(next) : [next];
}

const pursue = (state: Installed): Next =>
  state.wanted === state.active ? [state] : [state, { do: "switch", active: state.wanted }];
