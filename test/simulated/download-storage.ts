import { createHash } from "node:crypto";
import {
  type DownloadStorage,
  type DownloadWriter,
  PackageError,
  type PackageSource,
} from "../../agent/ports.js";

interface Part {
  readonly source: PackageSource;
  readonly pieces: Uint8Array[];
}

/** A disk for one package, in memory; a second one over the same `disk` is the one after a restart. */
export interface MemoryDisk {
  part: Part | undefined;
  complete: Buffer | undefined;
}

export const createMemoryDisk = (): MemoryDisk => ({ part: undefined, complete: undefined });

export function createMemoryDownloadStorage(
  disk: MemoryDisk = createMemoryDisk(),
  limit = 1_000_000,
): DownloadStorage {
  const sizeOf = (pieces: readonly Uint8Array[]) => pieces.reduce((size, { length }) => size + length, 0);

  function createWriter(source: PackageSource, pieces: Uint8Array[]): DownloadWriter {
    let ended = false;
    return {
      async write(piece) {
        if (ended) throw new PackageError("storage", "it was discarded");
        if (sizeOf(pieces) + piece.length > limit) throw new PackageError("storage", "it is too large");
        pieces.push(Uint8Array.from(piece));
      },
      async finish() {
        ended = true;
        disk.complete = Buffer.concat(pieces);
        disk.part = undefined;
        const sha256 = createHash("sha256").update(disk.complete).digest("hex");
        return { path: "/package", size: disk.complete.length, sha256 };
      },
      async suspend() {
        if (ended) return;
        ended = true;
        disk.part = source.validator === undefined ? undefined : { source, pieces };
      },
      async discard() {
        if (ended) return;
        ended = true;
        disk.part = undefined;
      },
    };
  }

  return {
    async begin(source) {
      disk.part = undefined;
      disk.complete = undefined;
      if ((source.size ?? 0) > limit) throw new PackageError("storage", "it is too large");
      return createWriter(source, []);
    },
    async resume(uri, { signal }) {
      signal.throwIfAborted();
      const { part } = disk;
      if (part?.source.uri !== uri) return undefined;
      const pieces = [...part.pieces];
      return { source: part.source, received: sizeOf(pieces), writer: createWriter(part.source, pieces) };
    },
    async clear() {
      disk.part = undefined;
      disk.complete = undefined;
    },
  };
}
