/** The bootstrap sequence (LwM2M Core 1.2 §6.1) as a pure table: events in, the next state and effects out. */
import { type Millis, millis, seconds } from "../../ports.js";
import type { Next, Table } from "../state-machine.js";

export interface BootstrapTableOptions {
  /** /0/x/11 in seconds, read when a bootstrap begins. */
  readonly holdOffSeconds: () => number;
  /** Bootstrap-Pack-Request came with 1.2. */
  readonly asksForPack: boolean;
  /** Makes a fleet spread out: a wait that is as long as the given one or somewhat longer. */
  readonly spread: (wait: Millis) => Millis;
}

export type BootstrapState =
  /** `failures` in a row, over all runs. */
  | { readonly name: "idle"; readonly failures: number }
  /** For the Client Hold Off Time, or after a failed attempt. `attempt` is the one that comes. */
  | ({ readonly name: "waiting" } & Progress)
  | ({ readonly name: "askingForPack" } & Progress)
  /** The pack is checked and made durable. */
  | ({ readonly name: "applyingPack" } & Progress)
  /** The Bootstrap-Request is out; `withFormat` says our preferred format, which a 1.0 server may refuse. */
  | ({ readonly name: "asking"; readonly withFormat: boolean } & Progress)
  /** The Bootstrap-Server writes. */
  | ({ readonly name: "open" } & Progress)
  /** Bootstrap-Finish has come, and what was written is made durable and answered. */
  | ({ readonly name: "finishing" } & Progress)
  /** Done. Our answer to the Finish may have been lost, so the same Finish is answered for a while. */
  | { readonly name: "lingering" };

interface Progress {
  /** Of this run, counted from 1. */
  readonly attempt: number;
  readonly failures: number;
}

export type BootstrapEvent =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  | { readonly type: "timerFired" }
  /** 2.04 to the Bootstrap-Request. */
  | { readonly type: "accepted" }
  /** 2.05 to the Bootstrap-Pack-Request. */
  | { readonly type: "packReceived" }
  /** `retryAfter` in seconds, when the Bootstrap-Server said so. `clientError`: a 4.xx. */
  | {
      readonly type: "refused";
      readonly reason: string;
      readonly clientError: boolean;
      readonly retryAfter?: number;
    }
  | { readonly type: "unanswered"; readonly reason: string }
  /** The Bootstrap-Server did something that we accepted. */
  | { readonly type: "operation" }
  /** A Bootstrap-Finish after which the configuration is consistent. */
  | { readonly type: "finish" }
  | { readonly type: "committed" }
  /** It could not be made durable, or the pack was inconsistent. The accounts are as before. */
  | ({ readonly type: "notCommitted" } & CommitFailure);

export interface CommitFailure {
  readonly reason: string;
  /** What an operator can do about it; absent when it is for the Bootstrap-Server to correct. */
  readonly advice?: string;
}

export type BootstrapEffect =
  | { readonly do: "wait"; readonly duration: Millis }
  | { readonly do: "requestPack" }
  | { readonly do: "applyPack" }
  | { readonly do: "request"; readonly withFormat: boolean }
  | { readonly do: "rollback" }
  | { readonly do: "report"; readonly failure: string; readonly advice?: string }
  /** The run is over. */
  | { readonly do: "end"; readonly outcome: "done" | "failed" };

type Step = Next<BootstrapState, BootstrapEffect>;

/** RFC 7252 §4.8.2, EXCHANGE_LIFETIME with the default parameters: how long the Bootstrap-Server may be silent. */
export const finishPatience = seconds(247);

/** Attempts in one run; afterwards whoever started it may try something else first. */
export const attemptsPerRun = 5;

/** The wait after the first failure; it doubles with each further one in a row, up to the longest. */
const firstBackOff = seconds(5);
const longestBackOff = seconds(20 * 60);

/** After so many failures in a row, the last one included. None: no wait. */
export const backOff = (failures: number): Millis =>
  failures === 0 ? millis(0) : millis(Math.min(firstBackOff * 2 ** (failures - 1), longestBackOff));

export const bootstrapTable = ({
  holdOffSeconds,
  asksForPack,
  spread,
}: BootstrapTableOptions): Table<BootstrapState, BootstrapEvent, BootstrapEffect> => {
  const wait = (duration: Millis): BootstrapEffect => ({ do: "wait", duration });

  const begin = (failures: number): Step => [
    { name: "waiting", attempt: 1, failures },
    wait(millis(Math.max(seconds(holdOffSeconds()), failures === 0 ? 0 : spread(backOff(failures))))),
  ];

  const ask = ({ attempt, failures }: Progress, withFormat: boolean): Step => [
    { name: "asking", attempt, failures, withFormat },
    { do: "request", withFormat },
  ];

  const fail = ({ attempt, failures }: Progress, failure: string, retryAfter = 0): Step => {
    const failed = failures + 1;
    const over = [{ do: "rollback" }, { do: "report", failure }] as const;
    if (attempt >= attemptsPerRun) {
      return [{ name: "idle", failures: failed }, ...over, { do: "end", outcome: "failed" }];
    }
    const pause = millis(Math.max(spread(backOff(failed)), seconds(retryAfter)));
    return [{ name: "waiting", attempt: attempt + 1, failures: failed }, ...over, wait(pause)];
  };

  const report = ({ reason, advice }: CommitFailure): BootstrapEffect => ({
    do: "report",
    failure: reason,
    ...(advice !== undefined && { advice }),
  });

  const stop = ({ failures }: Progress): Step => [
    { name: "idle", failures },
    { do: "rollback" },
    { do: "end", outcome: "failed" },
  ];

  /** Each operation that is accepted gives the Bootstrap-Server its whole time again. */
  const open = ({ attempt, failures }: Progress): Step => [
    { name: "open", attempt, failures },
    wait(finishPatience),
  ];

  const finishing = ({ attempt, failures }: Progress): Step => [{ name: "finishing", attempt, failures }];

  return {
    idle: { start: ({ failures }) => begin(failures) },
    waiting: {
      timerFired: (state) =>
        asksForPack ? [{ ...state, name: "askingForPack" }, { do: "requestPack" }] : ask(state, true),
      stop,
    },
    askingForPack: {
      packReceived: ({ attempt, failures }) => [
        { name: "applyingPack", attempt, failures },
        { do: "applyPack" },
      ],
      // Core 1.2 §6.1.7.7: whatever goes wrong with a pack, the Bootstrap-Request is the way on. Old servers may not even
      // answer what they do not know.
      refused: (state) => ask(state, true),
      unanswered: (state) => ask(state, true),
      stop,
    },
    applyingPack: {
      committed: () => [
        { name: "idle", failures: 0 },
        { do: "end", outcome: "done" },
      ],
      notCommitted: (state, failure) => {
        const [next, request] = ask(state, true);
        return [next, { do: "rollback" }, report(failure), ...(request ? [request] : [])];
      },
      stop,
    },
    asking: {
      accepted: open,
      // The first operation may overtake the answer.
      operation: open,
      finish: finishing,
      refused: (state, { reason, clientError, retryAfter }) =>
        state.withFormat && clientError ? ask(state, false) : fail(state, reason, retryAfter),
      unanswered: (state, { reason }) => fail(state, reason),
      stop,
    },
    open: {
      operation: open,
      finish: finishing,
      timerFired: (state) => fail(state, "no Bootstrap-Finish in time"),
      stop,
    },
    finishing: {
      committed: () => [{ name: "lingering" }, { do: "end", outcome: "done" }, wait(finishPatience)],
      notCommitted: (state, failure) => [...open(state), report(failure)],
      stop,
    },
    lingering: {
      start: () => begin(0),
      timerFired: () => [{ name: "idle", failures: 0 }],
      stop: () => [{ name: "idle", failures: 0 }],
    },
  };
};
