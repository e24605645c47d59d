import type { Store } from "../../agent/ports.js";

export interface MemoryStore extends Store {
  /** What a restarted program would find. */
  readonly records: ReadonlyMap<string, Uint8Array>;
}

/** Records in memory, durable as soon as `write` resolves. */
export function createMemoryStore(initial: Iterable<readonly [string, Uint8Array]> = []): MemoryStore {
  const records = new Map(initial);
  const checked = (name: string) => {
    if (!/^[A-Za-z0-9-][A-Za-z0-9.-]{0,199}$/.test(name))
      throw new RangeError(`"${name}" is not a record name`);
    return name;
  };
  return {
    records,
    read: async (name) => {
      const record = records.get(checked(name));
      return record && Uint8Array.from(record);
    },
    write: async (name, record) => void records.set(checked(name), Uint8Array.from(record)),
    remove: async (name) => void records.delete(checked(name)),
  };
}
