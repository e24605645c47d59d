/**
 * The operator's word that nothing is installed now (`lwm2m-agent hold`): packages still come and are verified, and wait.
 * It is durable, and ends by `release` or at its time.
 */
import { PersistentRecord } from "../persistence/persistent-record.js";
import { nullable, optional, shape, text } from "../persistence/record-format.js";
import type { Clock, Log, Store, UpdateGate, UpdateStage } from "../ports.js";

export interface Hold {
  readonly reason: string;
  readonly since: Date;
  /** undefined: until it is released. */
  readonly until: Date | undefined;
}

export interface UpdateLock extends UpdateGate {
  /** undefined when updates may be installed. */
  hold(): Hold | undefined;
  /** Resolves when it is durable. An earlier hold is replaced. */
  set(reason: string, until: Date | undefined): Promise<void>;
  /** @returns what was held; undefined when nothing was */
  release(): Promise<Hold | undefined>;
}

/** A board without a clock that keeps time lives in the past after each boot: its holds must not end by that. */
const earliestPlausible = Date.UTC(2025, 0, 1);

/** What must not begin while it holds. A trial that is under way is brought to its end. */
const heldStages: readonly UpdateStage[] = ["apply"];

export async function openUpdateLock({
  store,
  clock,
  log,
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<UpdateLock> {
  const record = new PersistentRecord<Hold | null>({
    ...{ store, log, name: "update-lock.json", version: 1, initial: null },
    parse: (json) => {
      const hold = parse(json);
      return (
        hold && {
          reason: hold.reason,
          since: new Date(hold.since),
          until: hold.until === undefined ? undefined : new Date(hold.until),
        }
      );
    },
  });
  await record.load();
  const current = (): Hold | undefined => {
    const hold = record.value;
    if (hold === null) return undefined;
    const now = clock.date().getTime();
    const isOver = hold.until !== undefined && now >= hold.until.getTime() && now >= earliestPlausible;
    return isOver ? undefined : hold;
  };
  return {
    hold: current,
    async set(reason, until) {
      await record.update(() => ({ reason, since: clock.date(), until }));
      log.info("updates held", { reason, until: until?.toISOString() });
    },
    async release() {
      const held = current();
      await record.update(() => null);
      if (held) log.info("updates released", { reason: held.reason });
      return held;
    },
    before: async (stage) => {
      const hold = current();
      return hold !== undefined && heldStages.includes(stage)
        ? { later: describeHold(hold), isUnbounded: true }
        : "go";
    },
    after: async () => undefined,
  };
}

/** `held by the operator until 2026-01-01T00:00:00.000Z: season` */
export const describeHold = ({ reason, until }: Pick<Hold, "reason" | "until">): string =>
  `held by the operator${until === undefined ? "" : ` until ${until.toISOString()}`}: ${reason}`;

const parse = nullable(shape({ reason: text, since: text, until: optional(text) }));
