import * as node from "node:fs/promises";
import type { Store } from "../../../../agent/ports.js";
import type { FileOperations } from "../../../../platform/files/durable.js";

export interface CuttableStore extends Store {
  /** Resolves when the power goes. From then on nothing is answered, and nothing is written. */
  readonly cut: Promise<void>;
  /** How many there have been: each change of a record has one before it is durable and one after. */
  readonly moments: number;
}

/** The records of another store, until the power goes at the given moment. */
export function createCuttableStore(store: Store, at: number): CuttableStore {
  let moments = 0;
  let cutNow: () => void = () => undefined;
  const cut = new Promise<void>((resolve) => (cutNow = resolve));
  const never = new Promise<never>(() => undefined);
  const passMoment = async () => {
    if (moments++ < at) return;
    cutNow();
    await never;
  };
  const change = async (act: () => Promise<void>) => {
    await passMoment();
    await act();
    await passMoment();
  };
  return {
    cut,
    get moments() {
      return moments;
    },
    read: (name) => store.read(name),
    write: (name, record) => change(() => store.write(name, record)),
    remove: (name) => change(() => store.remove(name)),
  };
}

/** File operations of a disk that is full, or read-only, while `code` says so. */
export function createFaultyDisk(): FileOperations & { code: string | undefined } {
  const disk = {
    code: undefined as string | undefined,
    open: async (...to: Parameters<FileOperations["open"]>) => {
      if (disk.code !== undefined) throw Object.assign(new Error(disk.code), { code: disk.code });
      return node.open(...to);
    },
    rename: node.rename,
  };
  return disk;
}
