/** Registration with one Server (LwM2M Core 1.2 §6.2) as a pure table: events in, the next state and effects out. */
import { type Millis, millis, seconds } from "../ports.js";
import type { Next, Table } from "./state-machine.js";

/** From the Server object, read anew at each step: a Server may write any of them at any time. */
export interface RegistrationSettings {
  /** Seconds; 0 means for ever. */
  readonly lifetime: number;
  /** /1/x/17: attempts in one communication sequence. */
  readonly retryCount: number;
  /** /1/x/18 in seconds: the wait after the first failed attempt; it doubles with each further one. */
  readonly retryTimer: number;
  /** /1/x/19 in seconds: the wait between communication sequences; undefined: there is no further one. */
  readonly sequenceDelay: number | undefined;
  /** /1/x/20: communication sequences before the registration counts as failed. */
  readonly sequenceRetryCount: number;
}

/** What an Update carries; nothing at all when it only refreshes. */
export interface PendingUpdate {
  readonly lifetime: boolean;
  readonly objects: boolean;
}

const nothingPending: PendingUpdate = { lifetime: false, objects: false };
const isEmpty = ({ lifetime, objects }: PendingUpdate) => !lifetime && !objects;

export type RegistrationState =
  | { readonly name: "unregistered" }
  /** `pending` is what changed after the Register had been sent. */
  | { readonly name: "registering"; readonly attempt: Attempt; readonly pending: PendingUpdate }
  | { readonly name: "backingOff"; readonly attempt: Attempt }
  /** `pending` waits for the short delay that gathers several changes into one Update. */
  | { readonly name: "registered"; readonly location: Location; readonly pending: PendingUpdate }
  | { readonly name: "updating"; readonly location: Location; readonly pending: PendingUpdate }
  /** By Execute of /1/x/4: silent until its time has passed. */
  | { readonly name: "disabled" };

/** Counted from 1. */
export interface Attempt {
  readonly number: number;
  readonly sequence: number;
}

/** Location-Path segments as the Server gave them. */
export type Location = readonly string[];

export type RegistrationEvent =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  /** The Server took the Register. `took` is the time from sending it to the answer. */
  | { readonly type: "accepted"; readonly location: Location; readonly took: Millis }
  /** The Server took the Update. */
  | { readonly type: "updated"; readonly took: Millis }
  /** A Register or Update was refused or not answered. `retryAfter` in seconds, when the Server said so. */
  | { readonly type: "failed"; readonly reason: string; readonly retryAfter?: number }
  | { readonly type: "timerFired" }
  /** /1/x/1 was written, or Objects came or went. */
  | { readonly type: "changed"; readonly what: keyof PendingUpdate }
  /** Execute of /1/x/8. */
  | { readonly type: "updateTriggered" }
  /** Execute of /1/x/4. */
  | { readonly type: "disabled"; readonly duration: Millis };

export type RegistrationEffect =
  | { readonly do: "register" }
  | { readonly do: "update"; readonly location: Location; readonly what: PendingUpdate }
  | { readonly do: "deregister"; readonly location: Location }
  | { readonly do: "wait"; readonly duration: Millis }
  /** The registration is gone, and observations end with it (Core §6.2.1). */
  | { readonly do: "forgetObservations" }
  | { readonly do: "report"; readonly failure: string };

type Step = Next<RegistrationState, RegistrationEffect>;

/** Several changes at once, such as an instance created and another deleted, make one Update. */
const gatheringDelay = millis(300);

/** Seconds. A Server may set every delay to 0; an attempt that fails at once must not keep the device busy. */
const shortestRetry = 1;

/** RFC 7252 §4.8.2, MAX_TRANSMIT_WAIT with the default parameters. */
const maxTransmitWait = seconds(93);

export const registrationTable = (
  settings: () => RegistrationSettings,
): Table<RegistrationState, RegistrationEvent, RegistrationEffect> => {
  const register = (attempt: Attempt): Step => [
    { name: "registering", attempt, pending: nothingPending },
    { do: "register" },
  ];
  const first: Attempt = { number: 1, sequence: 1 };

  const registered = (location: Location, pending: PendingUpdate, took: Millis): Step => [
    { name: "registered", location, pending },
    ...waitFor(isEmpty(pending) ? refreshDelay(settings().lifetime, took) : gatheringDelay),
  ];

  const update = (location: Location, what: PendingUpdate): Step => [
    { name: "updating", location, pending: nothingPending },
    { do: "update", location, what },
  ];

  /** Core §6.2.1.1: the Communication Retry Timer doubles with each attempt; then sequences follow. */
  const retry = ({ number, sequence }: Attempt, failure: string, retryAfter = shortestRetry): Step => {
    const { retryCount, retryTimer, sequenceDelay, sequenceRetryCount } = settings();
    const report = { do: "report", failure } as const;
    const atLeast = (delay: number) => seconds(Math.max(delay, retryAfter, shortestRetry));
    if (number < retryCount) {
      const delay = atLeast(retryTimer * 2 ** (number - 1));
      return [{ name: "backingOff", attempt: { number: number + 1, sequence } }, report, ...waitFor(delay)];
    }
    // Without a Bootstrap-Server there is nothing better than further sequences: a device that gave up for ever would
    // have to be visited.
    const next = sequence < sequenceRetryCount ? sequence + 1 : 1;
    return [
      { name: "backingOff", attempt: { number: 1, sequence: next } },
      report,
      ...waitFor(sequenceDelay === undefined ? undefined : atLeast(sequenceDelay)),
    ];
  };

  const leave = ({ location }: { location: Location }): Step => [
    { name: "unregistered" },
    { do: "deregister", location },
  ];
  const unregistered: Step = [{ name: "unregistered" }];
  const disable = ({ location }: { location: Location }, { duration }: { duration: Millis }): Step => [
    { name: "disabled" },
    { do: "wait", duration },
    { do: "deregister", location },
  ];

  return {
    unregistered: { start: () => register(first) },
    registering: {
      accepted: ({ pending }, { location, took }) => registered(location, pending, took),
      changed: (state, { what }) => [withPending(state, what)],
      failed: ({ attempt }, { reason, retryAfter }) => retry(attempt, reason, retryAfter),
      stop: () => unregistered,
    },
    backingOff: {
      timerFired: ({ attempt }) => register(attempt),
      updateTriggered: () => register(first),
      stop: () => unregistered,
    },
    registered: {
      timerFired: ({ location, pending }) => update(location, pending),
      updateTriggered: ({ location, pending }) => update(location, pending),
      // The first change begins the wait; further ones must not put the Update off for ever.
      changed: (state, { what }) => [
        withPending(state, what),
        ...waitFor(isEmpty(state.pending) ? gatheringDelay : undefined),
      ],
      disabled: disable,
      stop: leave,
    },
    updating: {
      updated: ({ location, pending }, { took }) => registered(location, pending, took),
      // 4.04: the Server has forgotten us. Whatever else it answers, an Update alone cannot mend it (Core §6.2.2).
      failed: () => [...register(first), { do: "forgetObservations" }],
      changed: (state, { what }) => [withPending(state, what)],
      disabled: disable,
      stop: leave,
    },
    disabled: {
      timerFired: () => register(first),
      stop: () => unregistered,
    },
  };
};

const withPending = <State extends { readonly pending: PendingUpdate }>(
  state: State,
  what: keyof PendingUpdate,
): State => ({ ...state, pending: { ...state.pending, [what]: true } });

const waitFor = (duration: Millis | undefined): RegistrationEffect[] =>
  duration === undefined ? [] : [{ do: "wait", duration }];

/**
 * How long after the answer to a Register or Update the next Update goes out: early enough for all its retransmissions,
 * yet never before half the lifetime. The Server may have begun to count when the message was sent, `took` before the
 * answer. undefined when the registration lasts for ever.
 */
export function refreshDelay(lifetime: number, took: Millis): Millis | undefined {
  if (lifetime === 0) return undefined;
  const life = seconds(lifetime);
  return millis(Math.max(1000, life - Math.min(life / 2, maxTransmitWait) - took));
}
