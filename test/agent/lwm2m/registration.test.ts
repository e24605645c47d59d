import { describe, expect, test } from "vitest";
import {
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationState,
  refreshDelay,
  registrationTable,
} from "../../../agent/lwm2m/registration.js";
import { step } from "../../../agent/lwm2m/state-machine.js";
import { millis, seconds } from "../../../agent/ports.js";

const settings = {
  lifetime: 300,
  retryCount: 3,
  retryTimer: 60,
  sequenceDelay: 86400,
  sequenceRetryCount: 2,
};
const table = registrationTable(() => settings);

const location = ["rd", "a1"];
const nothing = { lifetime: false, objects: false };
const someObjects = { lifetime: false, objects: true };
const attempt = { number: 1, sequence: 1 };

const states = {
  unregistered: { name: "unregistered" },
  registering: { name: "registering", attempt, pending: nothing },
  backingOff: { name: "backingOff", attempt: { number: 2, sequence: 1 } },
  registered: { name: "registered", location, pending: nothing },
  updating: { name: "updating", location, pending: nothing },
  disabled: { name: "disabled" },
} as const satisfies Record<string, RegistrationState>;

const events = {
  start: { type: "start" },
  stop: { type: "stop" },
  accepted: { type: "accepted", location, took: millis(0) },
  updated: { type: "updated", took: millis(0) },
  failed: { type: "failed", reason: "no answer" },
  timerFired: { type: "timerFired" },
  changed: { type: "changed", what: "objects" },
  updateTriggered: { type: "updateTriggered" },
  disabled: { type: "disabled", duration: seconds(5) },
} as const satisfies Record<RegistrationEvent["type"], RegistrationEvent>;

const refresh = { do: "wait", duration: seconds(207) } as const;
const gather = { do: "wait", duration: millis(300) } as const;
const register = { do: "register" } as const;
const deregister = { do: "deregister", location } as const;

type Row = readonly [RegistrationState, ...RegistrationEffect[]];
/** What is not listed changes nothing. */
const transitions: Record<keyof typeof states, Partial<Record<RegistrationEvent["type"], Row>>> = {
  unregistered: { start: [states.registering, register] },
  registering: {
    accepted: [states.registered, refresh],
    failed: [
      states.backingOff,
      { do: "report", failure: "no answer" },
      { do: "wait", duration: seconds(60) },
    ],
    changed: [{ ...states.registering, pending: someObjects }],
    stop: [states.unregistered],
  },
  backingOff: {
    timerFired: [{ name: "registering", attempt: { number: 2, sequence: 1 }, pending: nothing }, register],
    updateTriggered: [states.registering, register],
    stop: [states.unregistered],
  },
  registered: {
    timerFired: [states.updating, { do: "update", location, what: nothing }],
    updateTriggered: [states.updating, { do: "update", location, what: nothing }],
    changed: [{ ...states.registered, pending: someObjects }, gather],
    disabled: [states.disabled, { do: "wait", duration: seconds(5) }, deregister],
    stop: [states.unregistered, deregister],
  },
  updating: {
    updated: [states.registered, refresh],
    failed: [states.registering, register, { do: "forgetObservations" }],
    changed: [{ ...states.updating, pending: someObjects }],
    disabled: [states.disabled, { do: "wait", duration: seconds(5) }, deregister],
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

describe("retries after a Register that failed", () => {
  const fail = (number: number, sequence: number, event: RegistrationEvent = events.failed, by = table) => {
    const state: RegistrationState = { name: "registering", attempt: { number, sequence }, pending: nothing };
    const [next, , wait] = step(by, state, event);
    return [next, wait];
  };

  test("the Communication Retry Timer doubles with each attempt", () => {
    expect(fail(2, 1)).toEqual([
      { name: "backingOff", attempt: { number: 3, sequence: 1 } },
      { do: "wait", duration: seconds(120) },
    ]);
  });

  test("after the last attempt the next sequence waits for the Sequence Delay", () => {
    expect(fail(3, 1)).toEqual([
      { name: "backingOff", attempt: { number: 1, sequence: 2 } },
      { do: "wait", duration: seconds(86400) },
    ]);
  });

  test("after the last sequence the client still tries again after the Sequence Delay", () => {
    expect(fail(3, 2)).toEqual([
      { name: "backingOff", attempt },
      { do: "wait", duration: seconds(86400) },
    ]);
  });

  test("a Server that asks for patience with Max-Age gets it", () => {
    const busy: RegistrationEvent = { type: "failed", reason: "5.03", retryAfter: 100_000 };
    const patience = { do: "wait", duration: seconds(100_000) };
    expect(fail(1, 1, busy)[1]).toEqual(patience);
    expect(fail(3, 1, busy)[1]).toEqual(patience);
  });

  test("never follow at once, even if a Server wrote 0 into every timer", () => {
    const hasty = registrationTable(() => ({ ...settings, retryTimer: 0, sequenceDelay: 0 }));
    const pause = { do: "wait", duration: seconds(1) };
    expect(fail(1, 1, events.failed, hasty)[1]).toEqual(pause);
    expect(fail(3, 1, events.failed, hasty)[1]).toEqual(pause);
  });
});

test("a change that comes while an Update is on its way makes another Update", () => {
  const [state, wait] = step(table, { ...states.updating, pending: someObjects }, events.updated);
  expect([state, wait]).toEqual([{ ...states.registered, pending: someObjects }, gather]);
  expect(step(table, state, events.timerFired)[1]).toEqual({ do: "update", location, what: someObjects });
});

test("changes that keep coming do not put the Update off", () => {
  const [state, ...effects] = step(
    table,
    { ...states.registered, pending: someObjects },
    {
      type: "changed",
      what: "lifetime",
    },
  );
  expect(state).toEqual({ ...states.registered, pending: { lifetime: true, objects: true } });
  expect(effects).toEqual([]);
});

test.each([
  { lifetime: 0, delay: undefined },
  { lifetime: 1, delay: seconds(1) },
  { lifetime: 60, delay: seconds(30) },
  { lifetime: 186, delay: seconds(93) },
  { lifetime: 300, delay: seconds(207) },
  { lifetime: 86400, delay: seconds(86307) },
])("with a lifetime of $lifetime s the refresh comes after $delay ms", ({ lifetime, delay }) => {
  expect(refreshDelay(lifetime, millis(0))).toBe(delay);
});

test("the time that the Server took to answer counts as part of the lifetime", () => {
  expect(refreshDelay(300, seconds(7))).toBe(seconds(200));
  expect(refreshDelay(60, seconds(40))).toBe(seconds(1));
});
