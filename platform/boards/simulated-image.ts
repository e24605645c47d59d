/**
 * The package format of the simulated board: a magic line, a line of JSON that describes the payload, the payload. It
 * stands for what real boards have: something to refuse, to verify and to name.
 */
import { createCipheriv, createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { type ImageFile, PackageError, type PackageInfo } from "../../agent/ports.js";
import { sha256OfFile } from "../files/sha256.js";
import { type Payload, payloadOf } from "../package/payload.js";

const magic = "lwm2m-agent simulated image 1\n";

/** The kind of board that images are made for unless they say otherwise. */
export const simulatedBoard = "simulated";

/** Longest head that is looked at, bytes: both lines. */
const maximumHead = 4096;

interface Metadata extends PackageInfo {
  /** The kind of board that can use it. */
  readonly compatible: string;
  /** Of the payload, bytes. */
  readonly size: number;
  /** Of the payload, lower-case hexadecimal. */
  readonly sha256: string;
}

export interface SimulatedImageOptions extends PackageInfo {
  /** Bytes of payload. */
  readonly size: number;
  /** The same seed gives the same payload, which looks random. */
  readonly seed: number;
  readonly compatible?: string;
}

export function createSimulatedImage(options: SimulatedImageOptions): Uint8Array {
  const { name, version, size, seed, compatible = simulatedBoard } = options;
  const key = createHash("sha256").update(`simulated image ${seed}`).digest().subarray(0, 16);
  const payload = createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
  const sha256 = createHash("sha256").update(payload).digest("hex");
  const metadata: Metadata = { name, version, compatible, size, sha256 };
  return Buffer.concat([Buffer.from(`${magic}${JSON.stringify(metadata)}\n`), payload]);
}

/**
 * Verifies an image as a whole; it may lie in a bundle.
 * @throws PackageError `unsupported-package` or `integrity`; the abort reason when `signal` fires
 */
export async function inspectSimulatedImage(
  image: ImageFile,
  { signal }: { readonly signal: AbortSignal },
): Promise<PackageInfo> {
  const payload = await payloadOf(image);
  const { metadata, payloadStart } = parseHead(await readHead(payload));
  if (metadata.compatible !== simulatedBoard) {
    throw unsupported(`it is made for "${metadata.compatible}", not for "${simulatedBoard}"`);
  }
  const size = payload.size - payloadStart;
  if (size !== metadata.size) {
    throw new PackageError("integrity", `the payload has ${size} bytes and should have ${metadata.size}`);
  }
  const place = { start: payload.offset + payloadStart, end: payload.offset + payload.size, signal };
  if ((await sha256OfFile(payload.path, place)) !== metadata.sha256) {
    throw new PackageError("integrity", "the payload does not have the SHA-256 that the image states");
  }
  return { name: metadata.name, version: metadata.version };
}

async function readHead({ path, offset, size }: Payload): Promise<Buffer> {
  const file = await open(path);
  try {
    const length = Math.min(maximumHead, size);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function parseHead(head: Buffer): { metadata: Metadata; payloadStart: number } {
  if (!head.subarray(0, magic.length).equals(Buffer.from(magic))) {
    throw unsupported("it does not begin as an image of the simulated board");
  }
  const end = head.indexOf("\n", magic.length);
  if (end < 0) throw unsupported("its description has no end");
  const metadata = parseJson(head.toString("utf8", magic.length, end));
  if (!isMetadata(metadata)) throw unsupported("its description is not complete");
  return { metadata, payloadStart: end + 1 };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unsupported("its description is not JSON", { cause });
  }
}

function isMetadata(value: unknown): value is Metadata {
  if (typeof value !== "object" || value === null) return false;
  const { name, version, compatible, size, sha256 } = value as Record<keyof Metadata, unknown>;
  return (
    [name, version, compatible, sha256].every((text) => typeof text === "string" && text !== "") &&
    Number.isSafeInteger(size)
  );
}

const unsupported = (why: string, options?: ErrorOptions) =>
  new PackageError("unsupported-package", `the package cannot be used: ${why}`, options);
