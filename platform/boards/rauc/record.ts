/** What the RAUC board must know after the restart: durable before the boot loader is told of the new slot. */
import type { Store } from "../../../agent/ports.js";

export interface RaucRecord {
  readonly attempt: string;
  /** Of the boot in which the installation was begun. */
  readonly bootId: string;
  /** The slot that ran then. */
  readonly previousSlot: string;
  /** The slot that is to boot next; undefined while the installation is not complete. */
  readonly expectedSlot?: string;
}

const name = "rauc.json";

export class RaucRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** undefined when there is none, or none that can be read: the outcome is then told from what RAUC knows. */
  async read(): Promise<RaucRecord | undefined> {
    const bytes = await this.#store.read(name);
    return bytes && parse(new TextDecoder().decode(bytes));
  }

  write(record: RaucRecord): Promise<void> {
    return this.#store.write(name, new TextEncoder().encode(JSON.stringify(record)));
  }

  remove(): Promise<void> {
    return this.#store.remove(name);
  }
}

function parse(text: string): RaucRecord | undefined {
  try {
    const { attempt, bootId, previousSlot, expectedSlot } = JSON.parse(text) as Record<string, unknown>;
    if (![attempt, bootId, previousSlot].every((field) => typeof field === "string")) return undefined;
    const record = { attempt, bootId, previousSlot } as RaucRecord;
    return typeof expectedSlot === "string" ? { ...record, expectedSlot } : record;
  } catch {
    return undefined;
  }
}
