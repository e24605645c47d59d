/**
 * `ota_update.scr`, the script that the boot loader of an Edison runs: what it will look for, and what it will find wrong. It is
 * read so that a package which it would refuse is refused by us, while a Server still listens.
 */
import { crc32 } from "node:zlib";
import { PackageError } from "../../../agent/ports.js";

export interface OtaScript {
  /** Names of the files that it loads, each as an expression: variables of the boot loader stand for any letters. */
  readonly images: readonly { readonly name: string; readonly matches: RegExp }[];
  /** Lower-case hexadecimal SHA-1 of the files; empty when the script compares none. */
  readonly digests: ReadonlySet<string>;
}

export const scriptName = "ota_update.scr";
/** Bytes; those in the field have 15 KiB. */
export const maximumScriptSize = 1024 * 1024;

/** Of `mkimage -T script`: U-Boot's legacy image header, include/image.h. */
const headerSize = 64;
const magic = 0x27051956;
const scriptType = 6;

/** @throws PackageError `integrity` when its checksums are wrong, `unsupported-package` when it is no script of U-Boot */
export function parseOtaScript(bytes: Buffer): OtaScript {
  if (bytes.length < headerSize + 8 || bytes.readUInt32BE(0) !== magic || bytes[30] !== scriptType) {
    throw new PackageError(
      "unsupported-package",
      `${scriptName} is not a script of U-Boot (mkimage -T script)`,
    );
  }
  const header = Buffer.from(bytes.subarray(0, headerSize));
  header.writeUInt32BE(0, 4); // its own checksum
  const content = bytes.subarray(headerSize, headerSize + bytes.readUInt32BE(12));
  const isWhole =
    crc32(header) === bytes.readUInt32BE(4) &&
    content.length === bytes.readUInt32BE(12) &&
    crc32(content) === bytes.readUInt32BE(24);
  if (!isWhole) throw new PackageError("integrity", `a checksum in ${scriptName} is wrong`);
  // A list of lengths that a zero ends comes first: one script is the usual case, and the only one that is run.
  return parseText(content.toString("latin1", 8, 8 + content.readUInt32BE(0)));
}

function parseText(text: string): OtaScript {
  const code = text.replace(/^\s*#.*$/gm, "");
  const named = [
    ...code.matchAll(/\bsetenv\s+ota_image_name\s+["']?([\w.${}-]+)/g),
    ...code.matchAll(/\bfatload\s+mmc\s+\S+\s+\S+\s+["']?([A-Za-z0-9_.-]+)/g),
  ].map(([, name = ""]) => name);
  return {
    images: [...new Set(named)].map((name) => ({ name, matches: patternOf(name) })),
    digests: new Set(code.toLowerCase().match(/\b[0-9a-f]{40}\b/g)),
  };
}

/** `edison_ifwi-dbg-${hardware_id}-dfu.bin`: which one it is, only the boot loader knows. */
const patternOf = (name: string) =>
  new RegExp(
    `^${name
      .split(/\$\{\w+\}|\$\w+/)
      .map((part) => part.replace(/[^\w-]/g, "\\$&"))
      .join("\\w+")}$`,
  );
