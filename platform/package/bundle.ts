/**
 * A bundle: a signed package in one file, as a push or a plain URI brings it. It is a tar archive of `manifest.json`,
 * `manifest.sig` (64 bytes, Ed25519 over the former) and the files that the manifest lists, in its order. Nothing is unpacked:
 * a reader learns where each file lies and streams it from there, in constant memory.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { PackageError } from "../../agent/ports.js";
import {
  type Manifest,
  type ManifestFile,
  maximumManifestSize,
  parseManifest,
  type SignedManifest,
  signatureSize,
} from "./manifest.js";
import { beginsWithMember, decodeTarHeader, paddingAfter, tarBlock } from "./tar.js";

export const manifestName = "manifest.json";
export const signatureName = "manifest.sig";

/** Where one file of a bundle lies. */
export interface BundleMember extends ManifestFile {
  /** Bytes from the start of the bundle. */
  readonly offset: number;
}

export interface Bundle {
  /** Of the whole file. */
  readonly path: string;
  readonly signed: SignedManifest;
  readonly manifest: Manifest;
  /** In the order of the manifest. */
  readonly members: readonly BundleMember[];
}

export interface ReadBundleOptions {
  /** Sees manifest and signature before anything else is looked at, and throws when it does not trust them. */
  readonly accept?: (signed: SignedManifest) => void;
}

/** Does the file begin as a bundle does? */
export async function isBundle(path: string): Promise<boolean> {
  return reading(path, async (file) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tarBlock), 0, tarBlock, 0);
    return beginsWithMember(buffer.subarray(0, bytesRead), manifestName);
  });
}

/**
 * Finds the files of a bundle. Reads headers only, and checks neither signature nor digests: whoever gets a package from the
 * Firmware Update Object has a PackageVerifier before it, and `openMember` checks the digest of what it streams.
 * @throws PackageError `unsupported-package` when it is not built as a bundle, `integrity` when its files are not those of its
 *   manifest or its end is missing
 */
export async function readBundle(path: string, options: ReadBundleOptions = {}): Promise<Bundle> {
  return reading(path, async (file) => {
    const { size } = await file.stat();
    const contents = await readContents({ size, read: (at, length) => readAt(file, at, length) }, options);
    return { path, ...contents };
  });
}

/** What a bundle is read from. */
export interface BundleSource {
  /** Bytes. */
  readonly size: number;
  /** @throws PackageError `integrity` when there are fewer */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** The same of what need not be a file. */
export async function readContents(
  source: BundleSource,
  { accept }: ReadBundleOptions = {},
): Promise<Omit<Bundle, "path">> {
  const reader = new TarReader(source);
  const bytes = await reader.content(manifestName, maximumManifestSize);
  const signature = await reader.content(signatureName, signatureSize);
  if (signature.length !== signatureSize) {
    throw unusable(`${signatureName} has ${signature.length} bytes, and a signature has ${signatureSize}`);
  }
  const manifest = parseManifest(bytes);
  const signed = { manifest, bytes, signature };
  accept?.(signed);
  const members: BundleMember[] = [];
  for (const expected of manifest.files) {
    const { name, size, offset } = await reader.next(expected.name);
    if (size !== expected.size) {
      throw damaged(`${name} has ${size} bytes, and its manifest says ${expected.size}`);
    }
    members.push({ ...expected, offset });
  }
  await reader.end();
  return { signed, manifest, members };
}

/**
 * Streams one file of a bundle.
 * @throws PackageError `integrity` after the last piece, when what was streamed is not what the manifest says: whoever writes
 *   it somewhere must not use it before the end has come; RangeError when the bundle has no such file
 */
export async function* openMember(
  { path, members }: Bundle,
  name: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Buffer, void, void> {
  const member = members.find((candidate) => candidate.name === name);
  if (member === undefined) throw new RangeError(`${path} has no file ${name}`);
  const { offset, size, sha256 } = member;
  const hash = createHash("sha256");
  const stream = createReadStream(path, {
    start: offset,
    end: offset + size - 1,
    highWaterMark: 256 * 1024,
    signal,
  });
  for await (const piece of stream) {
    hash.update(piece);
    yield piece;
  }
  if (hash.digest("hex") !== sha256)
    throw damaged(`${name} does not have the SHA-256 that its manifest says`);
}

/**
 * Reads every file of a bundle and compares its digest.
 * @throws PackageError `integrity`; the abort reason when `signal` fires
 */
export async function checkMembers(
  { path, members }: Bundle,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  await reading(path, async (file) => {
    for (const member of members) {
      if ((await sha256Of(file, member, signal)) !== member.sha256) throw wrongDigest(member.name);
    }
  });
}

const hashBlock = 256 * 1024;

/** One block is hashed while the other is read; a stream would leave each of them to the garbage collection. */
async function sha256Of(
  file: FileHandle,
  { offset, size }: BundleMember,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash("sha256");
  let [block, spare] = [Buffer.allocUnsafe(hashBlock), Buffer.allocUnsafe(hashBlock)];
  const read = (into: Buffer, at: number) => fill(file, into.subarray(0, size - at), offset + at);
  let reading = read(block, 0);
  for (let done = 0; done < size; ) {
    signal?.throwIfAborted();
    const bytes = await reading;
    done += bytes.length;
    if (done < size) reading = read(spare, done);
    reading.catch(() => {}); // awaited by the next turn, unless this one ends early
    hash.update(bytes);
    [block, spare] = [spare, block];
  }
  return hash.digest("hex");
}

/** GNU tar fills an archive up to 20 blocks; more zeros than that at an end are not of its making. */
const maximumEnd = 22 * tarBlock;

/** Walks from header to header. */
class TarReader {
  readonly #source: BundleSource;
  #position = 0;

  constructor(source: BundleSource) {
    this.#source = source;
  }

  /** Goes over the next member, which must have this name. */
  async next(name: string): Promise<{ name: string; size: number; offset: number }> {
    const header = decodeTarHeader(await this.#read(tarBlock));
    if (header === undefined) throw unusable(`it ends where ${name} should be`);
    if (header.name !== name) {
      throw unusable(`${JSON.stringify(header.name.slice(0, 40))} is where ${name} should be`);
    }
    const offset = this.#position;
    const padding = paddingAfter(header.size);
    if (header.size > this.#source.size - offset - padding)
      throw damaged(`its end is missing, from ${name} on`);
    this.#position += header.size;
    if (isUsed(await this.#read(padding))) throw unusable(`there is something hidden behind ${name}`);
    return { ...header, offset };
  }

  /** The content of the next member, which must have this name and at most this size. */
  async content(name: string, maximum: number): Promise<Uint8Array> {
    const { size, offset } = await this.next(name);
    if (size > maximum) throw unusable(`${name} has ${size} bytes, and ${maximum} are the most`);
    return this.#source.read(offset, size);
  }

  /** Two blocks of zeros at least, and nothing after them. */
  async end(): Promise<void> {
    const length = this.#source.size - this.#position;
    if (length < 2 * tarBlock) throw damaged("its end is missing");
    if (length > maximumEnd || isUsed(await this.#read(length))) {
      throw unusable("there is something behind the files that its manifest lists");
    }
  }

  async #read(length: number): Promise<Uint8Array> {
    const bytes = await this.#source.read(this.#position, length);
    this.#position += length;
    return bytes;
  }
}

const readAt = (file: FileHandle, position: number, length: number): Promise<Uint8Array> =>
  fill(file, new Uint8Array(length), position);

/** @throws PackageError `integrity` when the file ends before the bytes are full */
async function fill<T extends Uint8Array>(file: FileHandle, bytes: T, position: number): Promise<T> {
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) throw damaged("its end is missing");
    filled += bytesRead;
  }
  return bytes;
}

async function reading<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

const isUsed = (bytes: Uint8Array) => bytes.some((byte) => byte !== 0);

const unusable = (why: string) =>
  new PackageError("unsupported-package", `the bundle cannot be used: ${why}`);
const wrongDigest = (name: string) => damaged(`${name} does not have the SHA-256 that its manifest says`);
const damaged = (why: string) => new PackageError("integrity", `the bundle is damaged: ${why}`);
