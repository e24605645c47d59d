/** What the SWUpdate board must know after the restart: durable before the daemon touches anything. */
import type { Store } from "../../../agent/ports.js";

export interface SwupdateRecord {
  readonly attempt: string;
  /** Of the boot in which the installation was begun. */
  readonly bootId: string;
  /** The root device of what ran then. */
  readonly previousRoot: string;
  /** Of the copy that was written; undefined where the configuration names no copies. */
  readonly expectedRoot?: string;
  /** Did the daemon say that all is written? */
  readonly isComplete: boolean;
}

const name = "swupdate.json";

export class SwupdateRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** undefined when there is none, or none that can be read. */
  async read(): Promise<SwupdateRecord | undefined> {
    const bytes = await this.#store.read(name);
    return bytes && parse(new TextDecoder().decode(bytes));
  }

  write(record: SwupdateRecord): Promise<void> {
    return this.#store.write(name, new TextEncoder().encode(JSON.stringify(record)));
  }

  remove(): Promise<void> {
    return this.#store.remove(name);
  }
}

function parse(text: string): SwupdateRecord | undefined {
  try {
    const { attempt, bootId, previousRoot, expectedRoot, isComplete } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    if (![attempt, bootId, previousRoot].every((field) => typeof field === "string")) return undefined;
    const record = { attempt, bootId, previousRoot, isComplete: isComplete === true } as SwupdateRecord;
    return typeof expectedRoot === "string" ? { ...record, expectedRoot } : record;
  } catch {
    return undefined;
  }
}
