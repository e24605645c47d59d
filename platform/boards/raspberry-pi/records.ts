import type { Log, Store } from "../../../agent/ports.js";

export interface TryRecord {
  /** Its attempt id. */
  readonly attempt: string;
  /** The boot partition that holds the new image. */
  readonly target: number;
  /** Of the boot in which it was written: only a restart of that boot tries it. */
  readonly bootId: string;
  /** We took it back ourselves. */
  readonly isReverted: boolean;
}

const recordName = "raspberry-pi-try.json";

/** What the board itself has to know after a restart. A record that cannot be read counts as none. */
export class TryRecords {
  readonly #store: Store;
  readonly #log: Log;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  async read(): Promise<TryRecord | undefined> {
    const bytes = await this.#store.read(recordName);
    if (bytes === undefined) return undefined;
    try {
      const { attempt, target, bootId, isReverted } = JSON.parse(
        new TextDecoder().decode(bytes),
      ) as TryRecord;
      const isRecord =
        typeof attempt === "string" &&
        Number.isInteger(target) &&
        typeof bootId === "string" &&
        typeof isReverted === "boolean";
      if (isRecord) return { attempt, target, bootId, isReverted };
    } catch {
      // Said below.
    }
    this.#log.warn("record unreadable", { record: recordName });
    return undefined;
  }

  write(record: TryRecord): Promise<void> {
    return this.#store.write(recordName, Buffer.from(JSON.stringify(record)));
  }

  clear(): Promise<void> {
    return this.#store.remove(recordName);
  }
}
