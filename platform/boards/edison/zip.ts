/**
 * Reads zip archives from a file, or from a part of one. The list of contents at the end decides; each member is streamed in
 * constant memory, and never grows beyond the size that the list says.
 *
 * Of the format, what `zip` and the build systems of boards write: stored and deflated members below 4 GiB. Encryption,
 * ZIP64, several disks and other methods are refused, and so is a member whose local header contradicts the list. This code
 * may run as root on what a stranger signed or did not sign: so it does not have what it does not need.
 */
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { crc32, createInflateRaw } from "node:zlib";
import { PackageError } from "../../../agent/ports.js";
import { describeError } from "../../system-error.js";

/** A part of a file. */
export interface FilePart {
  readonly path: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly size: number;
}

export interface ZipMember {
  /** Relative, with `/` between its parts, none of which is empty, `.` or `..`. */
  readonly name: string;
  readonly size: number;
  readonly compressedSize: number;
  readonly crc32: number;
  readonly method: "stored" | "deflated";
  /** Of its local header, from the start of the archive. */
  readonly headerOffset: number;
}

const maximumMembers = 1024;
const maximumListSize = 1024 * 1024;
const endSize = 22;
const localHeaderSize = 30;
const entrySize = 46;
const pieceSize = 256 * 1024;

/**
 * The files of the archive in the order of its list; folders are left out.
 * @throws PackageError `unsupported-package` when it is no archive that is read here, `integrity` when its end is missing
 */
export async function listZip(archive: FilePart): Promise<readonly ZipMember[]> {
  const file = await open(archive.path);
  try {
    const { count, listSize, listOffset } = await findEnd(file, archive);
    const list = await readAt(file, archive, listOffset, listSize);
    return parseList(list, count, listOffset);
  } finally {
    await file.close();
  }
}

/**
 * Streams the content of one member.
 * @throws PackageError `integrity` when it is not as the list says: size and CRC-32 are known only after the last piece
 */
export async function* openZipMember(
  archive: FilePart,
  member: ZipMember,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Buffer, void, void> {
  const { name, size, compressedSize, method } = member;
  const start = await contentOffset(archive, member);
  let written = 0;
  let checksum = 0;
  if (compressedSize > 0) {
    for await (const piece of inflated(archive.path, archive.offset + start, compressedSize, method)) {
      signal?.throwIfAborted();
      written += piece.length;
      if (written > size) throw damaged(`${name} is larger than the ${size} bytes that its list says`);
      checksum = crc32(piece, checksum);
      yield piece;
    }
  }
  if (written !== size) throw damaged(`${name} has ${written} bytes, and its list says ${size}`);
  if (checksum !== member.crc32) throw damaged(`the checksum of ${name} is wrong`);
}

async function* inflated(
  path: string,
  start: number,
  length: number,
  method: ZipMember["method"],
): AsyncGenerator<Buffer, void, void> {
  const raw = createReadStream(path, { start, end: start + length - 1, highWaterMark: pieceSize });
  if (method === "stored") {
    yield* raw as AsyncIterable<Buffer>; // which also closes it
    return;
  }
  // Errors and ends pass from one to the other; whoever reads the last hears of them.
  const inflate = pipeline(raw, createInflateRaw({ chunkSize: pieceSize }), () => undefined);
  try {
    yield* inflate as AsyncIterable<Buffer>;
  } catch (cause) {
    throw damaged(`it cannot be unpacked: ${describeError(cause)}`, { cause });
  } finally {
    raw.destroy();
  }
}

/** The name may be longer there, or have other extra fields; what counts must be the same. */
async function contentOffset(archive: FilePart, member: ZipMember): Promise<number> {
  const file = await open(archive.path);
  try {
    const header = await readAt(file, archive, member.headerOffset, localHeaderSize);
    const nameLength = header.readUInt16LE(26);
    const name = await readAt(file, archive, member.headerOffset + localHeaderSize, nameLength);
    const isSame =
      header.readUInt32LE(0) === 0x04034b50 &&
      header.readUInt16LE(8) === (member.method === "stored" ? 0 : 8) &&
      name.toString("latin1") === member.name;
    const start = member.headerOffset + localHeaderSize + nameLength + header.readUInt16LE(28);
    if (!isSame || start + member.compressedSize > archive.size) {
      throw damaged(`${member.name} is not where its list says`);
    }
    return start;
  } finally {
    await file.close();
  }
}

/** A comment of up to 64 KiB may follow the end record; it must reach to the last byte of the archive. */
async function findEnd(file: FileHandle, archive: FilePart) {
  const tailSize = Math.min(archive.size, endSize + 0xffff);
  const tail = await readAt(file, archive, archive.size - tailSize, tailSize);
  for (let at = tail.length - endSize; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== 0x06054b50 || at + endSize + tail.readUInt16LE(at + 20) !== tail.length)
      continue;
    const count = tail.readUInt16LE(at + 10);
    const listSize = tail.readUInt32LE(at + 12);
    const listOffset = tail.readUInt32LE(at + 16);
    if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 8) !== count) {
      throw unusable("it is spread over several files");
    }
    if (count === 0xffff || listOffset === 0xffffffff) throw unusable("it is a ZIP64 archive");
    if (count > maximumMembers || listSize > maximumListSize) {
      throw unusable(`it has more than ${maximumMembers} members, or a list of more than a megabyte`);
    }
    if (listOffset + listSize > archive.size - tailSize + at)
      throw damaged("its list is not where it should be");
    return { count, listSize, listOffset };
  }
  const first = await readAt(file, archive, 0, Math.min(4, archive.size));
  if (first.length === 4 && first.readUInt32LE(0) === 0x04034b50) throw damaged("its end is missing");
  throw unusable("it is not a zip archive");
}

function parseList(list: Buffer, count: number, listOffset: number): readonly ZipMember[] {
  const members: ZipMember[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + entrySize > list.length || list.readUInt32LE(at) !== 0x02014b50) {
      throw damaged("its list ends too early");
    }
    const nameEnd = at + entrySize + list.readUInt16LE(at + 28);
    const next = nameEnd + list.readUInt16LE(at + 30) + list.readUInt16LE(at + 32);
    if (next > list.length) throw damaged("its list ends too early");
    const member = parseEntry(list.subarray(at, nameEnd));
    if (member.headerOffset + localHeaderSize > listOffset) {
      throw damaged(`${member.name} is not where its list says`);
    }
    // FAT does not tell letters by case, so neither may the archive.
    const key = member.name.toLowerCase();
    if (names.has(key)) throw unusable(`it holds ${member.name} twice`);
    names.add(key);
    if (!member.name.endsWith("/")) members.push(member);
    at = next;
  }
  return members;
}

function parseEntry(entry: Buffer): ZipMember {
  const name = entry.toString("latin1", entrySize);
  checkName(name);
  if ((entry.readUInt16LE(8) & 1) !== 0) throw unusable(`${name} is encrypted`);
  const method = entry.readUInt16LE(10);
  if (method !== 0 && method !== 8)
    throw unusable(`${name} is compressed by a method that is not known here`);
  const compressedSize = entry.readUInt32LE(20);
  const size = entry.readUInt32LE(24);
  if (compressedSize === 0xffffffff || size === 0xffffffff)
    throw unusable(`${name} is larger than 4 GiB - 2`);
  if (method === 0 && size !== compressedSize)
    throw damaged(`${name} is stored in another size than its own`);
  // The upper half of the external attributes is the mode where a Unix wrote the archive.
  const type = entry.readUInt8(5) === 3 ? (entry.readUInt32LE(38) >>> 28) & 0xf : 0;
  if (type !== 0 && type !== 0o10 && type !== 0o4) throw unusable(`${name} is neither a file nor a folder`);
  return {
    name,
    size,
    compressedSize,
    crc32: entry.readUInt32LE(16),
    method: method === 0 ? "stored" : "deflated",
    headerOffset: entry.readUInt32LE(42),
  };
}

/** Plain letters only: what the boot loader loads is named like that, and nothing else can hide in a log. */
function checkName(name: string): void {
  const parts = name.endsWith("/") ? name.slice(0, -1).split("/") : name.split("/");
  const isPlain = name.length <= 255 && /^[\x20-\x7e]+$/.test(name) && !/[\\:*?"<>|]/.test(name);
  if (!isPlain || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw unusable(`${JSON.stringify(name.slice(0, 80))} is not a name that may be unpacked`);
  }
}

async function readAt(
  file: FileHandle,
  { offset, size }: FilePart,
  position: number,
  length: number,
): Promise<Buffer> {
  if (position < 0 || position + length > size) throw damaged("its end is missing");
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + position + filled);
    if (bytesRead === 0) throw damaged("its end is missing");
    filled += bytesRead;
  }
  return bytes;
}

const unusable = (why: string) =>
  new PackageError("unsupported-package", `the zip archive cannot be used: ${why}`);
const damaged = (why: string, options?: ErrorOptions) =>
  new PackageError("integrity", `the zip archive is damaged: ${why}`, options);
