import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** One block is filled from the network while the other is hashed and written. */
const blockSize = 256 * 1024;

/** What may wait in the page cache, so that the last sync is short and a slow disk slows the sender, not the board. */
const syncInterval = 8 * 1024 ** 2;

/** A file that grows at its end and is hashed on the way, in constant memory. Calls come one after the other. */
export class PackageFile {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #block = Buffer.allocUnsafe(blockSize);
  #spare = Buffer.allocUnsafe(blockSize);
  #filled = 0;
  #size = 0;
  #unsynced = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Bytes taken. */
  get size(): number {
    return this.#size;
  }

  /** Takes a copy. Resolves at once while there is room in memory; rejects when an earlier piece could not be written. */
  async append(piece: Uint8Array): Promise<void> {
    for (let offset = 0; offset < piece.length; ) {
      const part = piece.subarray(offset, offset + blockSize - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      offset += part.length;
      if (this.#filled === blockSize) await this.#flush();
    }
    this.#size += piece.length;
  }

  /** Resolves with the lower-case hexadecimal SHA-256 when all of it is durable. */
  async finish(): Promise<string> {
    await this.#flush();
    await this.#writing;
    // The kernel reports a failed write-back only once: what the earlier sync saw must not be lost.
    await this.#syncing;
    await this.#file.sync();
    await this.#file.close();
    return this.#hash.digest("hex");
  }

  /** Closes the file as it is. Harmless when it is closed. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const block = this.#block.subarray(0, this.#filled);
    this.#writing = this.#file.appendFile(block);
    this.#writing.catch(() => {}); // awaited by the next flush
    this.#hash.update(block);
    [this.#block, this.#spare] = [this.#spare, this.#block];
    this.#filled = 0;
    this.#unsynced += block.length;
    if (this.#unsynced >= syncInterval) await this.#startSync();
  }

  async #startSync(): Promise<void> {
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#file.datasync();
    this.#syncing.catch(() => {}); // awaited by the next one
  }
}
