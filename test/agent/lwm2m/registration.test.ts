import { describe, expect, test } from "vitest";
import {
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationSettings,
  type RegistrationState,
  refreshDelay,
  registrationTable,
} from "../../../agent/lwm2m/registration.js";
import type { Offer } from "../../../agent/lwm2m/registration-offer.js";
import { step } from "../../../agent/lwm2m/state-machine.js";
import { millis, seconds } from "../../../agent/ports.js";

const offer: Offer = { version: "1.1", profile: false };
const settings: RegistrationSettings = {
  lifetime: 300,
  retryCount: 3,
  retryTimer: 60,
  sequenceDelay: 86400,
  sequenceRetryCount: 2,
  firstOffer: offer,
  minimumVersion: "1.1",
  keepAlive: undefined,
};
const tableWith = (changes: Partial<RegistrationSettings> = {}) =>
  registrationTable(() => ({ ...settings, ...changes }));
const table = tableWith();

const location = ["rd", "a1"];
const registration = { location, version: "1.1" } as const;
const attempt = { number: 1, sequence: 1 };
const failure = { reason: "no answer" };

const states = {
  unregistered: { name: "unregistered" },
  waiting: { name: "waiting" },
  registering: { name: "registering", attempt, offer, stale: false },
  backingOff: { name: "backingOff", attempt: { number: 2, sequence: 1 } },
  registered: { name: "registered", registration, stale: false },
  updating: { name: "updating", registration, stale: false },
  disabled: { name: "disabled" },
} as const satisfies Record<string, RegistrationState>;

const events = {
  start: { type: "start", delay: millis(0) },
  resume: { type: "resume", registration },
  stop: { type: "stop" },
  accepted: { type: "accepted", location, took: millis(0) },
  updated: { type: "updated", took: millis(0) },
  failed: { type: "failed", failure },
  timerFired: { type: "timerFired" },
  changed: { type: "changed" },
  updateTriggered: { type: "updateTriggered" },
  disabled: { type: "disabled", duration: seconds(5) },
  observationsLost: { type: "observationsLost" },
  networkChanged: { type: "networkChanged" },
} as const satisfies Record<RegistrationEvent["type"], RegistrationEvent>;

const wait = (duration: number) => ({ do: "wait", duration: seconds(duration) }) as const;
const gather = { do: "wait", duration: millis(300) } as const;
const register = { do: "register", offer } as const;
const update = { do: "update", registration } as const;
const deregister = { do: "deregister", registration } as const;
const forget = { do: "forgetObservations" } as const;

type Row = readonly [RegistrationState, ...RegistrationEffect[]];
/** What is not listed changes nothing. */
const transitions: Record<keyof typeof states, Partial<Record<RegistrationEvent["type"], Row>>> = {
  unregistered: {
    start: [states.registering, register],
    resume: [states.updating, update],
  },
  waiting: { timerFired: [states.registering, register], stop: [states.unregistered] },
  registering: {
    accepted: [states.registered, wait(207)],
    failed: [states.backingOff, { do: "report", failure, next: seconds(60) }, wait(60)],
    changed: [{ ...states.registering, stale: true }],
    networkChanged: [states.registering, register],
    stop: [states.unregistered],
  },
  backingOff: {
    start: [states.registering, register],
    timerFired: [{ ...states.registering, attempt: { number: 2, sequence: 1 } }, register],
    networkChanged: [{ ...states.registering, attempt: { number: 2, sequence: 1 } }, register],
    stop: [states.unregistered],
  },
  registered: {
    timerFired: [states.updating, update],
    updateTriggered: [states.updating, update],
    changed: [{ ...states.registered, stale: true }, gather],
    observationsLost: [states.registering, register, forget],
    networkChanged: [states.registering, register, forget],
    disabled: [states.disabled, wait(5), deregister],
    stop: [states.unregistered, deregister],
  },
  updating: {
    updated: [states.registered, wait(207)],
    failed: [states.registering, register, forget],
    changed: [{ ...states.updating, stale: true }],
    networkChanged: [states.registering, register, forget],
    disabled: [states.disabled, wait(5), deregister],
    stop: [states.unregistered, deregister],
  },
  disabled: { timerFired: [states.registering, register], stop: [states.unregistered] },
};

describe.each(Object.values(states))("in state $name", (state) => {
  test.each(Object.values(events))("$type", (event) => {
    const expected = transitions[state.name][event.type] ?? [state];
    expect(step(table, state as RegistrationState, event as RegistrationEvent)).toEqual(expected);
  });
});

test("the Initial Registration Delay passes before the first attempt", () => {
  expect(step(table, states.unregistered, { type: "start", delay: seconds(7) })).toEqual([
    states.waiting,
    wait(7),
  ]);
});

describe("retries after a Register that failed", () => {
  const fail = (
    number: number,
    sequence: number,
    changes: Partial<RegistrationSettings> = {},
    event: RegistrationEvent = events.failed,
  ) => {
    const state: RegistrationState = { ...states.registering, attempt: { number, sequence } };
    const [next, report, ...effects] = step(tableWith(changes), state, event);
    expect(report?.do).toBe("report");
    return [next, ...effects];
  };

  test("the Communication Retry Timer doubles with each attempt", () => {
    expect(fail(2, 1)).toEqual([{ name: "backingOff", attempt: { number: 3, sequence: 1 } }, wait(120)]);
  });

  test("after the last attempt the next sequence waits for the Sequence Delay", () => {
    expect(fail(3, 1)).toEqual([
      { name: "backingOff", attempt: { number: 1, sequence: 2 } },
      wait(86400),
      { do: "announce", outcome: "sequenceFailed" },
    ]);
  });

  test("after the last sequence the registration has failed, and the client still tries again", () => {
    expect(fail(3, 2)).toEqual([
      { name: "backingOff", attempt },
      wait(86400),
      { do: "announce", outcome: "exhausted" },
    ]);
  });

  test("a Sequence Delay without end leaves only the Bootstrap-Server", () => {
    expect(fail(3, 1, { sequenceDelay: undefined })).toEqual([
      { name: "backingOff", attempt },
      { do: "announce", outcome: "exhausted" },
    ]);
  });

  test("a Server that asks for patience with Max-Age gets it", () => {
    const busy: RegistrationEvent = { type: "failed", failure: { reason: "5.03", retryAfter: 100_000 } };
    expect(fail(1, 1, {}, busy)[1]).toEqual(wait(100_000));
    expect(fail(3, 1, {}, busy)[1]).toEqual(wait(100_000));
  });

  test("never follow at once, even if a Server wrote 0 into every timer", () => {
    const hasty = { retryTimer: 0, sequenceDelay: 0 };
    expect(fail(1, 1, hasty)[1]).toEqual(wait(1));
    expect(fail(3, 1, hasty)[1]).toEqual(wait(1));
  });
});

describe("a version that the Server refuses", () => {
  const newest = tableWith({
    firstOffer: { version: "1.2", profile: false },
    minimumVersion: "1.0",
  });
  const refusedWith = (code: string): RegistrationEvent => ({
    type: "failed",
    failure: { reason: `the Server refused with ${code}`, code },
  });
  const offered = (version: "1.2" | "1.1" | "1.0"): RegistrationState => ({
    ...states.registering,
    offer: { version, profile: false },
  });

  test.each(["4.12", "4.00"])("is followed by an older one at once, after %s", (code) => {
    expect(step(newest, offered("1.2"), refusedWith(code))).toEqual([
      offered("1.1"),
      { do: "register", offer: { version: "1.1", profile: false } },
    ]);
    expect(step(newest, offered("1.1"), refusedWith(code))[0]).toEqual(offered("1.0"));
  });

  test("and was the oldest makes the attempt fail; the next one begins with the newest", () => {
    const [state] = step(newest, offered("1.0"), refusedWith("4.12"));
    expect(state).toEqual(states.backingOff);
    expect(step(newest, state, events.timerFired)[1]).toEqual({
      do: "register",
      offer: { version: "1.2", profile: false },
    });
  });

  test("is not to blame for other refusals", () => {
    expect(step(newest, offered("1.2"), refusedWith("4.03"))[0]).toEqual(states.backingOff);
  });
});

test("an Update that is asked for patience waits for it before the Register", () => {
  const busy = { type: "failed", failure: { reason: "5.03", code: "5.03", retryAfter: 30 } } as const;
  expect(step(table, states.updating, busy)).toEqual([{ name: "backingOff", attempt }, wait(30), forget]);
});

test("a change that comes while an Update is on its way makes another Update", () => {
  const [state, wait] = step(table, { ...states.updating, stale: true }, events.updated);
  expect([state, wait]).toEqual([{ ...states.registered, stale: true }, gather]);
  expect(step(table, state, events.timerFired)[1]).toEqual(update);
});

test("changes that keep coming do not put the Update off", () => {
  const stale: RegistrationState = { ...states.registered, stale: true };
  expect(step(table, stale, events.changed)).toEqual([stale]);
});

test.each([
  { lifetime: 0, delay: undefined },
  { lifetime: 1, delay: seconds(1) },
  { lifetime: 60, delay: seconds(30) },
  { lifetime: 186, delay: seconds(93) },
  { lifetime: 300, delay: seconds(207) },
  { lifetime: 86400, delay: seconds(86307) },
])("with a lifetime of $lifetime s the refresh comes after $delay ms", ({ lifetime, delay }) => {
  expect(refreshDelay({ lifetime, keepAlive: undefined }, millis(0))).toBe(delay);
});

test("a NAT on the way is kept awake by more Updates, also when the registration never ends", () => {
  expect(refreshDelay({ lifetime: 86400, keepAlive: 120 }, millis(0))).toBe(seconds(120));
  expect(refreshDelay({ lifetime: 0, keepAlive: 120 }, millis(0))).toBe(seconds(120));
  expect(refreshDelay({ lifetime: 60, keepAlive: 120 }, millis(0))).toBe(seconds(30));
});

test("the time that the Server took to answer counts as part of the lifetime", () => {
  expect(refreshDelay({ lifetime: 300, keepAlive: undefined }, seconds(7))).toBe(seconds(200));
  expect(refreshDelay({ lifetime: 60, keepAlive: undefined }, seconds(40))).toBe(seconds(1));
});
