/** Packages made for tests. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageFile } from "../../../agent/ports.js";
import { writeBundle } from "../../../platform/package/bundle-writer.js";
import { generateKeys } from "../../../platform/package/keys.js";
import type { Manifest, ManifestFile } from "../../../platform/package/manifest.js";
import { signManifest } from "../../../platform/package/signature.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

export const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** One pair for all tests: making keys takes time. */
export const testKeys = generateKeys();

export type Contents = Readonly<Record<string, Uint8Array>>;

export const filesOf = (contents: Contents): ManifestFile[] =>
  Object.entries(contents).map(([name, content]) => ({
    name,
    size: content.length,
    sha256: sha256(content),
  }));

export const description = (contents: Contents): Omit<Manifest, "keyId"> => ({
  name: "gateway",
  version: "1.4.0",
  compatible: ["acme-gateway-2"],
  files: filesOf(contents),
});

export interface TestBundleOptions {
  readonly key?: typeof testKeys.privateKey;
  readonly manifest?: Partial<Omit<Manifest, "keyId">>;
}

/** Writes a signed bundle of these files and answers its path. */
export async function createTestBundle(
  contents: Contents,
  { key = testKeys.privateKey, manifest = {} }: TestBundleOptions = {},
): Promise<string> {
  const directory = temporaryDirectory();
  const paths = Object.entries(contents).map(([name, content]) => {
    const path = join(directory, `source-of-${name}`);
    writeFileSync(path, content);
    return path;
  });
  const output = join(directory, "package.bundle");
  await writeBundle(output, signManifest({ ...description(contents), ...manifest }, key), paths);
  return output;
}

/** As the package storage describes a file. */
export function imageOf(path: string): ImageFile {
  const content = readFileSync(path);
  return { path, size: content.length, sha256: sha256(content) };
}
