/** In which order Servers get their turn, and when the Bootstrap-Server is asked (LwM2M Core 1.2 §6.2.1.1). */
import { describe, expect, test } from "vitest";
import {
  type OrderEffect,
  type OrderEvent,
  type OrderState,
  orderTable,
  type Turn,
} from "../../../agent/lwm2m/registration-order.js";
import { step } from "../../../agent/lwm2m/state-machine.js";
import { seconds } from "../../../agent/ports.js";

const turn = (shortServerId: number, priorityOrder?: number, delay = 0): Turn => ({
  shortServerId,
  priorityOrder,
  delay: seconds(delay),
});
const start = (shortServerId: number, delay = 0): OrderEffect => ({
  do: "start",
  shortServerId,
  delay: seconds(delay),
});

/** Server 1 has its turn, Server 2 waits for it. */
const queue = { current: 1, later: [turn(2, 20, 5)] };
const advanced = { current: 2, later: [] };
const empty = { current: undefined, later: [] };

const none = { count: 0, awaited: [] };

const states = {
  idle: { name: "idle" },
  registering: { name: "registering", queue, fruitless: none },
  bootstrapping: { name: "bootstrapping", queue, attempt: 1 },
  backingOff: { name: "backingOff", queue, attempt: 2, failed: undefined },
} as const satisfies Record<string, OrderState>;

const exhausted = { type: "exhausted", shortServerId: 1 } as const;
const events = {
  "accounts are ready": { type: "accountsReady", turns: [turn(7)] },
  "there are no accounts": { type: "noAccounts", canBootstrap: false },
  "there is only a Bootstrap-Server": { type: "noAccounts", canBootstrap: true },
  "the current one registered": { type: "registered", shortServerId: 1 },
  "another one registered": { type: "registered", shortServerId: 9 },
  "a sequence failed": { type: "sequenceFailed", shortServerId: 1, block: false },
  "a sequence failed, which blocks": { type: "sequenceFailed", shortServerId: 1, block: true },
  "a sequence of another one failed": { type: "sequenceFailed", shortServerId: 9, block: false },
  "all sequences failed": { ...exhausted, block: false, bootstrap: false },
  "all sequences failed, which blocks": { ...exhausted, block: true, bootstrap: false },
  "all sequences failed, which asks for a bootstrap": { ...exhausted, block: true, bootstrap: true },
  "a bootstrap is asked for": { type: "bootstrapTriggered" },
  "the bootstrap failed": { type: "bootstrapFailed", connected: false },
  "the bootstrap failed while a Server is connected": { type: "bootstrapFailed", connected: true },
  "time is up": { type: "timerFired" },
  "the client stops": { type: "stop" },
} as const satisfies Record<string, OrderEvent>;

type Row = readonly [OrderState, ...OrderEffect[]];

const begunAfter = (count: number): Row => [
  { name: "registering", queue: empty, fruitless: { count, awaited: [7] } },
  start(7),
];
const begun = begunAfter(0);
const nextTurn: Row = [{ name: "registering", queue: advanced, fruitless: none }, start(2, 5)];
const bootstrap: Row = [states.bootstrapping, { do: "bootstrap" }];
const nobody: Row = [{ name: "registering", queue: empty, fruitless: none }, { do: "reportNoServer" }];
const bootstrapForAccounts: Row = [{ name: "bootstrapping", queue: empty, attempt: 1 }, { do: "bootstrap" }];
const pause: OrderEffect = { do: "wait", duration: seconds(30) };

/** What is not listed changes nothing. */
const transitions: Record<keyof typeof states, Partial<Record<keyof typeof events, Row>>> = {
  idle: {
    "accounts are ready": begun,
    "there are no accounts": nobody,
    "there is only a Bootstrap-Server": bootstrapForAccounts,
  },
  registering: {
    "accounts are ready": begun,
    "there are no accounts": nobody,
    "there is only a Bootstrap-Server": bootstrapForAccounts,
    "the current one registered": nextTurn,
    "a sequence failed": nextTurn,
    "all sequences failed": nextTurn,
    "all sequences failed, which asks for a bootstrap": bootstrap,
    "a bootstrap is asked for": bootstrap,
    "the client stops": [states.idle],
  },
  bootstrapping: {
    "accounts are ready": begunAfter(1),
    "there are no accounts": [{ ...states.backingOff, queue: empty }, pause],
    "there is only a Bootstrap-Server": [{ ...states.backingOff, queue: empty }, pause],
    "the current one registered": [{ ...states.bootstrapping, queue: { ...queue, current: undefined } }],
    "the bootstrap failed": [states.backingOff, pause],
    "the bootstrap failed while a Server is connected": [states.registering],
    "the client stops": [states.idle, { do: "endBootstrap" }],
  },
  backingOff: {
    "accounts are ready": begun,
    "the current one registered": nextTurn,
    "another one registered": [states.registering],
    "a bootstrap is asked for": bootstrap,
    "time is up": [{ ...states.bootstrapping, attempt: 2 }, { do: "bootstrap" }],
    "the client stops": [states.idle],
  },
};

describe.each(Object.values(states))("in state $name", (state) => {
  test.each(Object.keys(events) as (keyof typeof events)[])("%s", (name) => {
    const expected = transitions[state.name][name] ?? [state];
    expect(step(orderTable, state as OrderState, events[name] as OrderEvent)).toEqual(expected);
  });
});

describe("the order", () => {
  const begin = (...turns: Turn[]) =>
    step(orderTable, states.idle as OrderState, { type: "accountsReady", turns });

  test("has independent Servers begin at once, and of the others the one with the lowest number", () => {
    const [state, ...effects] = begin(turn(1, 20), turn(2), turn(3, 10, 7), turn(4, undefined, 3));
    expect(effects).toEqual([start(2), start(4, 3), start(3, 7)]);
    expect(state).toMatchObject({ name: "registering", queue: { current: 3, later: [turn(1, 20)] } });
  });

  test("takes 0 for a place in it, and equal numbers as they come", () => {
    const [state, ...effects] = begin(turn(1, 5), turn(2, 0), turn(3, 5));
    expect(effects).toEqual([start(2)]);
    expect(state).toMatchObject({ queue: { later: [turn(1, 5), turn(3, 5)] } });
  });

  test("goes on after a failed bootstrap where the current one registered meanwhile", () => {
    const [waiting] = step(
      orderTable,
      states.bootstrapping as OrderState,
      events["the current one registered"],
    );
    expect(step(orderTable, waiting, events["the bootstrap failed while a Server is connected"])).toEqual(
      nextTurn,
    );
  });

  test("asks the Bootstrap-Server less and less often, down to once an hour", () => {
    const pauses: number[] = [];
    let [state] = step(orderTable, states.idle as OrderState, events["there is only a Bootstrap-Server"]);
    for (let attempt = 0; attempt < 10; attempt++) {
      const [backingOff, wait] = step(orderTable, state, events["the bootstrap failed"]);
      if (wait?.do === "wait") pauses.push(wait.duration / 1000);
      [state] = step(orderTable, backingOff, events["time is up"]);
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
  });

  describe("after a bootstrap that named Server 1", () => {
    const ready: OrderEvent = { type: "accountsReady", turns: [turn(1)] };
    const [named] = step(orderTable, states.bootstrapping as OrderState, ready);
    const fails = events["all sequences failed, which asks for a bootstrap"];

    test("pauses before the next when the Server cannot be registered with, each time longer", () => {
      let state = named;
      const pauses: number[] = [];
      for (let round = 0; round < 4; round++) {
        const [backingOff, ...effects] = step(orderTable, state, fails);
        for (const effect of effects) if (effect.do === "wait") pauses.push(effect.duration / 1000);
        const [again, ask] = step(orderTable, backingOff, events["time is up"]);
        expect(ask).toEqual({ do: "bootstrap" });
        [state] = step(orderTable, again, ready);
      }
      expect(pauses).toEqual([30, 60, 120, 240]);
    });

    test("bootstraps at once when the Server registered, and failed only later", () => {
      const [registered] = step(orderTable, named, events["the current one registered"]);
      expect(step(orderTable, registered, fails)).toEqual([
        { name: "bootstrapping", queue: empty, attempt: 1 },
        { do: "bootstrap" },
      ]);
    });

    test("is not misled by another Server, which was registered all the time", () => {
      const [still] = step(orderTable, named, events["another one registered"]);
      const [backingOff, ...effects] = step(orderTable, still, fails);
      expect(effects).toEqual([pause]);
      expect(step(orderTable, backingOff, events["another one registered"])).toEqual([backingOff]);
      expect(step(orderTable, backingOff, events["the current one registered"])[0].name).toBe("registering");
    });
  });
});
