import type { Log, Store } from "../ports.js";
import { decodeRecord, encodeRecord, type Parser } from "./record-format.js";

export interface RecordOptions<T> {
  readonly store: Store;
  readonly log: Log;
  /** In the Store. */
  readonly name: string;
  /** Of the format; a record of another version counts as unreadable. */
  readonly version: number;
  /** While there is no record, or none that can be read. */
  readonly initial: T;
  /** Reads the content back from JSON. */
  readonly parse: Parser<T>;
  /** Makes the value JSON. Absent: it is JSON already. */
  format?(value: T): unknown;
}

/** A value that survives a restart. */
export class PersistentRecord<T> {
  readonly #options: RecordOptions<T>;
  #value: T;
  #lastUpdate: Promise<void> = Promise.resolve();

  constructor(options: RecordOptions<T>) {
    this.#options = options;
    this.#value = options.initial;
  }

  get value(): T {
    return this.#value;
  }

  /** Takes the record from the Store. One that cannot be read is a line in the log, and the initial value stays. */
  async load(): Promise<void> {
    const { store, log, name, version, parse } = this.#options;
    const bytes = await store.read(name);
    if (bytes === undefined) return;
    try {
      this.#value = decodeRecord(bytes, version, parse);
    } catch (error) {
      log.warn("record unreadable", { record: name, error });
    }
  }

  /** Changes the value. Changes happen one after the other, and each is durable before anybody sees it. */
  update(change: (value: T) => T): Promise<void> {
    const { store, name, version, format = (plain: T): unknown => plain } = this.#options;
    const update = this.#lastUpdate.then(async () => {
      const value = change(this.#value);
      await store.write(name, encodeRecord(version, format(value)));
      this.#value = value;
    });
    this.#lastUpdate = update.catch(() => undefined); // whoever asked hears of it; the next change starts afresh
    return update;
  }
}
