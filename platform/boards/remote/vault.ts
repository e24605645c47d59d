/**
 * Takes a package out of the hands of the agent. The agent owns the file and may hold it open for writing, so that no check of
 * that file means anything a moment later: neither its rights nor a descriptor of ours keep the content as it is. The helper
 * copies it into a folder of its own, hashes what it copies, and works with the copy alone.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../../agent/model/errors.js";
import { type ImageFile, PackageError } from "../../../agent/ports.js";
import { draftOf, syncDirectory } from "../../files/durable.js";
import { sha256OfFile } from "../../files/sha256.js";
import { describeError, errorCode } from "../../system-error.js";

export interface VaultOptions {
  /** Folder of the agent's: packages lie in it, not below it. */
  readonly packageDirectory: string;
  /** Folder of the helper's, for its own copy. Made if it does not exist. */
  readonly directory: string;
  /** Bytes that a package may have: 1 GiB when not given. */
  readonly maximumSize?: number;
}

export interface Vault {
  /**
   * A copy that nobody else can change and that is what `image` says: same size, same digest.
   * @throws PackageError `integrity` when it is not, `failed` when the file is not one that the agent may name, `storage`
   */
  take(image: ImageFile, options: { readonly signal: AbortSignal }): Promise<ImageFile>;
  /** Where the copy of a package lies, whether it is there or not. */
  copyOf(image: ImageFile): ImageFile;
  /** A small file of the agent's that lies beside the package; undefined when there is none. */
  readSmall(name: string, maximumBytes: number): Promise<Uint8Array | undefined>;
  /** Removes the copy. */
  clear(): Promise<void>;
}

const gibibyte = 1024 ** 3;
const pieceSize = 256 * 1024;
/** Neither follows a link, nor waits for the other end of a pipe, nor becomes a terminal. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

export function createVault({ packageDirectory, directory, maximumSize = gibibyte }: VaultOptions): Vault {
  const copyOf = (image: ImageFile): ImageFile => ({ ...image, path: join(directory, image.sha256) });

  async function take(image: ImageFile, { signal }: { readonly signal: AbortSignal }): Promise<ImageFile> {
    signal.throwIfAborted();
    if (image.size > maximumSize) {
      throw new PackageError(
        "storage",
        `the package has ${image.size} bytes, and ${maximumSize} are the most`,
      );
    }
    await prepare(directory);
    const copy = copyOf(image);
    if (await isWhole(copy, signal)) return copy;
    await clear(); // room for one
    const source = await openPackage(packageDirectory, image.path);
    try {
      await storing(() => copyVerified(source, copy, signal), signal);
    } finally {
      await source.close();
    }
    return copy;
  }

  async function clear(): Promise<void> {
    for (const name of await readdir(directory).catch(() => [])) {
      if (/^[0-9a-f]{64}~?$/.test(name)) await rm(join(directory, name), { force: true });
    }
  }

  async function readSmall(name: string, maximumBytes: number): Promise<Uint8Array | undefined> {
    let file: FileHandle;
    try {
      file = await openPackage(packageDirectory, join(await realpath(packageDirectory), name));
    } catch (error) {
      if (error instanceof PackageError && errorCode(error.cause) === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(maximumBytes + 1), 0, maximumBytes + 1, 0);
      if (bytesRead > maximumBytes) throw refused(name, `has more than ${maximumBytes} bytes`);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  return { take, copyOf, readSmall, clear };
}

/** For root alone: whoever may write here could put a package in the place of the one that was verified. */
async function prepare(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(directory);
  if (uid === process.getuid?.() && (mode & 0o077) === 0) return;
  throw new ConfigError(
    `${directory} is open to other users: it must belong to the helper alone (chmod 700)`,
  );
}

/**
 * Opens a regular file that lies in the folder of packages and belongs to who owns that folder.
 * The folder itself cannot be exchanged by the agent: the one above it belongs to root.
 */
async function openPackage(packageDirectory: string, path: string): Promise<FileHandle> {
  const folder = await realpath(packageDirectory).catch((cause: unknown) => {
    throw refused(packageDirectory, `cannot be read: ${describeError(cause)}`, cause);
  });
  const name = nameIn([packageDirectory, folder], path);
  const file = await open(join(folder, name), readOnly).catch((cause: unknown) => {
    throw refused(path, errorCode(cause) === "ELOOP" ? "is a symbolic link" : describeError(cause), cause);
  });
  try {
    const [{ uid: owner }, found] = [await stat(folder), await file.stat()];
    if (!found.isFile()) throw refused(path, "is not a regular file");
    if (found.uid !== owner) throw refused(path, `belongs to the user ${found.uid}, not to ${owner}`);
    if (found.nlink !== 1) throw refused(path, "has a second name, and may be a file of somebody else");
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The last part of a path that lies in one of these folders (two names of the same one), and not deeper. */
function nameIn(folders: readonly string[], path: string): string {
  for (const folder of folders) {
    const name = path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : "";
    if (name !== "" && name !== "." && name !== ".." && !name.includes("/")) return name;
  }
  throw refused(path, `does not lie in ${folders[0]}`);
}

async function isWhole(copy: ImageFile, signal: AbortSignal): Promise<boolean> {
  try {
    return (
      (await stat(copy.path)).size === copy.size &&
      (await sha256OfFile(copy.path, { signal })) === copy.sha256
    );
  } catch (error) {
    signal.throwIfAborted();
    if (errorCode(error) === "ENOENT") return false;
    throw new PackageError("storage", `the copy of the package cannot be read: ${describeError(error)}`, {
      cause: error,
    });
  }
}

/** Durable under its name only when it is what it should be. */
async function copyVerified(source: FileHandle, copy: ImageFile, signal: AbortSignal): Promise<void> {
  const draft = draftOf(copy.path);
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(pieceSize);
  try {
    const target = await open(draft, "w", 0o600);
    try {
      let position = 0;
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, pieceSize, position);
        if (bytesRead === 0) break;
        position += bytesRead;
        if (position > copy.size) break; // it has grown: its digest cannot be right any more
        const piece = buffer.subarray(0, bytesRead);
        hash.update(piece);
        for (let written = 0; written < bytesRead; ) {
          written += (await target.write(piece, written)).bytesWritten;
        }
      }
      if (position !== copy.size || hash.digest("hex") !== copy.sha256) {
        throw new PackageError("integrity", "the package is not the one that the agent verified");
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(draft, copy.path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(join(copy.path, ".."));
}

async function storing(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work();
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof PackageError) throw cause;
    throw new PackageError("storage", `the helper cannot copy the package: ${describeError(cause)}`, {
      cause,
    });
  }
}

const refused = (path: string, why: string, cause?: unknown) =>
  new PackageError("failed", `the helper does not take ${path}: it ${why}`, { cause });
