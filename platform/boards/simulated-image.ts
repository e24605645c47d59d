/**
 * Packages of the simulated board: a line that says what it is, a line of JSON that says what is in it, and the payload.
 *
 * ```text
 * LWM2M-AGENT SIMULATED IMAGE 1
 * {"name":"demo","version":"2.1","compatible":"simulated-board","size":3999846,"sha256":"9f86…"}
 * <payload: `size` bytes with that digest>
 * ```
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { type ImageFile, PackageError, type PackageInfo } from "../../agent/ports.js";
import { sha256OfFile } from "../files/sha256.js";

const magic = "LWM2M-AGENT SIMULATED IMAGE 1\n";
const compatible = "simulated-board";
/** The two lines are shorter than that, or it is no package of ours. */
const maximumHeader = 1024;

export interface SimulatedImageOptions {
  readonly name: string;
  readonly version: string;
  /** Of the whole package in bytes. */
  readonly size: number;
  /** Another seed, another payload. */
  readonly seed: number;
}

/** Makes a package; the payload is noise that does not compress. */
export function createSimulatedImage({ name, version, size, seed }: SimulatedImageOptions): Uint8Array {
  const headerFor = (payloadSize: number, sha256: string) =>
    new TextEncoder().encode(
      `${magic}${JSON.stringify({ name, version, compatible, size: payloadSize, sha256 })}\n`,
    );
  // The header's own length depends on the number of digits that it holds: the digest has a fixed length.
  const overhead = headerFor(size, "0".repeat(64)).length;
  const payload = noise(Math.max(0, size - overhead), seed);
  const header = headerFor(payload.length, createHash("sha256").update(payload).digest("hex"));
  return Buffer.concat([header, payload]);
}

/** xorshift32: quick, and the same everywhere. */
function noise(size: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/**
 * Checks a package to its last byte.
 * @throws PackageError `unsupported-package` when it is none of ours, `integrity` when it is damaged
 */
export async function inspectSimulatedImage(image: ImageFile, signal: AbortSignal): Promise<PackageInfo> {
  const { metadata, payloadStart } = await readHeader(image.path);
  if (metadata.compatible !== compatible) {
    throw new PackageError(
      "unsupported-package",
      `the package is for "${metadata.compatible}", not for this board`,
    );
  }
  if (image.size - payloadStart !== metadata.size) {
    throw new PackageError(
      "integrity",
      `the payload has ${image.size - payloadStart} bytes, its header says ${metadata.size}`,
    );
  }
  if ((await sha256OfFile(image.path, { start: payloadStart, signal })) !== metadata.sha256) {
    throw new PackageError("integrity", "the payload does not have the SHA-256 that its header says");
  }
  return { name: metadata.name, version: metadata.version };
}

interface Metadata extends PackageInfo {
  readonly compatible: string;
  readonly size: number;
  readonly sha256: string;
}

async function readHeader(path: string): Promise<{ metadata: Metadata; payloadStart: number }> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maximumHeader), 0, maximumHeader, 0);
    const head = buffer.subarray(0, bytesRead);
    const end = head.indexOf("\n", magic.length);
    if (!head.toString("latin1").startsWith(magic) || end < 0) {
      throw new PackageError("unsupported-package", "the file is no package of the simulated board");
    }
    return { metadata: parseMetadata(head.toString("utf8", magic.length, end)), payloadStart: end + 1 };
  } finally {
    await file.close();
  }
}

function parseMetadata(line: string): Metadata {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new PackageError("unsupported-package", "the header of the package is not JSON", { cause });
  }
  if (!isMetadata(json)) {
    throw new PackageError(
      "unsupported-package",
      "the header of the package lacks a name, a version or a digest",
    );
  }
  return json;
}

function isMetadata(json: unknown): json is Metadata {
  if (typeof json !== "object" || json === null) return false;
  const { name, version, compatible, size, sha256 } = json as Record<string, unknown>;
  return (
    [name, version, compatible].every((text) => typeof text === "string" && text.length <= 255) &&
    Number.isSafeInteger(size) &&
    typeof sha256 === "string"
  );
}
