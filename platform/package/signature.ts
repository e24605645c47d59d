/**
 * Signatures over manifests, and the file that carries one beside its package: a line that says what it is, the signature in
 * Base64 as the second line, and from the third on the exact bytes of the manifest. So `sed -n 2p`, `tail -n +3` and
 * `openssl pkeyutl -verify -rawin` check it, too.
 */
import { type KeyObject, sign, verify } from "node:crypto";
import { PackageError } from "../../agent/ports.js";
import { keyIdOf, type PublicKey } from "./keys.js";
import {
  formatManifest,
  type Manifest,
  maximumManifestSize,
  parseManifest,
  type SignedManifest,
  signatureSize,
} from "./manifest.js";

const firstLine = "lwm2m-agent signature 1\n";
/** Characters of 64 bytes in Base64. */
const base64Size = 88;
const headSize = firstLine.length + base64Size + 1;

/** Bytes of a signature file. */
export const maximumSignatureFile = headSize + maximumManifestSize;

export function signManifest(description: Omit<Manifest, "keyId">, key: KeyObject): SignedManifest {
  const manifest = { ...description, keyId: keyIdOf(key) };
  const bytes = formatManifest(manifest);
  parseManifest(bytes); // what we would refuse is not signed
  return { manifest, bytes, signature: sign(null, bytes, key) };
}

/**
 * Was the manifest signed by one of these keys?
 * @param subject what it belongs to, for the sentence of the error
 * @throws PackageError `integrity`
 */
export function checkSignature(
  { manifest, bytes, signature }: SignedManifest,
  keys: readonly PublicKey[],
  subject: string,
): PublicKey {
  const { keyId } = manifest;
  const candidates = keys.filter(({ id }) => id === keyId);
  if (candidates.length === 0) {
    throw new PackageError(
      "integrity",
      `${subject} is signed by the key ${keyId}, which is not trusted here`,
    );
  }
  const signer = candidates.find(({ key }) => verify(null, bytes, key, signature));
  if (signer === undefined) {
    throw new PackageError("integrity", `${subject} has a signature that the key ${keyId} did not make`);
  }
  return signer;
}

export const formatSignatureFile = ({ bytes, signature }: SignedManifest): Uint8Array =>
  Buffer.concat([Buffer.from(`${firstLine}${Buffer.from(signature).toString("base64")}\n`), bytes]);

/** Does a file begin as one? */
export const isSignatureFile = (head: Uint8Array): boolean =>
  Buffer.from(head.subarray(0, firstLine.length)).toString("latin1") === firstLine;

/** @throws PackageError `integrity` when it is no signature file, `unsupported-package` when its manifest cannot be used */
export function parseSignatureFile(file: Uint8Array): SignedManifest {
  if (!isSignatureFile(file)) throw noSignature("it does not begin as one");
  const head = Buffer.from(file.subarray(0, headSize)).toString("latin1");
  const base64 = head.slice(firstLine.length, -1);
  const signature = Buffer.from(base64, "base64");
  if (head.at(-1) !== "\n" || signature.length !== signatureSize || signature.toString("base64") !== base64) {
    throw noSignature(`its second line is not a signature in Base64, which has ${base64Size} characters`);
  }
  const bytes = file.subarray(headSize);
  return { manifest: parseManifest(bytes), bytes, signature };
}

const noSignature = (why: string) =>
  new PackageError("integrity", `what lies beside the package is not a signature file: ${why}`);
