/**
 * The one package that lies on disk until it is installed. Downloads and pushes both write it through here; what is in
 * it is the board's business.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat, statfs } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type DownloadStorage,
  type DownloadWriter,
  type ImageFile,
  PackageError,
  type PackageSource,
  type PackageStorage,
  type PartialPackage,
} from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { draftOf, prepareDirectory, syncDirectory } from "./durable.js";
import { PackageFile, type PackageFileOptions } from "./package-file.js";
import { type PartRecord, readPartRecord, writePartRecord } from "./part-record.js";
import { sha256OfFile } from "./sha256.js";

export interface PackageStorageOptions {
  /** Made when it is first needed. */
  readonly directory: string;
  /** Bytes that a package may have: 1 GiB when not given. */
  readonly maximumSize?: number;
  /** Bytes of the file system that no package may take, so that state can still be written: 16 MiB when not given. */
  readonly reserve?: number;
}

const mebibyte = 1024 ** 2;

/** Milliseconds: a record costs as much as the sync before it, so a fast line has fewer of them for its bytes. */
const recordInterval = 250;

export function createPackageStorage(options: PackageStorageOptions): PackageStorage & DownloadStorage {
  const storage = new PackageDirectory(options);
  return {
    create: (size) => storing(() => storage.begin(size)),
    begin: (source) => storing(() => storage.begin(source.size, source)),
    resume: (uri, { signal }) => storing(() => storage.resume(uri, signal), signal),
    verify: (image) => storage.verify(image),
    clear: () => storage.clear(),
  };
}

class PackageDirectory {
  readonly #directory: string;
  readonly #maximumSize: number;
  readonly #reserve: number;
  readonly #complete: string;
  readonly #partial: string;
  readonly #record: string;
  #current: DownloadWriter | undefined;

  constructor({ directory, maximumSize = 1024 * mebibyte, reserve = 16 * mebibyte }: PackageStorageOptions) {
    this.#directory = directory;
    this.#maximumSize = maximumSize;
    this.#reserve = reserve;
    this.#complete = resolve(directory, "package");
    this.#partial = resolve(directory, "package.part");
    this.#record = resolve(directory, "package.part.json");
  }

  async begin(size: number | undefined, source?: PackageSource): Promise<DownloadWriter> {
    await prepareDirectory(this.#directory);
    await this.clear();
    const limit = await this.#limitAbove(0);
    if (size !== undefined && size > limit) throw this.#tooLarge(`the package of ${size} bytes`, limit);
    const part = { source: resumable(source), size: 0, hash: createHash("sha256"), limit };
    this.#current = await this.#createWriter(part);
    return this.#current;
  }

  async resume(uri: string, signal: AbortSignal): Promise<PartialPackage | undefined> {
    signal.throwIfAborted();
    const record = await readPartRecord(this.#record).catch(() => undefined);
    if (record?.source.uri !== uri || !(await this.#holds(record))) return undefined;
    const { source, durable } = record;
    const limit = await this.#limitAbove(durable);
    if (source.size !== undefined && source.size > limit) {
      await this.clear();
      throw this.#tooLarge(`the rest of the package of ${source.size} bytes`, limit);
    }
    const hash = createHash("sha256");
    if (durable > 0) {
      const bytes = { end: durable - 1, highWaterMark: 256 * 1024, signal };
      for await (const piece of createReadStream(this.#partial, bytes)) hash.update(piece);
    }
    await this.#current?.discard();
    this.#current = await this.#createWriter({ source, size: durable, hash, limit });
    return { source, received: durable, writer: this.#current };
  }

  async verify({ path, size, sha256 }: ImageFile): Promise<boolean> {
    if (path !== this.#complete) return false;
    try {
      return (await stat(path)).size === size && (await sha256OfFile(path)) === sha256;
    } catch {
      return false; // not there, or not readable: it cannot be installed
    }
  }

  async clear(): Promise<void> {
    await this.#current?.discard();
    await this.#forgetPart();
    await Promise.all([rm(this.#complete, { force: true }), rm(this.#partial, { force: true })]);
  }

  /** Durable: a record must never tell of a file that holds something else by now. */
  async #forgetPart(): Promise<void> {
    await rm(draftOf(this.#record), { force: true });
    const isThere = await stat(this.#record).then(
      () => true,
      () => false,
    );
    if (!isThere) return;
    await rm(this.#record, { force: true });
    await syncDirectory(this.#directory);
  }

  async #holds({ durable }: PartRecord): Promise<boolean> {
    return await stat(this.#partial).then(
      (file) => file.isFile() && file.size >= durable,
      () => false,
    );
  }

  /** Bytes that a package may have of which so many are there. */
  async #limitAbove(size: number): Promise<number> {
    return Math.min(this.#maximumSize, size + Math.max(0, await this.#freeSpace()));
  }

  async #freeSpace(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#directory);
    return bavail * bsize - this.#reserve;
  }

  #tooLarge(subject: string, limit: number): PackageError {
    return new PackageError(
      "storage",
      limit === this.#maximumSize
        ? `${subject} is larger than the ${limit} bytes that a package may have`
        : `${subject} does not fit into the ${limit} bytes that are free in ${this.#directory}, beside the ${this.#reserve} that stay free`,
    );
  }

  async #createWriter({ source, size, hash, limit }: Part): Promise<DownloadWriter> {
    const handle = await open(this.#partial, size === 0 ? "w" : "a", 0o600);
    if (size > 0) await handle.truncate(size);
    let nextRecord = 0;
    return new Writer({
      file: new PackageFile(handle, {
        start: { size, hash },
        onDurable: async (durable, isLast) => {
          // Others write to this file system, too.
          if ((await this.#freeSpace()) < 0) throw this.#tooLarge("the package", durable);
          if (source === undefined || (performance.now() < nextRecord && !isLast)) return;
          await writePartRecord(this.#record, { source, durable });
          nextRecord = performance.now() + recordInterval;
        },
      }),
      mayGrowTo: (grown) => {
        if (grown > limit) throw this.#tooLarge("the package", limit);
      },
      complete: async () => {
        await rename(this.#partial, this.#complete);
        await rm(this.#record, { force: true });
        await syncDirectory(this.#directory);
        return this.#complete;
      },
      remove: async () => {
        await this.#forgetPart();
        await rm(this.#partial, { force: true });
      },
      canBeResumed: source !== undefined,
    });
  }
}

interface Part extends Required<NonNullable<PackageFileOptions["start"]>> {
  readonly source: PackageSource | undefined;
  readonly limit: number;
}

/** What nothing identifies cannot be gone on with. */
const resumable = (source: PackageSource | undefined) =>
  source?.validator === undefined ? undefined : source;

interface WriterOptions {
  readonly file: PackageFile;
  /** @throws PackageError when the package may not have that many bytes */
  readonly mayGrowTo: (size: number) => void;
  /** Gives the durable file its final name. */
  readonly complete: () => Promise<string>;
  readonly remove: () => Promise<void>;
  readonly canBeResumed: boolean;
}

class Writer implements DownloadWriter {
  readonly #options: WriterOptions;
  #finishing: Promise<ImageFile> | undefined;
  #ended = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  write(piece: Uint8Array): Promise<void> {
    const { file, mayGrowTo } = this.#options;
    return storing(async () => {
      if (this.#ended) throw new Error("it was discarded");
      mayGrowTo(file.size + piece.length);
      await file.append(piece);
    });
  }

  finish(): Promise<ImageFile> {
    this.#finishing ??= storing(async () => {
      const { file, complete } = this.#options;
      const sha256 = await file.finish();
      const path = await complete();
      this.#ended = true;
      return { path, size: file.size, sha256 };
    });
    return this.#finishing;
  }

  async suspend(): Promise<void> {
    const { file, canBeResumed } = this.#options;
    if (!canBeResumed) return this.discard();
    await this.#finishing?.catch(() => {});
    if (this.#ended) return;
    this.#ended = true;
    await storing(() => file.suspend());
  }

  async discard(): Promise<void> {
    await this.#finishing?.catch(() => {});
    if (this.#ended) return;
    this.#ended = true;
    await this.#options.file.close();
    await this.#options.remove();
  }
}

/** Whatever the disk refuses, the package has no place. */
async function storing<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof PackageError) throw cause;
    throw new PackageError("storage", `cannot store the package: ${describeError(cause)}`, { cause });
  }
}
