/**
 * In which order a client registers with its Servers, and when it turns to the Bootstrap-Server (LwM2M Core 1.2
 * §6.2.1.1), as a pure table. How one registration goes is in `registration.ts`.
 */
import { type Millis, seconds } from "../ports.js";
import type { Next, Table } from "./state-machine.js";

/** A Server that is to be registered with. */
export interface Turn {
  readonly shortServerId: number;
  /** /1/x/13; undefined: independent of the others. */
  readonly priorityOrder: number | undefined;
  /** /1/x/14: from the bootstrap, or from the registration before it. */
  readonly delay: Millis;
}

/** Those with a Registration Priority Order: one at a time. */
interface Queue {
  /** undefined when it has registered already. */
  readonly current: number | undefined;
  readonly later: readonly Turn[];
}

/** Bootstraps that have brought nothing so far: none of the Servers that were to register after them did. */
interface FruitlessBootstraps {
  readonly count: number;
  readonly awaited: readonly number[];
}

export type OrderState =
  | { readonly name: "idle" }
  /** Every Server has had its turn, except those that wait for the current one. */
  | { readonly name: "registering"; readonly queue: Queue; readonly fruitless: FruitlessBootstraps }
  /** `attempt` counts from 1. */
  | { readonly name: "bootstrapping"; readonly queue: Queue; readonly attempt: number }
  /** Until the Bootstrap-Server is asked again: for the Server that `failed`, or because there is no other. */
  | {
      readonly name: "backingOff";
      readonly queue: Queue;
      readonly attempt: number;
      readonly failed: number | undefined;
    };

export type OrderEvent =
  /** At the start, and when a bootstrap changed the accounts: the Servers that are not registered with. */
  | { readonly type: "accountsReady"; readonly turns: readonly Turn[] }
  /** At those times, when there is no account of a Server. */
  | { readonly type: "noAccounts"; readonly canBootstrap: boolean }
  | { readonly type: "registered"; readonly shortServerId: number }
  /** One sequence of attempts failed. `block` is /1/x/15. */
  | { readonly type: "sequenceFailed"; readonly shortServerId: number; readonly block: boolean }
  /** The last sequence failed. `bootstrap`: /1/x/16 says so, and there is a Bootstrap-Server. */
  | {
      readonly type: "exhausted";
      readonly shortServerId: number;
      readonly block: boolean;
      readonly bootstrap: boolean;
    }
  /** Execute of /1/x/9, or an order of the operator. */
  | { readonly type: "bootstrapTriggered" }
  /** `connected`: there is a Server that we are registered with. */
  | { readonly type: "bootstrapFailed"; readonly connected: boolean }
  | { readonly type: "timerFired" }
  | { readonly type: "stop" };

export type OrderEffect =
  | { readonly do: "start"; readonly shortServerId: number; readonly delay: Millis }
  | { readonly do: "bootstrap" }
  | { readonly do: "endBootstrap" }
  | { readonly do: "wait"; readonly duration: Millis }
  /** Nobody to register with, and nobody to ask. */
  | { readonly do: "reportNoServer" };

type Step = Next<OrderState, OrderEffect>;

const nobody: Queue = { current: undefined, later: [] };
const noFruitless: FruitlessBootstraps = { count: 0, awaited: [] };

const bootstrapping = (queue: Queue, attempt = 1): Step => [
  { name: "bootstrapping", queue, attempt },
  { do: "bootstrap" },
];

/** Independent Servers at once, the others in their order; without any, the Bootstrap-Server. */
const begin = (turns: readonly Turn[], bootstraps: number): Step => {
  const independent = turns.filter(({ priorityOrder }) => priorityOrder === undefined);
  const ordered = turns
    .filter(({ priorityOrder }) => priorityOrder !== undefined)
    .sort((a, b) => (a.priorityOrder ?? 0) - (b.priorityOrder ?? 0));
  const awaited = turns.map(({ shortServerId }) => shortServerId);
  const fruitless = { count: bootstraps, awaited };
  const [state, ...effects] = nextInQueue({ current: undefined, later: ordered }, fruitless);
  return [state, ...independent.map(start), ...effects];
};

const nextInQueue = ({ later: [next, ...later] }: Queue, fruitless = noFruitless): Step =>
  next === undefined
    ? [{ name: "registering", queue: nobody, fruitless }]
    : [{ name: "registering", queue: { current: next.shortServerId, later }, fruitless }, start(next)];

const start = ({ shortServerId, delay }: Turn): OrderEffect => ({ do: "start", shortServerId, delay });

/** One that registered while the Bootstrap-Server was asked leaves the queue waiting for the end of that. */
const without = (queue: Queue, shortServerId: number): Queue =>
  queue.current === shortServerId ? { ...queue, current: undefined } : queue;

const goOn = (queue: Queue): Step =>
  queue.current === undefined ? nextInQueue(queue) : [{ name: "registering", queue, fruitless: noFruitless }];

/**
 * Between bootstraps that do not help, because the Bootstrap-Server cannot be reached or the Servers that it names refuse:
 * half a minute, doubled up to an hour.
 */
const bootstrapPause = (attempt: number): Millis => seconds(Math.min(30 * 2 ** (attempt - 1), 3600));

const idle: Step = [{ name: "idle" }];

const accountsReady = (_: OrderState, { turns }: { turns: readonly Turn[] }): Step => begin(turns, 0);

const noAccounts = (_: OrderState, { canBootstrap }: { canBootstrap: boolean }): Step =>
  canBootstrap
    ? bootstrapping(nobody)
    : [{ name: "registering", queue: nobody, fruitless: noFruitless }, { do: "reportNoServer" }];

const pauseBootstrap = (queue: Queue, attempt: number, failed?: number): Step => [
  { name: "backingOff", queue, attempt: attempt + 1, failed },
  { do: "wait", duration: bootstrapPause(attempt) },
];

export const orderTable: Table<OrderState, OrderEvent, OrderEffect> = {
  idle: { accountsReady, noAccounts },
  registering: {
    accountsReady,
    noAccounts,
    registered: (state, { shortServerId }) => {
      const { queue } = state;
      // One that has been registered all the time says nothing about the bootstrap.
      const fruitless = state.fruitless.awaited.includes(shortServerId) ? noFruitless : state.fruitless;
      return queue.current === shortServerId ? nextInQueue(queue, fruitless) : [{ ...state, fruitless }];
    },
    sequenceFailed: (state, { shortServerId, block }) =>
      state.queue.current === shortServerId && !block ? nextInQueue(state.queue, state.fruitless) : [state],
    exhausted: (state, { shortServerId, block, bootstrap }) => {
      const { queue, fruitless } = state;
      if (bootstrap && fruitless.count > 0) return pauseBootstrap(queue, fruitless.count, shortServerId);
      if (bootstrap) return bootstrapping(queue);
      return queue.current === shortServerId && !block ? nextInQueue(queue, fruitless) : [state];
    },
    bootstrapTriggered: ({ queue }) => bootstrapping(queue),
    stop: () => idle,
  },
  bootstrapping: {
    accountsReady: ({ attempt }, { turns }) => begin(turns, attempt),
    registered: (state, { shortServerId }) => [{ ...state, queue: without(state.queue, shortServerId) }],
    // One that brought no account has failed as well; asking again at once would go on for ever.
    noAccounts: ({ attempt }) => pauseBootstrap(nobody, attempt),
    bootstrapFailed: ({ queue, attempt }, { connected }) =>
      connected ? goOn(queue) : pauseBootstrap(queue, attempt),
    stop: () => [{ name: "idle" }, { do: "endBootstrap" }],
  },
  backingOff: {
    accountsReady,
    registered: (state, { shortServerId }) => {
      const queue = without(state.queue, shortServerId);
      const isSolved = state.failed === undefined || state.failed === shortServerId;
      return isSolved ? goOn(queue) : [{ ...state, queue }];
    },
    bootstrapTriggered: ({ queue }) => bootstrapping(queue),
    timerFired: ({ queue, attempt }) => bootstrapping(queue, attempt),
    stop: () => idle,
  },
};
