/** Makes bundles, on the machine of whoever releases a package. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { ConfigError } from "../../agent/model/errors.js";
import { manifestName, signatureName } from "./bundle.js";
import type { ManifestFile, SignedManifest } from "./manifest.js";
import { encodeTarHeader, paddingAfter, tarBlock } from "./tar.js";

/**
 * Writes a bundle of the files that the manifest lists.
 * @param paths where these files are, in the order of the manifest
 * @throws ConfigError when a file is not any more what the manifest says; then the output is not whole
 */
export async function writeBundle(
  output: string,
  { manifest, bytes, signature }: SignedManifest,
  paths: readonly string[],
): Promise<void> {
  const file = await open(output, "w", 0o644);
  try {
    await writeMember(file, manifestName, bytes);
    await writeMember(file, signatureName, signature);
    for (const [index, expected] of manifest.files.entries()) {
      await copyMember(file, expected, paths[index] ?? "");
    }
    await writeAll(file, new Uint8Array(2 * tarBlock));
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeMember(file: FileHandle, name: string, content: Uint8Array): Promise<void> {
  await writeAll(file, encodeTarHeader({ name, size: content.length }));
  await writeAll(file, content);
  await writeAll(file, new Uint8Array(paddingAfter(content.length)));
}

async function copyMember(file: FileHandle, expected: ManifestFile, path: string): Promise<void> {
  const { name, size, sha256 } = expected;
  await writeAll(file, encodeTarHeader({ name, size }));
  const hash = createHash("sha256");
  let copied = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    hash.update(piece);
    await writeAll(file, piece);
    copied += piece.length;
  }
  if (copied !== size || hash.digest("hex") !== sha256) {
    throw new ConfigError(`${path} changed while it was signed: sign it again`);
  }
  await writeAll(file, new Uint8Array(paddingAfter(size)));
}

/** At the position of the handle. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  if (bytes.length > 0) await file.writeFile(bytes);
}
