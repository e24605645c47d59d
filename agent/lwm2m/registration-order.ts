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

export type OrderState =
  | { readonly name: "idle" }
  /** Every Server has had its turn, except those that wait for the current one. */
  | { readonly name: "registering"; readonly queue: Queue }
  /** `attempt` counts from 1. */
  | { readonly name: "bootstrapping"; readonly queue: Queue; readonly attempt: number }
  /** Neither a Server nor the Bootstrap-Server could be reached. */
  | { readonly name: "backingOff"; readonly queue: Queue; readonly attempt: number };

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

const bootstrapping = (queue: Queue, attempt = 1): Step => [
  { name: "bootstrapping", queue, attempt },
  { do: "bootstrap" },
];

/** Independent Servers at once, the others in their order; without any, the Bootstrap-Server. */
const begin = (turns: readonly Turn[]): Step => {
  const independent = turns.filter(({ priorityOrder }) => priorityOrder === undefined);
  const ordered = turns
    .filter(({ priorityOrder }) => priorityOrder !== undefined)
    .sort((a, b) => (a.priorityOrder ?? 0) - (b.priorityOrder ?? 0));
  const [state, ...effects] = nextInQueue({ current: undefined, later: ordered });
  return [state, ...independent.map(start), ...effects];
};

const nextInQueue = ({ later: [next, ...later] }: Queue): Step =>
  next === undefined
    ? [{ name: "registering", queue: nobody }]
    : [{ name: "registering", queue: { current: next.shortServerId, later } }, start(next)];

const start = ({ shortServerId, delay }: Turn): OrderEffect => ({ do: "start", shortServerId, delay });

/** One that registered while the Bootstrap-Server was asked leaves the queue waiting for the end of that. */
const without = (queue: Queue, shortServerId: number): Queue =>
  queue.current === shortServerId ? { ...queue, current: undefined } : queue;

const goOn = (queue: Queue): Step =>
  queue.current === undefined ? nextInQueue(queue) : [{ name: "registering", queue }];

/** Between attempts to reach the Bootstrap-Server when nobody else can be reached: half a minute, doubled up to an hour. */
const bootstrapPause = (attempt: number): Millis => seconds(Math.min(30 * 2 ** (attempt - 1), 3600));

const idle: Step = [{ name: "idle" }];

const accountsReady = (_: OrderState, { turns }: { turns: readonly Turn[] }): Step => begin(turns);

const noAccounts = (_: OrderState, { canBootstrap }: { canBootstrap: boolean }): Step =>
  canBootstrap ? bootstrapping(nobody) : [{ name: "registering", queue: nobody }, { do: "reportNoServer" }];

const pauseBootstrap = (queue: Queue, attempt: number): Step => [
  { name: "backingOff", queue, attempt: attempt + 1 },
  { do: "wait", duration: bootstrapPause(attempt) },
];

export const orderTable: Table<OrderState, OrderEvent, OrderEffect> = {
  idle: { accountsReady, noAccounts },
  registering: {
    accountsReady,
    noAccounts,
    registered: (state, { shortServerId }) =>
      state.queue.current === shortServerId ? nextInQueue(state.queue) : [state],
    sequenceFailed: (state, { shortServerId, block }) =>
      state.queue.current === shortServerId && !block ? nextInQueue(state.queue) : [state],
    exhausted: (state, { shortServerId, block, bootstrap }) => {
      if (bootstrap) return bootstrapping(state.queue);
      return state.queue.current === shortServerId && !block ? nextInQueue(state.queue) : [state];
    },
    bootstrapTriggered: ({ queue }) => bootstrapping(queue),
    stop: () => idle,
  },
  bootstrapping: {
    accountsReady,
    registered: (state, { shortServerId }) => [{ ...state, queue: without(state.queue, shortServerId) }],
    // One that brought no account has failed as well; asking again at once would go on for ever.
    noAccounts: ({ attempt }) => pauseBootstrap(nobody, attempt),
    bootstrapFailed: ({ queue, attempt }, { connected }) =>
      connected ? goOn(queue) : pauseBootstrap(queue, attempt),
    stop: () => [{ name: "idle" }, { do: "endBootstrap" }],
  },
  backingOff: {
    accountsReady,
    registered: ({ queue }, { shortServerId }) => goOn(without(queue, shortServerId)),
    bootstrapTriggered: ({ queue }) => bootstrapping(queue),
    timerFired: ({ queue, attempt }) => bootstrapping(queue, attempt),
    stop: () => idle,
  },
};
