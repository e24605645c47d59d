/**
 * The header of a member of a tar archive: POSIX ustar, regular files in one folder, nothing else. Archives of programs
 * that keep longer names, links, owners or holes in other ways (GNU, pax) are not read.
 * @see POSIX.1-2017, pax, "ustar Interchange Format"
 */
import { PackageError } from "../../agent/ports.js";
import { maximumFileSize } from "./manifest.js";

/** Bytes: headers have this size, contents are padded to it. */
export const tarBlock = 512;

export interface TarMember {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** Bytes between the end of a content and the next header. */
export const paddingAfter = (size: number): number => (tarBlock - (size % tarBlock)) % tarBlock;

/** Offset and length of what matters here; owners and times are of no interest. */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  userId: [108, 8],
  groupId: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

const regularFile = "0";
const ustar = "ustar\u000000";

export function encodeTarHeader({ name, size }: TarMember): Uint8Array {
  const block = new Uint8Array(tarBlock);
  const set = ([offset]: readonly [number, number], text: string) =>
    void new TextEncoder().encodeInto(text, block.subarray(offset));
  if (name.length > fields.name[1] || size > maximumFileSize)
    throw new RangeError(`${name} fits no tar header`);
  set(fields.name, name);
  set(fields.mode, "0000644\0");
  set(fields.userId, "0000000\0");
  set(fields.groupId, "0000000\0");
  set(fields.size, `${size.toString(8).padStart(11, "0")}\0`);
  set(fields.modified, "00000000000\0"); // the same package is the same file, whenever it is made
  set(fields.type, regularFile);
  set(fields.magic, ustar);
  set(fields.checksum, `${checksumOf(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

/**
 * @returns undefined for the block of zeros that ends an archive
 * @throws PackageError `unsupported-package` for what is not the header of a regular file with a short name
 */
export function decodeTarHeader(block: Uint8Array): TarMember | undefined {
  if (block.length !== tarBlock) throw unusable(`a header has ${block.length} bytes`);
  if (block.every((byte) => byte === 0)) return undefined;
  if (textAt(block, fields.magic) !== ustar) {
    throw unusable("it is not in the ustar format, which `tar --format=ustar` writes");
  }
  if (numberAt(block, fields.checksum) !== checksumOf(block))
    throw unusable("the checksum of a header is wrong");
  const name = stringAt(block, fields.name);
  if (textAt(block, fields.type) !== regularFile) throw unusable(`${quoted(name)} is not a regular file`);
  if (stringAt(block, fields.linkName) !== "") throw unusable(`${quoted(name)} is a link`);
  if (stringAt(block, fields.prefix) !== "") throw unusable(`${quoted(name)} lies in a folder`);
  return { name, size: numberAt(block, fields.size) };
}

/** Does a file begin as an archive whose first member has this name? Throws for nothing. */
export function beginsWithMember(head: Uint8Array, name: string): boolean {
  if (head.length < tarBlock) return false;
  const isTar = textAt(head, fields.magic).startsWith("ustar");
  return isTar && textAt(head, fields.name).startsWith(`${name}\0`);
}

/** Of all bytes, where its own field counts as blanks. */
function checksumOf(block: Uint8Array): number {
  const [start, length] = fields.checksum;
  return block.reduce(
    (sum, byte, index) => sum + (index >= start && index < start + length ? 0x20 : byte),
    0,
  );
}

/** A byte is a character here: what is not ASCII is refused as a name. */
const textAt = (block: Uint8Array, [offset, length]: readonly [number, number]): string =>
  String.fromCharCode(...block.subarray(offset, offset + length));

/** Up to the first NUL. What comes after it must be NUL, too: nothing is hidden there. */
function stringAt(block: Uint8Array, field: readonly [number, number]): string {
  const [text = "", ...rest] = textAt(block, field).split("\0");
  if (rest.some((part) => part !== "")) throw unusable("a header holds more than its text");
  return text;
}

function numberAt(block: Uint8Array, field: readonly [number, number]): number {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(textAt(block, field))?.[1];
  if (digits === undefined) throw unusable("a header has a number that is not octal");
  return Number.parseInt(digits, 8);
}

const quoted = (text: string) => JSON.stringify(text.slice(0, 40));

const unusable = (why: string) =>
  new PackageError("unsupported-package", `the bundle cannot be used: ${why}`);
