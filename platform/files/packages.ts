/**
 * The one package that lies on disk until it is installed. Downloads and pushes both write it through here; what is in
 * it is the board's business.
 */
import { open, rename, rm, stat, statfs } from "node:fs/promises";
import { resolve } from "node:path";
import { type ImageFile, PackageError, type PackageStorage, type PackageWriter } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { prepareDirectory, syncDirectory } from "./durable.js";
import { PackageFile } from "./package-file.js";
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

export function createPackageStorage({
  directory,
  maximumSize = 1024 * mebibyte,
  reserve = 16 * mebibyte,
}: PackageStorageOptions): PackageStorage {
  const complete = resolve(directory, "package");
  const partial = resolve(directory, "package.part");
  let current: PackageWriter | undefined;

  async function clear(): Promise<void> {
    await current?.discard();
    await Promise.all([rm(complete, { force: true }), rm(partial, { force: true })]);
  }

  /** Bytes that the next package may have. */
  async function findLimit(): Promise<number> {
    const { bavail, bsize } = await statfs(directory);
    return Math.min(maximumSize, Math.max(0, bavail * bsize - reserve));
  }

  const tooLarge = (subject: string, limit: number) =>
    new PackageError(
      "storage",
      limit === maximumSize
        ? `${subject} is larger than the ${limit} bytes that a package may have`
        : `${subject} does not fit into the ${limit} bytes that are free in ${directory}`,
    );

  async function createWriter(limit: number): Promise<PackageWriter> {
    const file = new PackageFile(await open(partial, "w", 0o600));
    let finishing: Promise<ImageFile> | undefined;
    let ended = false;

    async function finish(): Promise<ImageFile> {
      const sha256 = await file.finish();
      await rename(partial, complete);
      await syncDirectory(directory);
      ended = true;
      return { path: complete, size: file.size, sha256 };
    }

    return {
      write: (piece) =>
        storing(async () => {
          if (ended) throw new Error("it was discarded");
          if (file.size + piece.length > limit) throw tooLarge("the package", limit);
          await file.append(piece);
        }),
      finish: () => {
        finishing ??= storing(finish);
        return finishing;
      },
      async discard() {
        await finishing?.catch(() => {});
        if (ended) return;
        ended = true;
        await file.close();
        await rm(partial, { force: true });
      },
    };
  }

  return {
    clear,
    create: (size) =>
      storing(async () => {
        await prepareDirectory(directory);
        await clear();
        const limit = await findLimit();
        if (size !== undefined && size > limit) throw tooLarge(`the package of ${size} bytes`, limit);
        current = await createWriter(limit);
        return current;
      }),
    async verify({ path, size, sha256 }) {
      if (path !== complete) return false;
      try {
        return (await stat(path)).size === size && (await sha256OfFile(path)) === sha256;
      } catch {
        return false; // not there, or not readable: it cannot be installed
      }
    },
  };
}

/** Whatever the disk refuses, the package has no place. */
async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof PackageError) throw cause;
    throw new PackageError("storage", `cannot store the package: ${describeError(cause)}`, { cause });
  }
}
