/**
 * One firmware update as the server sees it: a pure table of what happens and what follows. `firmware-update-run.ts`
 * does what it says.
 *
 * Notifications may be lost, come late and in pieces, and a device that restarts forgets them: they only make it
 * faster. Every decision about an update that seems to have got lost rests on reads, which follow each other in order.
 */
import type { JobError } from "./job.js";

/** State (/5/0/3). */
export const updateStates = { idle: 0, downloading: 1, downloaded: 2, updating: 3 } as const;

const success = 1;
const deferred = 11;

/** Update Result (/5/0/5), by number. */
const resultNames = [
  "no result",
  "success",
  "not enough storage",
  "out of memory",
  "connection lost",
  "integrity check failure",
  "unsupported package type",
  "invalid URI",
  "firmware update failed",
  "unsupported protocol",
  "update cancelled",
  "update deferred",
];

export type FirmwareState =
  /** Is the device free, and does no old result lie about? */
  | { readonly name: "inspecting"; readonly resets: number; readonly reads: number }
  | { readonly name: "resetting"; readonly resets: number; readonly found: FirmwareReport }
  | (Offer & { readonly name: "offering"; readonly cancelRequested: boolean })
  /** `begun`: the device was seen at work. `idleReads`: how often in a row it was Idle afterwards, without a result. */
  | (Offer & { readonly name: "downloading"; readonly begun: boolean } & Doubts)
  | { readonly name: "executing"; readonly attempt: number }
  | ({ readonly name: "updating"; readonly attempt: number } & Doubts)
  | { readonly name: "verifying" }
  | { readonly name: "cancelling" }
  | { readonly name: "ended"; readonly outcome: FirmwareOutcome };

interface Offer {
  readonly attempt: number;
  /** A result of old that the device would not forget: it says nothing about this update. */
  readonly staleResult: number;
}

interface Doubts {
  /** The order may not have arrived, or was forgotten in a restart. */
  readonly doubtful: boolean;
  readonly idleReads: number;
}

export interface FirmwareReport {
  readonly state: number;
  readonly result: number;
}

export type FirmwareOutcome =
  | { readonly status: "completed"; readonly message: string }
  | { readonly status: "cancelled"; readonly message: string }
  | { readonly status: "failed"; readonly error: JobError };

export type FirmwareEvent =
  | ({ readonly type: "reported"; readonly by: "read" | "notification" } & FirmwareReport)
  /** A read brought no value. */
  | { readonly type: "unread"; readonly answered: boolean; readonly error: JobError }
  /** The device took the order that was given last. */
  | { readonly type: "accepted" }
  | { readonly type: "refused"; readonly error: JobError }
  | { readonly type: "unanswered"; readonly error: JobError }
  | { readonly type: "version"; readonly version: string | undefined }
  /** The device registered anew. */
  | { readonly type: "registered" }
  /** The device de-registered, or its registration expired. */
  | { readonly type: "gone" }
  | { readonly type: "cancelRequested" };

export type FirmwareEffect =
  | { readonly do: "observe" }
  /** State and Update Result, now. */
  | { readonly do: "read" }
  /** The same after the poll interval. */
  | { readonly do: "readLater" }
  /** Empty Package URI. */
  | { readonly do: "reset" }
  /** Package URI. */
  | { readonly do: "offer" }
  | { readonly do: "execute" }
  | { readonly do: "readVersion" }
  | { readonly do: "cancel" }
  | { readonly do: "report"; readonly message: string };

type Next = readonly [FirmwareState, ...FirmwareEffect[]];

type Row<Name extends FirmwareState["name"]> = {
  readonly [Type in FirmwareEvent["type"]]?: (
    state: Extract<FirmwareState, { name: Name }>,
    event: Extract<FirmwareEvent, { type: Type }>,
  ) => Next;
};

/** How often an order is repeated that a restart may have swallowed. */
const maxAttempts = 3;
/** How many reads in a row must show a device Idle and without a result before the update counts as lost. */
const patience = 3;

export const firmwareStart: Next = [
  { name: "inspecting", resets: 0, reads: 0 },
  report("Preparing"),
  { do: "observe" },
  { do: "read" },
];

const table: { readonly [Name in FirmwareState["name"]]: Row<Name> } = {
  inspecting: {
    reported: (state, event) => (event.by === "read" ? inspect(state, event) : [state]),
    unread: (_, { error }) => failed(error),
    registered: (state) => [state, { do: "observe" }, { do: "read" }],
    cancelRequested: () => cancelled("cancelled before the package was offered"),
  },
  resetting: {
    accepted: ({ resets }) => [{ name: "inspecting", resets, reads: 0 }, { do: "read" }],
    refused: ({ found }, { error }) =>
      found.state === updateStates.idle ? offer({ attempt: 1, staleResult: found.result }) : failed(error),
    unanswered: ({ resets }) => [{ name: "inspecting", resets, reads: 0 }, { do: "read" }],
    registered: (state) => [state, { do: "observe" }],
    cancelRequested: () => cancelled("cancelled before the package was offered"),
  },
  offering: {
    accepted: ({ cancelRequested, ...state }) =>
      cancelRequested ? cancel : [downloading(state, false), report("Downloading"), { do: "readLater" }],
    // A repeated offer is refused when the first one was heard after all.
    refused: ({ cancelRequested, ...state }, { error }) =>
      state.attempt > 1 ? [downloading(state, false), { do: "readLater" }] : failed(error),
    // It may have arrived all the same: a read will tell.
    unanswered: ({ cancelRequested, ...state }) =>
      cancelRequested ? cancel : [downloading(state, true), { do: "read" }],
    registered: (state) => [state, { do: "observe" }],
    cancelRequested: (state) => [{ ...state, cancelRequested: true }],
  },
  downloading: {
    reported: (state, event) => download(state, event),
    unread: (state) => [state, { do: "readLater" }],
    registered: (state) => [{ ...state, doubtful: true }, { do: "observe" }, { do: "read" }],
    cancelRequested: () => cancel,
  },
  executing: {
    accepted: ({ attempt }) => [updating(attempt, false), report("Updating"), { do: "readLater" }],
    refused: ({ attempt }, { error }) =>
      attempt > 1 ? [updating(attempt, false), { do: "readLater" }] : failed(error),
    unanswered: ({ attempt }) => [updating(attempt, true), report("Restarting"), { do: "read" }],
    registered: (state) => [state, { do: "observe" }],
  },
  updating: {
    reported: (state, event) => update(state, event),
    unread: (state, { answered }) =>
      answered ? [state, { do: "readLater" }] : [state, report("Restarting"), { do: "readLater" }],
    gone: (state) => [state, report("Restarting")],
    registered: (state) => [
      { ...state, doubtful: true },
      report("Registered again"),
      { do: "observe" },
      { do: "read" },
    ],
  },
  verifying: {
    version: (_, { version }) =>
      ended({
        status: "completed",
        message: version === undefined ? "Updated" : `Updated to firmware version ${version}`,
      }),
    unread: () => ended({ status: "completed", message: "Updated" }),
    registered: (state) => [state, { do: "readVersion" }],
  },
  cancelling: {
    accepted: () => cancelled("cancelled on the device"),
    refused: (_, { error }) => cancelled(`cancelled here; the device went on: ${error.message}`),
    unanswered: () => cancelled("cancelled here; the device did not answer"),
  },
  ended: {},
};

/** The next state, followed by what is to be done. What a state does not list changes nothing. */
export function firmwareStep(state: FirmwareState, event: FirmwareEvent): Next {
  const row: Readonly<Record<string, unknown>> = table[state.name];
  // By construction of Row, a function of that state and that event.
  const transition = row[event.type] as ((state: FirmwareState, event: FirmwareEvent) => Next) | undefined;
  return transition?.(state, event) ?? [state];
}

type Reported = Extract<FirmwareEvent, { type: "reported" }>;
type StateNamed<Name extends FirmwareState["name"]> = Extract<FirmwareState, { name: Name }>;

function inspect({ resets, reads }: StateNamed<"inspecting">, { state, result }: Reported): Next {
  if (state === updateStates.updating) {
    return failed({ code: "notAllowed", message: "the device is installing another update" });
  }
  if (state === updateStates.idle && (result === 0 || resets > 0)) {
    return offer({ attempt: 1, staleResult: result });
  }
  if (resets === 0) {
    return [{ name: "resetting", resets: resets + 1, found: { state, result } }, { do: "reset" }];
  }
  if (reads < patience) return [{ name: "inspecting", resets, reads: reads + 1 }, { do: "readLater" }];
  return failed({ code: "deviceError", message: `the device stays in State ${state} after a reset` });
}

function download(now: StateNamed<"downloading">, { state, result, by }: Reported): Next {
  switch (state) {
    case updateStates.downloading: {
      const next = { ...now, begun: true, doubtful: false, idleReads: 0 };
      return by === "read" ? [next, { do: "readLater" }] : [next];
    }
    case updateStates.downloaded:
      return execute(1, report("Downloaded"));
    case updateStates.updating: // some devices do not wait for the order
      return [updating(1, false), report("Updating"), { do: "readLater" }];
    default:
      return isNews(now, result) ? finished(result, "downloading") : idleWhileDownloading(now, by);
  }
}

const isNews = ({ begun, staleResult }: StateNamed<"downloading">, result: number): boolean =>
  result !== 0 && (begun || result !== staleResult);

/** Some devices are Idle for a while before they begin, and between the end and its result. */
function idleWhileDownloading(now: StateNamed<"downloading">, by: Reported["by"]): Next {
  if (by === "notification") return now.begun ? [now, { do: "read" }] : [now];
  if (now.doubtful) {
    if (now.attempt === maxAttempts) return lost("downloading");
    return offer({ attempt: now.attempt + 1, staleResult: now.staleResult });
  }
  if (!now.begun) return [now, { do: "readLater" }];
  return now.idleReads + 1 < patience
    ? [{ ...now, idleReads: now.idleReads + 1 }, { do: "readLater" }]
    : lost("downloading");
}

function update(now: StateNamed<"updating">, { state, result, by }: Reported): Next {
  switch (state) {
    case updateStates.updating: {
      const next = { ...now, doubtful: false, idleReads: 0 };
      return by === "read" ? [next, { do: "readLater" }] : [next];
    }
    case updateStates.downloaded:
      if (result === deferred) return [now, report("Deferred by the device's user"), { do: "readLater" }];
      return result === 0 ? stillDownloaded(now, by) : finished(result, "updating");
    case updateStates.idle:
      return result === 0 ? idleWhileUpdating(now, by) : finished(result, "updating");
    default:
      return failed({
        code: `firmware.${result}`,
        message: "the device began another download while updating",
      });
  }
}

/** The order was lost in a restart, or the device is slow to follow it. */
function stillDownloaded(now: StateNamed<"updating">, by: Reported["by"]): Next {
  if (by === "notification") return [now];
  if (!now.doubtful && now.idleReads + 1 < patience) {
    return [{ ...now, idleReads: now.idleReads + 1 }, { do: "readLater" }];
  }
  return now.attempt < maxAttempts ? execute(now.attempt + 1) : lost("updating");
}

/** State changes after Update Result, but the two may arrive the other way round. */
function idleWhileUpdating(now: StateNamed<"updating">, by: Reported["by"]): Next {
  if (by === "notification") return [now, { do: "read" }];
  return now.idleReads + 1 < patience
    ? [{ ...now, idleReads: now.idleReads + 1 }, { do: "readLater" }]
    : lost("updating");
}

const offer = (offered: Offer): Next => [
  { name: "offering", ...offered, cancelRequested: false },
  { do: "offer" },
];

const downloading = ({ attempt, staleResult }: Offer, doubtful: boolean): FirmwareState => ({
  name: "downloading",
  attempt,
  staleResult,
  doubtful,
  begun: false,
  idleReads: 0,
});

const execute = (attempt: number, ...before: FirmwareEffect[]): Next => [
  { name: "executing", attempt },
  ...before,
  { do: "execute" },
];

const updating = (attempt: number, doubtful: boolean): FirmwareState => ({
  name: "updating",
  attempt,
  doubtful,
  idleReads: 0,
});

const cancel: Next = [{ name: "cancelling" }, report("Cancelling"), { do: "cancel" }];

const finished = (result: number, during: string): Next =>
  result === success
    ? [{ name: "verifying" }, { do: "readVersion" }]
    : failed({
        code: `firmware.${result}`,
        message: `Update Result ${result} (${resultNames[result] ?? "not known"}) while ${during}`,
      });

const lost = (during: string): Next =>
  failed({
    code: "firmware.0",
    message: `Update Result 0 (${resultNames[0]}): the device lost or dropped the update while ${during}`,
  });

const failed = (error: JobError): Next => ended({ status: "failed", error });
const cancelled = (message: string): Next => ended({ status: "cancelled", message });
const ended = (outcome: FirmwareOutcome): Next => [{ name: "ended", outcome }];

function report(message: string): FirmwareEffect {
  return { do: "report", message };
}
