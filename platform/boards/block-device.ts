/** What partitions, and the plain files that stand for them in tests, have in common. */
import { open, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** Bytes. @param sysBlock where the kernel says it, /sys/class/block when not given */
export async function sizeOfDevice(path: string, sysBlock = "/sys/class/block"): Promise<number> {
  const found = await stat(path);
  if (!found.isBlockDevice()) return found.size;
  const name = basename(await realpath(path));
  const sectors = Number(await readFile(join(sysBlock, name, "size"), "ascii"));
  if (!Number.isSafeInteger(sectors) || sectors <= 0) throw new Error(`${name} has no size in ${sysBlock}`);
  return sectors * 512;
}

/** @throws Error when the device ends before */
export async function readDevice(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) throw new Error(`${path} ends at byte ${position + filled}`);
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/**
 * What is read next comes from the device, not from memory. Best effort: a kernel that does not let us (a container) is no
 * reason not to compare at all.
 * @param path /proc/sys/vm/drop_caches when not given
 * @returns whether it was done
 */
export async function dropCaches(path = "/proc/sys/vm/drop_caches"): Promise<boolean> {
  try {
    await writeFile(path, "3\n", { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

/** `179:2`, as in mountinfo; undefined for a plain file. */
export async function deviceNumber(path: string): Promise<string | undefined> {
  const found = await stat(path);
  if (!found.isBlockDevice()) return undefined;
  const { rdev } = found; // as glibc composes it
  return `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
}
