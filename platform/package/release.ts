/** What a team does on its own machines: makes keys, signs packages, looks into them. Nothing here runs on a device. */
import { open, rename, rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import { ConfigError } from "../../agent/model/errors.js";
import type { PackageInfo } from "../../agent/ports.js";
import { draftOf } from "../files/durable.js";
import { sha256OfFile } from "../files/sha256.js";
import { describeError, errorCode } from "../system-error.js";
import { writeBundle } from "./bundle-writer.js";
import { formatPrivateKey, formatPublicKey, generateKeys, keyIdOf, type PublicKey } from "./keys.js";
import { isFileName, type ManifestFile, maximumFileSize, type SignedManifest } from "./manifest.js";
import { formatSignatureFile, signManifest } from "./signature.js";

/**
 * Makes `NAME.key` for the owner alone, and `NAME.pub`. Files that are there stay as they are: a key that is lost cannot be
 * made again.
 * @throws ConfigError when one of them is there, or cannot be written
 */
export async function createKeyFiles(name: string, passphrase: string | undefined): Promise<PublicKey> {
  const { privateKey, publicKey } = generateKeys();
  const [secret, open_] = [`${name}.key`, `${name}.pub`];
  await createFile(secret, formatPrivateKey(privateKey, passphrase), 0o600);
  try {
    await createFile(open_, formatPublicKey(publicKey), 0o644);
  } catch (error) {
    await rm(secret); // made just now, and of no use without the other
    throw error;
  }
  return { id: keyIdOf(publicKey), key: publicKey, source: open_ };
}

async function createFile(path: string, content: string, mode: number): Promise<void> {
  try {
    const file = await open(path, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw errorCode(cause) === "EEXIST"
      ? new ConfigError(`${path} is there already, and a key is never replaced: choose another name`, {
          cause,
        })
      : new ConfigError(`${path} cannot be written: ${describeError(cause)}`, { cause });
  }
}

export interface Release extends PackageInfo {
  readonly compatible: readonly string[];
  /** The files of the package, in their order. */
  readonly paths: readonly string[];
  readonly privateKey: PublicKey["key"];
}

/**
 * Writes the signature of the one file of a release.
 * @throws ConfigError when the file cannot be signed, or the output not be written
 */
export async function writeSignatureFile(release: Release, output: string): Promise<SignedManifest> {
  const signed = await sign(release);
  await replacing(output, async (draft) => {
    const file = await open(draft, "w", 0o644);
    try {
      await file.writeFile(formatSignatureFile(signed));
      await file.sync();
    } finally {
      await file.close();
    }
  });
  return signed;
}

/** @throws ConfigError when a file cannot be signed, or the output not be written */
export async function writeReleaseBundle(release: Release, output: string): Promise<SignedManifest> {
  const signed = await sign(release);
  await replacing(output, (draft) => writeBundle(draft, signed, release.paths));
  return signed;
}

async function sign({ name, version, compatible, paths, privateKey }: Release): Promise<SignedManifest> {
  const files: ManifestFile[] = [];
  for (const path of paths) files.push(await describeFile(path));
  try {
    return signManifest({ name, version, compatible, files }, privateKey);
  } catch (cause) {
    throw new ConfigError((cause as Error).message, { cause });
  }
}

/** @throws ConfigError when a package cannot have such a file */
export async function describeFile(path: string): Promise<ManifestFile> {
  const name = basename(path);
  if (!isFileName(name)) {
    throw new ConfigError(
      `${path}: the name of a file in a package has up to 99 letters, digits and ". _ + -", and begins with a letter or digit`,
    );
  }
  try {
    const about = await stat(path);
    if (!about.isFile()) throw new ConfigError(`${path} is not a file`);
    if (about.size === 0) throw new ConfigError(`${path} is empty`);
    if (about.size > maximumFileSize)
      throw new ConfigError(`${path} is larger than ${maximumFileSize} bytes`);
    return { name, size: about.size, sha256: await sha256OfFile(path) };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** The old file stays until the new one is whole. */
async function replacing(output: string, write: (draft: string) => Promise<void>): Promise<void> {
  const draft = draftOf(output);
  try {
    await write(draft);
    await rename(draft, output);
  } catch (cause) {
    await rm(draft, { force: true });
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${output} cannot be written: ${describeError(cause)}`, { cause });
  }
}
