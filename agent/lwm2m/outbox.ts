/**
 * The way of the notifications of one observation to its Server: what cannot be told now is kept, or dropped, as the
 * Server wants it (/1/x/6, LwM2M Core 1.2 §6.4.5 and the attribute hqmax).
 */
import { type CompositeCodec, compositeCodec, type Definitions } from "../codec/composite.js";
import type { CompositePath } from "../model/path.js";
import type { TimedContent } from "../model/value.js";
import type { Clock } from "../ports.js";
import { type ObservedValue, timedContents } from "./observed-value.js";
import type { Reply } from "./operations.js";

/**
 * How a notification ended: `sent` (nobody asked for an ACK), `acknowledged`, `superseded` by a newer one, `unanswered`,
 * or `ended` with its observation.
 */
export type NotificationFate = "sent" | "acknowledged" | "superseded" | "unanswered" | "ended";

/** The other end of one observation, as the transport gives it. Equal key: same Server and same token. */
export interface Observer {
  readonly key: string;
  /**
   * Hands a notification to the transport, which sends it after the answer to the Observe. One that is not a success is
   * the last.
   */
  notify(notification: Reply, options: { readonly confirmable: boolean }): Promise<NotificationFate>;
  /** Nothing more will be told. Harmless when the other end has gone already. */
  end(): void;
  /** What the transport has to know to go on after a restart of this program; undefined: it cannot. */
  record(): string | undefined;
}

/** What the observed paths held at a moment, those that are to be kept by their number in the observation. */
export interface Reading {
  /** Seconds since 1970-01-01T00:00:00Z. */
  readonly time: number;
  readonly values: ReadonlyMap<number, readonly TimedContent[]>;
  /** About as many bytes. */
  readonly size: number;
}

/** What is kept for one Server, all its observations together. */
export interface KeptBudget {
  bytes: number;
}

/**
 * Bounds of what is kept while a Server cannot be reached: a Server may ask for any hqmax. Beyond them the oldest goes.
 */
export const keptLimits = { readings: 1000, readingsWithoutHistory: 100, bytesPerServer: 256 * 1024 };

/** Of what goes out in one notification after a silence. */
const batchLimits = { readings: 50, bytes: 8 * 1024 };

export interface OutboxOptions {
  readonly observer: Observer;
  readonly paths: readonly CompositePath[];
  readonly clock: Clock;
  readonly definitions: Definitions;
  readonly budget: KeptBudget;
  /** Of the notifications. */
  readonly contentFormat: () => number | undefined;
  readonly isReachable: () => boolean;
  /** /1/x/6 */
  readonly isStoring: () => boolean;
  /** The attribute hqmax for each path. */
  readonly histories: () => readonly (number | undefined)[];
  /** The Server is owed the present values: what it missed has no form that could carry its time. */
  readonly owed: () => void;
  readonly acknowledged: () => void;
  /** Something was kept, or is not kept any more. */
  readonly keptChanged: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #kept: readonly Reading[] = [];
  /** A confirmable notification is on its way. */
  #inFlight = 0;
  #isOwed = false;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get kept(): readonly Reading[] {
    return this.#kept;
  }

  /** What was kept before a restart. */
  restore(kept: readonly Reading[]): void {
    this.#replaceKept(kept);
  }

  /** @param values what the notification says, by path */
  send(notification: Reply, values: readonly ObservedValue[], confirmable: boolean): void {
    const reading = this.#reading(notification, values);
    if (!this.#options.isReachable()) {
      this.#keep(reading);
    } else if (this.#kept.length > 0 || (this.#inFlight > 0 && this.#hasHistory())) {
      // A newer notification would take the place of the one that is under way, and this one's value be lost.
      this.#keep(reading);
      this.flush();
    } else {
      void this.#transmit(notification, confirmable).then((fate) => {
        if (fate === "unanswered") this.#keep(reading);
        else if (fate === "acknowledged") this.flush(); // what had to wait for that
      });
    }
  }

  /** The Server can be reached (again): what it missed goes out, the oldest first. */
  flush(): void {
    if (this.#closed || !this.#options.isReachable()) return;
    if (!this.#options.isStoring()) this.#replaceKept([]); // the Server has changed its mind
    if (this.#isOwed) {
      this.#isOwed = false;
      this.#options.owed();
    }
    if (this.#inFlight > 0 || this.#kept.length === 0) return;
    const contentFormat = this.#options.contentFormat();
    const encode = this.#timedEncoder();
    if (encode === undefined || contentFormat === undefined) return;
    const batch = firstOf(this.#kept);
    const payload = encode(batch.flatMap(({ values }) => [...values.values()].flat()));
    void this.#transmit({ code: "2.05", contentFormat, payload }, true).then((fate) => {
      if (fate !== "acknowledged") return;
      this.#replaceKept(this.#kept.filter((reading) => !batch.includes(reading)));
      this.flush();
    });
  }

  close(): void {
    this.#closed = true;
    this.#replaceKept([]);
  }

  async #transmit(notification: Reply, confirmable: boolean): Promise<NotificationFate> {
    if (confirmable) this.#inFlight++;
    const fate = await this.#options.observer.notify(notification, { confirmable });
    if (confirmable) this.#inFlight--;
    if (fate === "acknowledged") this.#options.acknowledged();
    return this.#closed ? "ended" : fate;
  }

  #keep(reading: Reading): void {
    if (this.#closed || !this.#options.isStoring()) return;
    if (this.#timedEncoder() === undefined) this.#isOwed = true;
    else this.#replaceKept(trimmed([...this.#kept, reading], this.#options.histories()));
    const { budget } = this.#options;
    while (budget.bytes > keptLimits.bytesPerServer && this.#kept.length > 1) {
      this.#replaceKept(this.#kept.slice(1));
    }
  }

  #replaceKept(kept: readonly Reading[]): void {
    if (kept.length === 0 && this.#kept.length === 0) return;
    this.#options.budget.bytes += bytesOf(kept) - bytesOf(this.#kept);
    this.#kept = kept;
    this.#options.keptChanged();
  }

  #reading({ payload }: Reply, values: readonly ObservedValue[]): Reading {
    const { clock, paths } = this.#options;
    const time = clock.date().getTime() / 1000;
    const contents = values.map((value, index) => timedContents(paths[index] ?? [], value, time));
    return { time, values: new Map(contents.entries()), size: payload?.length ?? 0 };
  }

  #hasHistory(): boolean {
    const { isStoring, histories } = this.#options;
    return isStoring() && histories().some((history) => history !== undefined && history > 0);
  }

  /** undefined when the format of the notifications cannot say when a value was measured. */
  #timedEncoder(): ((records: Parameters<Encode>[1]) => Uint8Array) | undefined {
    const contentFormat = this.#options.contentFormat();
    const codec = contentFormat === undefined ? undefined : compositeCodec(contentFormat);
    const encode = codec?.encodeTimed?.bind(codec);
    return encode && ((records) => encode(this.#options.definitions, records));
  }
}

type Encode = NonNullable<CompositeCodec["encodeTimed"]>;

const bytesOf = (readings: readonly Reading[]): number => readings.reduce((sum, { size }) => sum + size, 0);

/** As many of the oldest as fit in one notification. */
function firstOf(kept: readonly Reading[]): readonly Reading[] {
  let bytes = 0;
  const end = kept.findIndex(({ size }, index) => {
    bytes += size;
    return index > 0 && (index >= batchLimits.readings || bytes > batchLimits.bytes);
  });
  return end < 0 ? kept : kept.slice(0, end);
}

/**
 * Where there is an hqmax, only the paths that have one are kept, each with as many of its newest values; where there is
 * none, all are.
 */
function trimmed(kept: readonly Reading[], histories: readonly (number | undefined)[]): readonly Reading[] {
  if (histories.every((history) => history === undefined))
    return kept.slice(-keptLimits.readingsWithoutHistory);
  const room = histories.map((history = 0) => Math.min(history, keptLimits.readings));
  const newestFirst = kept.toReversed().map((reading) => {
    const values = [...reading.values].filter(([index]) => {
      const left = room[index] ?? 0;
      room[index] = left - 1;
      return left > 0;
    });
    return { ...reading, values: new Map(values) };
  });
  return newestFirst.filter(({ values }) => values.size > 0).reverse();
}
