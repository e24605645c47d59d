/** What a file is, for a person who wants to know: a bundle, a signature, keys, or something else. */
import { open, readFile, stat } from "node:fs/promises";
import { ConfigError } from "../../agent/model/errors.js";
import { PackageError } from "../../agent/ports.js";
import { sha256OfFile } from "../files/sha256.js";
import { describeError, errorCode } from "../system-error.js";
import { checkMembers, isBundle, readBundle } from "./bundle.js";
import { maximumKeyFile, type PublicKey, parsePublicKeys } from "./keys.js";
import type { Manifest } from "./manifest.js";
import { isSignatureFile, maximumSignatureFile, parseSignatureFile } from "./signature.js";

export type Inspection =
  /** `fault`: why its contents are not those of the manifest. Whose signature it has is not looked at. */
  | { readonly kind: "bundle"; readonly manifest: Manifest; readonly fault: string | undefined }
  | { readonly kind: "signature"; readonly manifest: Manifest }
  | { readonly kind: "public keys"; readonly keys: readonly PublicKey[] }
  | { readonly kind: "private key" }
  /** A file beside which a signature may lie. */
  | {
      readonly kind: "file";
      readonly size: number;
      readonly sha256: string;
      readonly signature: Manifest | undefined;
      readonly fault: string | undefined;
    };

/**
 * @throws ConfigError when there is no such file, PackageError when it is a bundle or signature that cannot be used
 */
export async function inspectFile(path: string): Promise<Inspection> {
  try {
    const { size } = await stat(path);
    if (await isBundle(path)) return await inspectBundle(path);
    const head = await headOf(path);
    if (isSignatureFile(head)) {
      return { kind: "signature", manifest: await readSignatureManifest(path) };
    }
    if (/^(-----BEGIN PUBLIC KEY-----|ed25519 |# lwm2m-agent)/m.test(head.toString("latin1"))) {
      return { kind: "public keys", keys: parsePublicKeys(await readBounded(path, maximumKeyFile), path) };
    }
    if (head.includes("PRIVATE KEY-----")) return { kind: "private key" };
    return await inspectPlain(path, size);
  } catch (cause) {
    if (errorCode(cause) === undefined) throw cause;
    throw new ConfigError(`${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/**
 * The manifest of a package, in it or in the file beside it.
 * @throws PackageError when there is none that can be used
 */
export const readManifest = async (path: string, signaturePath: string): Promise<Manifest> =>
  (await isBundle(path)) ? (await readBundle(path)).manifest : readSignatureManifest(signaturePath);

async function inspectBundle(path: string): Promise<Inspection> {
  const bundle = await readBundle(path);
  const fault = await faultOf(() => checkMembers(bundle));
  return { kind: "bundle", manifest: bundle.manifest, fault };
}

async function inspectPlain(path: string, size: number): Promise<Inspection> {
  const sha256 = await sha256OfFile(path);
  const beside = `${path}.sig`;
  const isThere = (await stat(beside).catch(() => undefined))?.isFile() ?? false;
  const signature = isThere ? await readSignatureManifest(beside) : undefined;
  const [file] = signature?.files ?? [];
  const fault =
    file === undefined || (file.sha256 === sha256 && file.size === size)
      ? undefined
      : `${beside} belongs to another file: size or SHA-256 differ`;
  return { kind: "file", size, sha256, signature, fault };
}

const readSignatureManifest = async (path: string): Promise<Manifest> =>
  parseSignatureFile(Buffer.from(await readBounded(path, maximumSignatureFile), "latin1")).manifest;

async function faultOf(act: () => Promise<void>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (error instanceof PackageError) return error.message;
    throw error;
  }
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A byte is a character. */
async function readBounded(path: string, maximum: number): Promise<string> {
  const { size } = await stat(path);
  if (size > maximum) throw new ConfigError(`${path} has ${size} bytes, and ${maximum} are the most`);
  return readFile(path, "latin1");
}
