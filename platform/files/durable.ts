import * as node from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ConfigError } from "../../agent/model/errors.js";
import { describeError } from "../system-error.js";

/** The file operations that a durable change consists of. Tests let each of them fail, or kill the process there. */
export type FileOperations = Pick<typeof node, "open" | "rename">;

/** Ours only: records and packages may hold keys. */
const fileMode = 0o600;
const directoryMode = 0o700;

/** The half-written file that becomes `path`. A record's name cannot end like that. */
export const draftOf = (path: string) => `${path}~`;

/**
 * Replaces a file by another content. After a crash at any moment the old or the new content is there, whole. When this
 * rejects it is the old one, unless all was done except to make the rename durable.
 */
export async function replaceFile(path: string, content: Uint8Array, files: FileOperations = node) {
  await exchangeFile(path, content, files);
  await syncDirectory(dirname(path), files);
}

/** The same at half the cost, where the old content does no harm: it may come back with a crash that follows soon. */
export async function exchangeFile(path: string, content: Uint8Array, files: FileOperations = node) {
  const draft = draftOf(path);
  try {
    const file = await files.open(draft, "w", fileMode);
    try {
      await file.writeFile(content);
      // Before the rename: a file system may otherwise write the new name before the new bytes.
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(draft, path);
  } catch (error) {
    await node.rm(draft, { force: true }).catch(() => {}); // the first error says more
    throw error;
  }
}

/** Makes created, renamed and removed names durable. */
export async function syncDirectory(directory: string, files: FileOperations = node): Promise<void> {
  const handle = await files.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Creates a directory, and those above it, unless it is there.
 * @throws ConfigError when it cannot be created or written to
 */
export async function prepareDirectory(directory: string): Promise<void> {
  const path = resolve(directory);
  try {
    const created = await node.mkdir(path, { recursive: true, mode: directoryMode });
    // Trying is the only sure answer: `access` says yes to root where the file system says no.
    const probe = draftOf(join(path, "probe"));
    await node.writeFile(probe, "");
    await node.rm(probe);
    if (created === undefined) return;
    let parent = dirname(path);
    for (; parent !== dirname(created); parent = dirname(parent)) await syncDirectory(parent);
    await syncDirectory(parent);
  } catch (cause) {
    throw new ConfigError(
      `cannot write to the directory ${path}: ${describeError(cause)}. Choose another one or give this user the right to it`,
      { cause },
    );
  }
}
