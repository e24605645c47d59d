import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { ImageFile } from "../../../../agent/ports.js";
import { writeBundle } from "../../../../platform/package/bundle-writer.js";
import { formatManifest } from "../../../../platform/package/manifest.js";
import { type ZipContent, zipOf } from "./zip-writer.js";

const sha1 = (content: Uint8Array) => createHash("sha1").update(content).digest("hex");

/** As `mkimage -T script` makes it. */
export function scriptImage(text: string): Buffer {
  const body = Buffer.from(text);
  const content = Buffer.alloc(8 + body.length);
  content.writeUInt32BE(body.length, 0);
  body.copy(content, 8);
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x27051956, 0);
  header.writeUInt32BE(content.length, 12);
  header.writeUInt32BE(crc32(content), 24);
  header[30] = 6;
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, content]);
}

export const rootName = "edison-image-edison.ext4";
const ifwiName = (hardwareId: string) => `edison_ifwi-dbg-${hardwareId}-dfu.bin`;

/** What flashing uses, small: the root file system is its version and some filling. */
export function flashFiles(version: string): readonly ZipContent[] {
  const images = [
    { name: ifwiName("00"), content: Buffer.from(`ifwi 00 ${version}`) },
    { name: ifwiName("05"), content: Buffer.from(`ifwi 05 ${version}`) },
    { name: "u-boot-edison.bin", content: Buffer.from(`u-boot ${version}`) },
    { name: "edison-image-edison.hddimg", content: Buffer.from(`kernel ${version}`) },
    { name: rootName, content: Buffer.from(`${version}\n${"filling ".repeat(5_000)}`) },
  ];
  return [
    { name: "ota_update.scr", content: scriptImage(scriptFor(images)) },
    ...images,
    { name: "version", content: Buffer.from(`${version}@2015-01-01\n`) },
  ];
}

/** The lines of the factory script that matter here. */
function scriptFor(images: readonly ZipContent[]): string {
  const digest = (name: string) => sha1(images.find((image) => image.name === name)?.content ?? Buffer.of());
  return `echo === OTA update script ===
# setenv ota_image_name not-this-one
setenv ota_done 0
setenv ota_load_image 'fatload \${ota_drive} \${floadaddr} \${ota_image_name};ret=$?;'
setenv ota_image_name edison_ifwi-dbg-\${hardware_id}-dfu.bin ;
if itest.s \${hardware_id} == "00" ; then setenv sha1_sum_ref ${digest(ifwiName("00"))} ; fi;
if itest.s \${hardware_id} == "05" ; then setenv sha1_sum_ref ${digest(ifwiName("05"))} ; fi;
setenv ota_image_name u-boot-edison.bin
setenv sha1_sum_ref ${digest("u-boot-edison.bin")}
setenv ota_image_name edison-image-edison.hddimg
setenv sha1_sum_ref ${digest("edison-image-edison.hddimg")}
setenv ota_image_name ${rootName}
setenv sha1_sum_ref ${digest(rootName)}
`;
}

export const without = (files: readonly ZipContent[], name: string) =>
  files.filter((file) => file.name !== name);

export const withFile = (files: readonly ZipContent[], file: ZipContent) => [
  ...without(files, file.name),
  file,
];

export function imageFile(directory: string, name: string, bytes: Uint8Array): ImageFile {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

export const zipFile = (directory: string, files: readonly ZipContent[], name = "package.zip") =>
  imageFile(directory, name, zipOf(files));

/** The archive in a bundle; who signed it is asked before a board sees it. */
export async function bundleOf(directory: string, files: readonly ZipContent[]): Promise<ImageFile> {
  const { path, size, sha256 } = zipFile(directory, files, "inside.zip");
  const manifest = {
    name: "gateway",
    version: "2.0",
    compatible: ["edison"],
    files: [{ name: "edison.zip", size, sha256 }],
    keyId: "0123456789abcdef",
  };
  const bundle = join(directory, "package.bundle");
  await writeBundle(bundle, { manifest, bytes: formatManifest(manifest), signature: new Uint8Array(64) }, [
    path,
  ]);
  return imageFile(directory, "package.bundle", readFileSync(bundle));
}
