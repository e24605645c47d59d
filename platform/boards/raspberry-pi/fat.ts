/**
 * Small files in the root folder of a FAT file system that is not mounted: the boot partition that was just written is read
 * where the firmware will read it, without a mount, the rights for one, or a kernel that knows FAT.
 */
import { open } from "node:fs/promises";
import { readDevice } from "../block-device.js";

/** Bytes, from the start of the device. */
interface Extent {
  readonly offset: number;
  readonly length: number;
}

interface FatFile {
  readonly size: number;
  /** Of its entry in the folder. */
  readonly entryOffset: number;
  /** All that is allocated for it. */
  readonly extents: readonly Extent[];
}

const maximumFileSize = 64 * 1024;
const maximumFolderSize = 2 * 1024 * 1024;
const entrySize = 32;

/**
 * @param name as on disk, in the form 8.3
 * @returns undefined when there is no such file
 * @throws Error when the device holds no FAT file system, or one that contradicts itself
 */
export async function readFatFile(device: string, name: string): Promise<Buffer | undefined> {
  const file = await (await FatVolume.open(device)).find(name);
  if (file === undefined) return undefined;
  const pieces = await Promise.all(
    file.extents.map(({ offset, length }) => readDevice(device, offset, length)),
  );
  return Buffer.concat(pieces).subarray(0, file.size);
}

/**
 * Puts another content into the place of a file. Not safe against power cuts: for partitions that nothing boots yet.
 * @throws Error when it needs more clusters than the file has
 */
export async function rewriteFatFile(device: string, name: string, content: Uint8Array): Promise<void> {
  const file = await (await FatVolume.open(device)).find(name);
  if (file === undefined) throw new Error(`${device} has no ${name}`);
  const room = file.extents.reduce((sum, { length }) => sum + length, 0);
  if (content.length > room) throw new Error(`${name} on ${device} has room for ${room} bytes only`);
  const handle = await open(device, "r+");
  try {
    let written = 0;
    for (const { offset, length } of file.extents) {
      const piece = content.subarray(written, written + length);
      await handle.write(piece, 0, piece.length, offset);
      written += piece.length;
    }
    const size = Buffer.alloc(4);
    size.writeUInt32LE(content.length);
    await handle.write(size, 0, 4, file.entryOffset + 28);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Microsoft's FAT specification (fatgen103), as far as reading goes. */
class FatVolume {
  readonly #device: string;
  readonly #bits: 12 | 16 | 32;
  readonly #clusterSize: number;
  readonly #clusters: number;
  readonly #fatOffset: number;
  readonly #dataOffset: number;
  /** Where the root folder is: a region of its own, or a chain of clusters. */
  readonly #root: Extent | number;

  private constructor(device: string, sector: Buffer) {
    const sectorSize = sector.readUInt16LE(11);
    const perCluster = sector.readUInt8(13);
    const fats = sector.readUInt8(16);
    const isPlausible =
      sector.readUInt16BE(510) === 0x55aa &&
      [512, 1024, 2048, 4096].includes(sectorSize) &&
      [1, 2, 4, 8, 16, 32, 64, 128].includes(perCluster) &&
      (fats === 1 || fats === 2);
    if (!isPlausible) throw new Error(`${device} holds no FAT file system`);
    const reserved = sector.readUInt16LE(14);
    const rootEntries = sector.readUInt16LE(17);
    const fatSize = sector.readUInt16LE(22) || sector.readUInt32LE(36);
    const total = sector.readUInt16LE(19) || sector.readUInt32LE(32);
    const rootSectors = Math.ceil((rootEntries * entrySize) / sectorSize);
    const dataStart = reserved + fats * fatSize + rootSectors;
    this.#device = device;
    this.#clusterSize = perCluster * sectorSize;
    this.#clusters = Math.floor((total - dataStart) / perCluster);
    this.#bits = this.#clusters < 4085 ? 12 : this.#clusters < 65_525 ? 16 : 32;
    this.#fatOffset = reserved * sectorSize;
    this.#dataOffset = dataStart * sectorSize;
    this.#root =
      rootEntries === 0
        ? sector.readUInt32LE(44)
        : { offset: (dataStart - rootSectors) * sectorSize, length: rootEntries * entrySize };
  }

  static async open(device: string): Promise<FatVolume> {
    return new FatVolume(device, await readDevice(device, 0, 512));
  }

  async find(name: string): Promise<FatFile | undefined> {
    const wanted = shortName(name);
    const folder =
      typeof this.#root === "number" ? await this.#chain(this.#root, maximumFolderSize) : [this.#root];
    for (const extent of folder) {
      const entries = await readDevice(this.#device, extent.offset, extent.length);
      for (let at = 0; at < entries.length; at += entrySize) {
        if (entries[at] === 0) return undefined; // nothing follows
        // A volume label, a folder, or a part of a long name.
        if (((entries[at + 11] ?? 0) & 0x18) !== 0) continue;
        if (entries.toString("latin1", at, at + 11) !== wanted) continue;
        return this.#file(entries.subarray(at, at + entrySize), extent.offset + at);
      }
    }
    return undefined;
  }

  async #file(entry: Buffer, entryOffset: number): Promise<FatFile> {
    const size = entry.readUInt32LE(28);
    if (size > maximumFileSize)
      throw new Error(`a file on ${this.#device} is larger than ${maximumFileSize} bytes`);
    const high = this.#bits === 32 ? entry.readUInt16LE(20) : 0;
    const first = high * 0x10000 + entry.readUInt16LE(26);
    return { size, entryOffset, extents: size === 0 ? [] : await this.#chain(first, size) };
  }

  /** The clusters from `first` on: until the end of the chain, or until they hold `size` bytes. */
  async #chain(first: number, size: number): Promise<readonly Extent[]> {
    const extents: Extent[] = [];
    for (
      let cluster = first;
      extents.length * this.#clusterSize < size;
      cluster = await this.#next(cluster)
    ) {
      if (cluster < 2 || cluster >= this.#clusters + 2) {
        if (this.#isEnd(cluster) && extents.length > 0) break;
        throw new Error(`a chain of clusters on ${this.#device} is broken`);
      }
      extents.push({
        offset: this.#dataOffset + (cluster - 2) * this.#clusterSize,
        length: this.#clusterSize,
      });
    }
    return extents;
  }

  #isEnd(cluster: number): boolean {
    return cluster >= { 12: 0xff8, 16: 0xfff8, 32: 0x0ffffff8 }[this.#bits];
  }

  async #next(cluster: number): Promise<number> {
    const at = this.#fatOffset + Math.floor((cluster * this.#bits) / 8);
    const bytes = await readDevice(this.#device, at, this.#bits === 32 ? 4 : 2);
    if (this.#bits === 32) return bytes.readUInt32LE() & 0x0fffffff;
    const value = bytes.readUInt16LE();
    if (this.#bits === 16) return value;
    return cluster % 2 === 0 ? value & 0xfff : value >>> 4;
  }
}

/** `cmdline.txt` is `CMDLINE TXT`. */
function shortName(name: string): string {
  const [stem = "", extension = ""] = name.toUpperCase().split(".");
  return stem.padEnd(8) + extension.padEnd(3);
}
