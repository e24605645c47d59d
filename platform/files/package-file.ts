import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** One block is filled from the network while the other is hashed and written. */
const blockSize = 256 * 1024;

/** What may wait in the page cache, so that the last sync is short and a slow disk slows the sender, not the board. */
const syncInterval = 8 * 1024 ** 2;

export interface PackageFileOptions {
  /** What is in the file already: its bytes, and the SHA-256 over them so far. */
  readonly start?: { readonly size: number; readonly hash: Hash };
  /**
   * Told how many bytes are durable, each time that some more are, and when no more will be. What it throws ends the file as a
   * failed write does.
   */
  readonly onDurable?: (size: number, isLast: boolean) => Promise<void>;
}

/** A file that grows at its end and is hashed on the way, in constant memory. Calls come one after the other. */
export class PackageFile {
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #onDurable: (size: number, isLast: boolean) => Promise<void>;
  #block = Buffer.allocUnsafe(blockSize);
  #spare = Buffer.allocUnsafe(blockSize);
  #filled = 0;
  #size: number;
  #unsynced = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, { start, onDurable = async () => {} }: PackageFileOptions = {}) {
    this.#file = file;
    this.#size = start?.size ?? 0;
    this.#hash = start?.hash ?? createHash("sha256");
    this.#onDurable = onDurable;
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
      this.#size += part.length;
      offset += part.length;
      if (this.#filled === blockSize) await this.#flush();
    }
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

  /** Closes the file when all that was taken is durable. */
  async suspend(): Promise<void> {
    try {
      await this.#flush();
      await this.#writing;
      await this.#syncing;
      await this.#file.datasync();
      await this.#onDurable(this.#size, true);
    } finally {
      await this.close();
    }
  }

  /** Closes the file as it is. Harmless when it is closed. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const block = this.#block.subarray(0, this.#filled);
    const written = this.#size - block.length; // only this much is sure to be seen by a sync that begins now
    this.#writing = this.#file.appendFile(block);
    this.#writing.catch(() => {}); // awaited by the next flush
    this.#hash.update(block);
    [this.#block, this.#spare] = [this.#spare, this.#block];
    this.#filled = 0;
    this.#unsynced += block.length;
    if (this.#unsynced >= syncInterval) await this.#startSync(written);
  }

  async #startSync(written: number): Promise<void> {
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#file.datasync().then(() => this.#onDurable(written, false));
    this.#syncing.catch(() => {}); // awaited by the next one
  }
}
