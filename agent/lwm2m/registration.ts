/**
 * Registration with one Server (LwM2M Core 1.2 §6.2) as a pure table: events in, the next state and effects out. When a
 * Server's turn comes is decided in `registration-order.ts`.
 */
import { type Millis, millis, seconds } from "../ports.js";
import type { LwM2mVersion } from "./operations.js";
import { nextOffer, type Offer } from "./registration-offer.js";
import type { RegistrationFailure } from "./server-connection.js";
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
  /** With what an attempt begins. */
  readonly firstOffer: Offer;
  /** How far down the Server may negotiate. */
  readonly minimumVersion: LwM2mVersion;
  /** Seconds: an Update at least so often, for the NAT on the way. undefined: only for the lifetime. */
  readonly keepAlive: number | undefined;
}

/** `stale`: something that the Server should know has changed since. */
export type RegistrationState =
  | { readonly name: "unregistered" }
  /** Its turn has come, and the Initial Registration Delay runs. */
  | { readonly name: "waiting" }
  | {
      readonly name: "registering";
      readonly attempt: Attempt;
      readonly offer: Offer;
      readonly stale: boolean;
    }
  | { readonly name: "backingOff"; readonly attempt: Attempt }
  /** A short delay gathers several changes into one Update. */
  | { readonly name: "registered"; readonly registration: Registration; readonly stale: boolean }
  | { readonly name: "updating"; readonly registration: Registration; readonly stale: boolean }
  /** By Execute of /1/x/4: silent until its time has passed. */
  | { readonly name: "disabled" };

/** Counted from 1. */
export interface Attempt {
  readonly number: number;
  readonly sequence: number;
}

/** What the Server agreed to. */
export interface Registration {
  /** Location-Path segments as the Server gave them. */
  readonly location: readonly string[];
  readonly version: LwM2mVersion;
}

export type RegistrationEvent =
  /** Its turn has come; `delay` is the Initial Registration Delay. */
  | { readonly type: "start"; readonly delay: Millis }
  /** A registration of an earlier run may still be in force. */
  | { readonly type: "resume"; readonly registration: Registration }
  | { readonly type: "stop" }
  /** The Server took the Register. `took` is the time from sending it to the answer. */
  | { readonly type: "accepted"; readonly location: readonly string[]; readonly took: Millis }
  /** The Server took the Update. */
  | { readonly type: "updated"; readonly took: Millis }
  /** A Register or Update was refused or not answered. */
  | { readonly type: "failed"; readonly failure: RegistrationFailure }
  | { readonly type: "timerFired" }
  /** The lifetime or the binding was written, or Objects came or went. */
  | { readonly type: "changed" }
  /** Execute of /1/x/8. */
  | { readonly type: "updateTriggered" }
  /** Execute of /1/x/4. */
  | { readonly type: "disabled"; readonly duration: Millis }
  /** Of an earlier run: the Server waits for what does not go on. */
  | { readonly type: "observationsLost" }
  /** Our address is another one, or the network came back. */
  | { readonly type: "networkChanged" };

export type RegistrationEffect =
  | { readonly do: "register"; readonly offer: Offer }
  /** Says what changed; nothing at all when it only refreshes. */
  | { readonly do: "update"; readonly registration: Registration }
  | { readonly do: "deregister"; readonly registration: Registration }
  | { readonly do: "wait"; readonly duration: Millis }
  /** The registration is gone, and observations end with it (Core §6.2.1). */
  | { readonly do: "forgetObservations" }
  /** `next`: how long until the next attempt; undefined when none is planned. */
  | { readonly do: "report"; readonly failure: RegistrationFailure; readonly next: Millis | undefined }
  /** For the order among Servers: this many attempts have come to nothing. */
  | { readonly do: "announce"; readonly outcome: FailedOutcome };

/** `exhausted`: after the last sequence; what comes then is the Bootstrap-Server, or more of the same. */
export type FailedOutcome = "sequenceFailed" | "exhausted";

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
  const offering = (attempt: Attempt, offer: Offer): Step => [
    { name: "registering", attempt, offer, stale: false },
    { do: "register", offer },
  ];
  const register = (attempt: Attempt): Step => offering(attempt, settings().firstOffer);
  const registerAnew = (): Step => [...register(first), { do: "forgetObservations" }];

  const registered = (registration: Registration, stale: boolean, took: Millis): Step => [
    { name: "registered", registration, stale },
    ...waitFor(stale ? gatheringDelay : refreshDelay(settings(), took)),
  ];

  const update = ({ registration }: { registration: Registration }): Step => [
    { name: "updating", registration, stale: false },
    { do: "update", registration },
  ];

  /** Core §6.2.1.1: the Communication Retry Timer doubles with each attempt; then sequences follow. */
  const retry = ({ number, sequence }: Attempt, failure: RegistrationFailure): Step => {
    const { retryCount, retryTimer, sequenceDelay, sequenceRetryCount } = settings();
    const pause = (delay: number | undefined) =>
      delay === undefined ? undefined : seconds(Math.max(delay, failure.retryAfter ?? 0, shortestRetry));
    const backOff = (attempt: Attempt, next: Millis | undefined): Step => [
      { name: "backingOff", attempt },
      { do: "report", failure, next },
      ...waitFor(next),
    ];
    if (number < retryCount) {
      return backOff({ number: number + 1, sequence }, pause(retryTimer * 2 ** (number - 1)));
    }
    // Where no Bootstrap-Server helps there is nothing better than further sequences: a device that gave up for ever
    // would have to be visited.
    const exhausted = sequence >= sequenceRetryCount || sequenceDelay === undefined;
    return [
      ...backOff({ number: 1, sequence: exhausted ? 1 : sequence + 1 }, pause(sequenceDelay)),
      { do: "announce", outcome: exhausted ? "exhausted" : "sequenceFailed" },
    ];
  };

  const leave = ({ registration }: { registration: Registration }): Step => [
    { name: "unregistered" },
    { do: "deregister", registration },
  ];
  const unregistered: Step = [{ name: "unregistered" }];
  const disable = (
    { registration }: { registration: Registration },
    { duration }: { duration: Millis },
  ): Step => [{ name: "disabled" }, { do: "wait", duration }, { do: "deregister", registration }];

  return {
    unregistered: {
      start: (_, { delay }) =>
        delay === 0 ? register(first) : [{ name: "waiting" }, { do: "wait", duration: delay }],
      resume: (_, { registration }) => update({ registration }),
    },
    waiting: {
      timerFired: () => register(first),
      stop: () => unregistered,
    },
    registering: {
      accepted: ({ offer, stale }, { location, took }) =>
        registered({ location, version: offer.version }, stale, took),
      failed: ({ attempt, offer }, { failure }) => {
        const next = nextOffer(offer, failure.code, settings().minimumVersion);
        return next === undefined ? retry(attempt, failure) : offering(attempt, next);
      },
      changed: (state) => [{ ...state, stale: true }],
      // The answer would go to the old address.
      networkChanged: ({ attempt }) => register(attempt),
      stop: () => unregistered,
    },
    backingOff: {
      timerFired: ({ attempt }) => register(attempt),
      // After a bootstrap, with other settings or another Server at the other end.
      start: () => register(first),
      networkChanged: ({ attempt }) => register(attempt),
      stop: () => unregistered,
    },
    registered: {
      timerFired: update,
      updateTriggered: update,
      // The first change begins the wait; further ones must not put the Update off for ever.
      changed: (state) => [{ ...state, stale: true }, ...waitFor(state.stale ? undefined : gatheringDelay)],
      observationsLost: registerAnew,
      networkChanged: registerAnew,
      disabled: disable,
      stop: leave,
    },
    updating: {
      updated: ({ registration, stale }, { took }) => registered(registration, stale, took),
      // 4.04: the Server has forgotten us. Whatever else it answers, an Update alone cannot mend it (Core §6.2.2).
      failed: (_, { failure: { retryAfter } }) =>
        retryAfter === undefined
          ? registerAnew()
          : [
              { name: "backingOff", attempt: first },
              { do: "wait", duration: seconds(Math.max(retryAfter, shortestRetry)) },
              { do: "forgetObservations" },
            ],
      changed: (state) => [{ ...state, stale: true }],
      networkChanged: registerAnew,
      disabled: disable,
      stop: leave,
    },
    disabled: {
      timerFired: () => register(first),
      stop: () => unregistered,
    },
  };
};

const first: Attempt = { number: 1, sequence: 1 };

const waitFor = (duration: Millis | undefined): RegistrationEffect[] =>
  duration === undefined ? [] : [{ do: "wait", duration }];

/**
 * How long after the answer to a Register or Update the next Update goes out: early enough for all its retransmissions,
 * yet never before half the lifetime. The Server may have begun to count when the message was sent, `took` before the
 * answer. undefined when the registration lasts for ever and nothing on the way forgets us.
 */
export function refreshDelay(
  { lifetime, keepAlive }: Pick<RegistrationSettings, "lifetime" | "keepAlive">,
  took: Millis,
): Millis | undefined {
  const life = seconds(lifetime);
  const forLifetime = lifetime === 0 ? undefined : life - Math.min(life / 2, maxTransmitWait) - took;
  const delay = Math.min(forLifetime ?? Infinity, keepAlive === undefined ? Infinity : seconds(keepAlive));
  return delay === Infinity ? undefined : millis(Math.max(1000, delay));
}
