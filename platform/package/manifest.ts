/**
 * What a signature vouches for: which package this is, whom it is for, and the digest of each of its files. A manifest is
 * a piece of JSON, and its exact bytes are signed: nothing is written again before it is checked, so there is no canonical
 * form to get wrong.
 */
import { PackageError, type PackageInfo } from "../../agent/ports.js";

export interface ManifestFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface Manifest extends PackageInfo {
  /** Names of boards or models that may install it; at least one. */
  readonly compatible: readonly string[];
  /** At least one, in the order in which a bundle holds them. */
  readonly files: readonly ManifestFile[];
  /** Of the key that signed it. */
  readonly keyId: string;
}

/** A manifest with the signature over its exact bytes. */
export interface SignedManifest {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** Bytes of an Ed25519 signature. */
export const signatureSize = 64;

/** Says what the JSON is, and keeps a signature over it from meaning anything else. */
export const manifestFormat = "lwm2m-agent package 1";

/** Bytes. */
export const maximumManifestSize = 64 * 1024;

const maximumFiles = 64;
const maximumNames = 64;

/** Characters of a name or version. */
const maximumText = 128;

/** What 11 octal digits of a tar header can say. */
export const maximumFileSize = 8 ** 11 - 1;

export function formatManifest({ name, version, compatible, files, keyId }: Manifest): Uint8Array {
  const text = `${JSON.stringify({ format: manifestFormat, name, version, compatible, files, keyId }, null, 2)}\n`;
  return new TextEncoder().encode(text);
}

/**
 * Reads a manifest, which says nothing as long as its signature has not been checked.
 * @throws PackageError `unsupported-package` for anything but a manifest of this format
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > maximumManifestSize) {
    throw unusable(`it has ${bytes.length} bytes, and ${maximumManifestSize} are the most`);
  }
  const value = parseJson(bytes);
  if (!isRecord(value)) throw unusable("it is not a JSON object");
  if (value["format"] !== manifestFormat) {
    throw unusable(`its "format" is not ${JSON.stringify(manifestFormat)}: a newer agent may know it`);
  }
  const foreign = Object.keys(value).find((key) => !members.includes(key));
  if (foreign !== undefined) throw unusable(`it has a member that is not known: ${quoted(foreign)}`);
  const { name, version, compatible, files, keyId } = value;
  if (!isText(name)) throw unusable(`its "name" is not ${textRule}`);
  if (!isText(version)) throw unusable(`its "version" is not ${textRule}`);
  if (!Array.isArray(compatible) || compatible.length === 0 || compatible.length > maximumNames) {
    throw unusable(`its "compatible" does not list 1 to ${maximumNames} names`);
  }
  if (!compatible.every(isText)) throw unusable(`a name in its "compatible" is not ${textRule}`);
  if (!isKeyId(keyId)) throw unusable(`its "keyId" does not consist of ${keyIdLength} hexadecimal digits`);
  return { name, version, compatible, files: parseFiles(files), keyId };
}

const members = ["format", "name", "version", "compatible", "files", "keyId"];
const fileMembers = ["name", "size", "sha256"];

function parseFiles(files: unknown): ManifestFile[] {
  if (!Array.isArray(files) || files.length === 0 || files.length > maximumFiles) {
    throw unusable(`its "files" does not list 1 to ${maximumFiles} files`);
  }
  const names = new Set<string>();
  return files.map((file: unknown) => {
    if (!isRecord(file) || Object.keys(file).some((key) => !fileMembers.includes(key))) {
      throw unusable(`an entry of its "files" is not an object of "name", "size" and "sha256"`);
    }
    const { name, size, sha256 } = file;
    if (!isFileName(name)) throw unusable(`the name of a file is not ${fileNameRule}`);
    if (names.has(name)) throw unusable(`it lists ${name} twice`);
    names.add(name);
    if (!isFileSize(size))
      throw unusable(`the "size" of ${name} is not a number from 1 to ${maximumFileSize}`);
    if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw unusable(`the "sha256" of ${name} is not 64 lower-case hexadecimal digits`);
    }
    return { name, size, sha256 };
  });
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw unusable("it is not JSON", { cause });
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textRule = `a text of 1 to ${maximumText} visible characters, without blanks around it`;

/** Control characters would write into terminals and logs, invisible ones make two names look the same. */
export const isText = (value: unknown): value is string =>
  typeof value === "string" &&
  value.length > 0 &&
  value.length <= maximumText &&
  value.trim() === value &&
  !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);

const fileNameRule = `1 to 99 letters, digits and ". _ + -", beginning with a letter or digit, and without ".."`;

/** A name, never a path. Two are taken: by the manifest itself and its signature. */
export const isFileName = (value: unknown): value is string =>
  typeof value === "string" &&
  /^[A-Za-z0-9][A-Za-z0-9._+-]{0,98}$/.test(value) &&
  !value.includes("..") &&
  value !== "manifest.json" &&
  value !== "manifest.sig";

const isFileSize = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= maximumFileSize;

const keyIdLength = 16;

export const isKeyId = (value: unknown): value is string =>
  typeof value === "string" && /^[0-9a-f]{16}$/.test(value);

const quoted = (text: string) => JSON.stringify(text.slice(0, 40));

const unusable = (why: string, options?: ErrorOptions) =>
  new PackageError("unsupported-package", `the manifest of the package cannot be used: ${why}`, options);
