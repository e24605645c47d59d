import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { ImageFile } from "../../../../agent/ports.js";
import { writeBundle } from "../../../../platform/package/bundle-writer.js";
import { formatManifest } from "../../../../platform/package/manifest.js";

export const bootSize = 256 * 1024;
export const rootSize = 512 * 1024;
const clusterSize = 512;

/** A FAT12 with files of one cluster each, as small as the specification lets it be. */
export function fatImage(files: Readonly<Record<string, string>>): Buffer {
  const image = Buffer.alloc(bootSize);
  const sectors = bootSize / 512;
  image.writeUInt16LE(512, 11);
  image[13] = clusterSize / 512;
  image.writeUInt16LE(1, 14); // reserved
  image[16] = 2; // tables
  image.writeUInt16LE(16, 17); // entries in the root folder: one sector
  image.writeUInt16LE(sectors, 19);
  image[21] = 0xf8;
  image.writeUInt16LE(2, 22); // sectors of a table
  image.write("FAT12   ", 54, "latin1");
  image.writeUInt16BE(0x55aa, 510);
  const folder = 512 * 5;
  const data = folder + 512;
  image.write("BOOT       ", folder, "latin1");
  image[folder + 11] = 0x08; // the label of the volume
  for (const [index, [name, content]] of Object.entries(files).entries()) {
    const at = folder + 32 * (index + 1);
    const [stem = "", extension = ""] = name.toUpperCase().split(".");
    image.write(stem.padEnd(8) + extension.padEnd(3), at, "latin1");
    image.writeUInt16LE(index + 2, at + 26);
    image.writeUInt32LE(content.length, at + 28);
    image.write(content, data + index * clusterSize, "latin1");
    for (const table of [512, 512 * 3]) endChain(image, table, index + 2);
  }
  return image;
}

function endChain(image: Buffer, table: number, cluster: number): void {
  const at = table + Math.floor((cluster * 3) / 2);
  const value = image.readUInt16LE(at);
  image.writeUInt16LE(cluster % 2 === 0 ? value | 0xfff : value | 0xfff0, at);
}

export const bootImage = (
  version: string,
  commandLine = "console=tty1 root=PARTUUID=00000000-05 ro panic=10\n",
) => fatImage({ "config.txt": "arm_64bit=1\n", "cmdline.txt": commandLine, "version.txt": version });

/** What the firmware double takes for a system that can run: a version, and an end. */
export const rootImage = (version: string, size = rootSize - 4096) =>
  Buffer.from(`${version}\n`.padEnd(size - 4, `${version} `).concat("END\n"));

export interface BundleContent {
  readonly version: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

export const systemFiles = (version: string): Record<string, Buffer> => ({
  "boot.img": bootImage(version),
  "root.img": rootImage(version),
});

export const compressed = (files: Readonly<Record<string, Buffer>>): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [`${name}.gz`, gzipSync(content)]));

export async function bundleFile(
  directory: string,
  version: string,
  files: Readonly<Record<string, Buffer>> = systemFiles(version),
  name = "package.bundle",
): Promise<ImageFile> {
  const paths = Object.entries(files).map(([file, content]) => {
    writeFileSync(join(directory, file), content);
    return join(directory, file);
  });
  const manifest = {
    name: "pi-image",
    version,
    compatible: ["raspberry-pi"],
    files: Object.entries(files).map(([file, content]) => ({
      name: file,
      size: content.length,
      sha256: createHash("sha256").update(content).digest("hex"),
    })),
    keyId: "0123456789abcdef",
  };
  const path = join(directory, name);
  // Who signed it is asked before a board sees it.
  await writeBundle(
    path,
    { manifest, bytes: formatManifest(manifest), signature: new Uint8Array(64) },
    paths,
  );
  const bytes = readFileSync(path);
  return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
