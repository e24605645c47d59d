/**
 * The partition that the boot loader of an Edison installs from: a FAT inside a DOS partition table inside a partition of the
 * disk. It is filled, and then read again from the device: a fault found by the boot loader is found after we lost all say.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PackageError } from "../../../agent/ports.js";
import { syncDirectory } from "../../files/durable.js";
import { describeError, errorCode } from "../../system-error.js";
import { dropCaches, readDevice, sizeOfDevice } from "../block-device.js";
import type { Mounter } from "../mounter.js";
import { checkDigest, type OtaPackage } from "./package.js";
import { openZipMember } from "./zip.js";

export interface UpdatePartitionOptions {
  readonly mounter: Mounter;
  readonly device: string;
  /** Where it is mounted while it is filled. */
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly dropCaches: string;
}

/** Bytes, from the start of the device. */
export interface FileSystemPlace {
  readonly offset: number;
  readonly size: number;
}

const sectorSize = 512;
const firstEntry = 446;
const fat32Types: readonly number[] = [0x0b, 0x0c];

/**
 * Where the FAT is: where the first partition of a DOS table begins, or at 0 when there is no table.
 * @throws Error when it is neither
 */
export async function findFileSystem(device: string): Promise<FileSystemPlace> {
  const size = await sizeOfDevice(device);
  const sector = await readDevice(device, 0, sectorSize);
  if (sector.readUInt16BE(510) !== 0x55aa)
    throw new Error(`${device} begins neither with a partition table nor with a FAT`);
  if (isFat(sector)) return { offset: 0, size };
  const [type = 0] = sector.subarray(firstEntry + 4);
  const offset = sector.readUInt32LE(firstEntry + 8) * sectorSize;
  const length = sector.readUInt32LE(firstEntry + 12) * sectorSize;
  if (!fat32Types.includes(type) || offset === 0 || offset + length > size) {
    throw new Error(`the first partition in the table on ${device} is not a FAT32 that lies within it`);
  }
  return { offset, size: length };
}

/** A boot sector has the code of a loader where a table has its entries. */
const isFat = (sector: Buffer) =>
  sector.toString("latin1", 54, 57) === "FAT" || sector.toString("latin1", 82, 85) === "FAT";

/** Bytes that a package may take. */
export const roomOn = async (device: string): Promise<number> => (await findFileSystem(device)).size;

export interface FillOptions {
  readonly signal: AbortSignal;
  readonly progress: (fraction: number, message: string) => void;
}

/**
 * Empties the partition and unpacks the package into it; afterwards it is on the device, and has been read from there.
 * @throws PackageError
 */
export async function fillUpdatePartition(
  options: UpdatePartitionOptions,
  package_: OtaPackage,
  { signal, progress }: FillOptions,
): Promise<void> {
  const { offset } = await findFileSystem(options.device).catch((cause: unknown) => {
    throw new PackageError("failed", describeError(cause), { cause });
  });
  const total = package_.members.reduce((sum, { size }) => sum + size, 0) || 1;
  await leaveMountPoint(options);
  const digests = await mounted(options, ["rw", "noatime", "loop", `offset=${offset}`], async (folder) => {
    await empty(folder);
    await checkRoom(folder, package_);
    return unpack(folder, package_, signal, (done) => progress((0.7 * done) / total, "unpacking"));
  });
  await dropCaches(options.dropCaches);
  await mounted(options, ["ro", "loop", `offset=${offset}`], (folder) =>
    compare(folder, digests, signal, (done) => progress(0.7 + (0.29 * done) / total, "reading again")),
  );
}

/** What an agent that was killed here has left mounted. */
async function leaveMountPoint({ mounter, mountPoint }: UpdatePartitionOptions): Promise<void> {
  for (let left = 4; await mounter.isMounted(mountPoint); left--) {
    if (left === 0) throw new PackageError("failed", `${mountPoint} stays mounted`);
    await mounter.unmount(mountPoint);
  }
}

async function mounted<T>(
  { mounter, device, mountPoint, fileSystem }: UpdatePartitionOptions,
  options: readonly string[],
  use: (folder: string) => Promise<T>,
): Promise<T> {
  await mounter.mount({ device, folder: mountPoint, fileSystem, options });
  let result: T;
  try {
    // Never empty a folder because a mount was not where it was said to be.
    if (!(await mounter.isMounted(mountPoint)))
      throw new PackageError("failed", `${mountPoint} is not mounted`);
    result = await use(mountPoint);
  } catch (error) {
    await mounter.unmount(mountPoint).catch(() => {}); // the first error says more
    throw error;
  }
  await mounter.unmount(mountPoint);
  return result;
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

async function checkRoom(folder: string, { space }: OtaPackage): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (space > bavail * bsize) {
    throw new PackageError(
      "storage",
      `the package takes ${space} bytes, and the update partition has ${bavail * bsize}`,
    );
  }
}

/** @returns SHA-256 of each file, by its name */
async function unpack(
  folder: string,
  { archive, members, script }: OtaPackage,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<ReadonlyMap<string, string>> {
  const digests = new Map<string, string>();
  let done = 0;
  for (const member of members) {
    const path = join(folder, member.name);
    await mkdir(dirname(path), { recursive: true });
    const hash = createHash("sha256");
    const sha1 = createHash("sha1");
    const file = await open(path, "wx");
    try {
      for await (const piece of openZipMember(archive, member, { signal })) {
        hash.update(piece);
        sha1.update(piece);
        await writeAll(file, piece);
        done += piece.length;
        progress(done);
      }
      checkDigest(script, member.name, sha1.digest("hex"));
      await file.sync();
    } catch (cause) {
      throw errorCode(cause) === undefined ? cause : unwritable(member.name, cause);
    } finally {
      await file.close();
    }
    digests.set(member.name, hash.digest("hex"));
  }
  await syncDirectory(folder);
  return digests;
}

function unwritable(name: string, cause: unknown): PackageError {
  const failure = ["ENOSPC", "EFBIG", "EDQUOT"].includes(errorCode(cause) ?? "") ? "storage" : "failed";
  return new PackageError(failure, `${name} cannot be unpacked: ${describeError(cause)}`, { cause });
}

async function compare(
  folder: string,
  digests: ReadonlyMap<string, string>,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<void> {
  let done = 0;
  for (const [name, expected] of digests) {
    const hash = createHash("sha256");
    try {
      for await (const piece of createReadStream(join(folder, name), { highWaterMark: 256 * 1024 })) {
        signal.throwIfAborted();
        hash.update(piece as Buffer);
        done += (piece as Buffer).length;
        progress(done);
      }
    } catch (cause) {
      if (errorCode(cause) === undefined) throw cause;
      throw new PackageError("failed", `${name} cannot be read again: ${describeError(cause)}`, { cause });
    }
    if (hash.digest("hex") === expected) continue;
    throw new PackageError(
      "failed",
      `${name} is not on the update partition as it was written: is its flash worn out?`,
    );
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, piece: Uint8Array): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    written += (await file.write(piece, written)).bytesWritten;
  }
}
