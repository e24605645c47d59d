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
  /** The Server took the Register. */
  | { readonly type: "accepted"; readonly location: Location }
  /** The Server took the Update. */
  | { readonly type: "updated" }
  | { readonly type: "refused"; readonly code: string; readonly retryAfter?: number }
  | { readonly type: "unanswered" }
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
  /** A new registration: observations made before it are void. */
  | { readonly do: "forgetObservations" }
  | { readonly do: "report"; readonly failure: string };

type Step = Next<RegistrationState, RegistrationEffect>;

/** Several changes at once, such as an instance created and another deleted, make one Update. */
const gatheringDelay = millis(300);

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

  const registered = (location: Location, pending: PendingUpdate): Step => [
    { name: "registered", location, pending },
    ...waitFor(isEmpty(pending) ? refreshDelay(settings().lifetime) : gatheringDelay),
  ];

  const update = (location: Location, what: PendingUpdate): Step => [
    { name: "updating", location, pending: nothingPending },
    { do: "update", location, what },
  ];

  /** Core §6.2.1.1: the Communication Retry Timer doubles with each attempt; then sequences follow. */
  const retry = ({ number, sequence }: Attempt, failure: string, retryAfter?: number): Step => {
    const { retryCount, retryTimer, sequenceDelay, sequenceRetryCount } = settings();
    const report = { do: "report", failure } as const;
    if (number < retryCount) {
      const delay = seconds(Math.max(retryTimer * 2 ** (number - 1), retryAfter ?? 0));
      return [{ name: "backingOff", attempt: { number: number + 1, sequence } }, report, ...waitFor(delay)];
    }
    // Without a Bootstrap-Server there is nothing better than further sequences: a device that gave up for ever would
    // have to be visited.
    const next = sequence < sequenceRetryCount ? sequence + 1 : 1;
    return [
      { name: "backingOff", attempt: { number: 1, sequence: next } },
      report,
      ...waitFor(sequenceDelay === undefined ? undefined : seconds(sequenceDelay)),
    ];
  };

  const leave = ({ location }: { location: Location }): Step => [
    { name: "unregistered" },
    { do: "deregister", location },
  ];
  const unregistered: Step = [{ name: "unregistered" }];
  const disable = (duration: Millis): Step => [{ name: "disabled" }, ...waitFor(duration)];

  return {
    unregistered: { start: () => register(first) },
    registering: {
      accepted: ({ pending }, { location }) =>
        [...registered(location, pending), { do: "forgetObservations" }] as Step,
      changed: (state, { what }) => [{ ...state, pending: { ...state.pending, [what]: true } }],
      refused: ({ attempt }, { code, retryAfter }) =>
        retry(attempt, `the Server refused with ${code}`, retryAfter),
      unanswered: ({ attempt }) => retry(attempt, "the Server does not answer"),
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
      changed: ({ location, pending }, { what }) => registered(location, { ...pending, [what]: true }),
      disabled: ({ location }, { duration }) =>
        [...disable(duration), { do: "deregister", location }] as Step,
      stop: leave,
    },
    updating: {
      updated: ({ location, pending }) => registered(location, pending),
      // 4.04: the Server has forgotten us. Whatever else it answers, an Update alone cannot mend it (Core §6.2.2).
      refused: () => register(first),
      unanswered: () => register(first),
      changed: (state, { what }) => [{ ...state, pending: { ...state.pending, [what]: true } }],
      disabled: ({ location }, { duration }) =>
        [...disable(duration), { do: "deregister", location }] as Step,
      stop: leave,
    },
    disabled: {
      timerFired: () => register(first),
      stop: () => unregistered,
    },
  };
};

const waitFor = (duration: Millis | undefined): RegistrationEffect[] =>
  duration === undefined ? [] : [{ do: "wait", duration }];

/**
 * How long after a registration the Update goes out: early enough for all its retransmissions, yet never before half
 * the lifetime. undefined when the registration lasts for ever.
 */
export function refreshDelay(lifetime: number): Millis | undefined {
  if (lifetime === 0) return undefined;
  const life = seconds(lifetime);
  return millis(Math.max(1000, life - Math.min(life / 2, maxTransmitWait)));
}
