import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import { oneOf, optional, shape, text } from "../agent/persistence/record-format.js";
import type { Log, Store } from "../agent/ports.js";

/** Why the agent has the board restart. */
export type PlannedRestart = "server-request" | "firmware-update" | "rollback" | "factory-reset";

/**
 * Why the board started the last time: one of the above, when it was the agent that asked for it.
 *
 * - `unexpected`: nobody told the agent. Power was cut, a watchdog bit, the kernel fell, or an operator restarted it.
 * - `first-start`: nothing is on record. The device is new, or its state was removed.
 */
export type RestartReason = PlannedRestart | "unexpected" | "first-start";

export interface RestartReasonOptions {
  readonly store: Store;
  readonly log: Log;
  /** Changes with every boot. */
  bootId(): Promise<string>;
}

/** Knows why the board started the last time; a restart of the agent alone does not change it. */
export interface RestartReasons {
  /** Finds out. Before, and where the board cannot tell its boots apart, the reason is undefined. */
  start(): Promise<void>;
  reason(): RestartReason | undefined;
  bootId(): string | undefined;
  /** Resolves when it is on record; the restart goes ahead in any case. */
  plan(reason: PlannedRestart): Promise<void>;
}

interface Recorded {
  /** Of the boot that `reason` is about. */
  readonly bootId?: string;
  readonly reason?: RestartReason;
  /** Why the next boot comes, if one was asked for. */
  readonly planned?: PlannedRestart;
}

const planned = ["server-request", "firmware-update", "rollback", "factory-reset"] as const;

export function createRestartReasons({ store, log, bootId }: RestartReasonOptions): RestartReasons {
  const record = new PersistentRecord<Recorded>({
    store,
    log,
    name: "restart",
    version: 1,
    initial: {},
    parse: shape({
      bootId: optional(text),
      reason: optional(oneOf(...planned, "unexpected", "first-start")),
      planned: optional(oneOf(...planned)),
    }),
  });
  /** What cannot be recorded must not keep the device from working, nor from restarting. */
  const keep = async (change: (value: Recorded) => Recorded) => {
    try {
      await record.update(change);
    } catch (error) {
      log.error("the reason of the restart cannot be stored", { error });
    }
  };
  let current: { readonly bootId: string; readonly reason: RestartReason } | undefined;
  return {
    async start() {
      await record.load();
      try {
        const id = await bootId();
        const { value } = record;
        // A restart that was asked for may still be on its way: what is planned stays until the boot changes.
        if (value.bootId === id && value.reason !== undefined) {
          current = { bootId: id, reason: value.reason };
          return;
        }
        const before: RestartReason = value.bootId === undefined ? "first-start" : "unexpected";
        const found = { bootId: id, reason: value.planned ?? before };
        current = found;
        await keep(() => found);
        log.info("board started", found);
      } catch (error) {
        log.error("the boot cannot be told", { error });
      }
    },
    reason: () => current?.reason,
    bootId: () => current?.bootId,
    plan: (reason) => keep((value) => ({ ...value, planned: reason })),
  };
}
