import type { Log, Store } from "../../../agent/ports.js";

export interface UpdateRecord {
  /** Its attempt id. */
  readonly attempt: string;
  /** Of the boot in which it was prepared. */
  readonly bootId: string;
  /** Has the boot loader been asked? */
  readonly isArmed: boolean;
}

const updateName = "edison-update.json";
const factoryResetName = "edison-factory-reset.json";

/** What the board itself has to know after a restart. A record that cannot be read counts as none. */
export class EdisonRecords {
  readonly #store: Store;
  readonly #log: Log;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  async update(): Promise<UpdateRecord | undefined> {
    const { attempt, bootId, isArmed } = await this.#read(updateName);
    if (typeof attempt !== "string" || typeof bootId !== "string" || typeof isArmed !== "boolean")
      return undefined;
    return { attempt, bootId, isArmed };
  }

  setUpdate(record: UpdateRecord): Promise<void> {
    return this.#store.write(updateName, Buffer.from(JSON.stringify(record)));
  }

  clearUpdate(): Promise<void> {
    return this.#store.remove(updateName);
  }

  /** `armed`: the boot loader has been asked, and the state of the agent is still to be deleted. */
  async factoryReset(): Promise<"preparing" | "armed" | undefined> {
    const { step } = await this.#read(factoryResetName);
    return step === "preparing" || step === "armed" ? step : undefined;
  }

  setFactoryReset(step: "preparing" | "armed"): Promise<void> {
    return this.#store.write(factoryResetName, Buffer.from(JSON.stringify({ step })));
  }

  clearFactoryReset(): Promise<void> {
    return this.#store.remove(factoryResetName);
  }

  async #read(name: string): Promise<Readonly<Record<string, unknown>>> {
    const bytes = await this.#store.read(name);
    if (bytes === undefined) return {};
    try {
      return Object(JSON.parse(new TextDecoder().decode(bytes))) as Record<string, unknown>;
    } catch (error) {
      this.#log.warn("record unreadable", { record: name, error });
      return {};
    }
  }
}
