/** Writes an image over a partition, and reads it again from there. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { PackageError } from "../../../agent/ports.js";
import { describeError, errorCode } from "../../system-error.js";

export interface WrittenImage {
  /** Bytes. */
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface PieceOptions {
  readonly signal: AbortSignal;
  /** Bytes done so far. */
  readonly progress: (done: number) => void;
}

/** What may wait in memory: so progress is that of the card, and the last sync is short. */
const syncInterval = 16 * 1024 ** 2;

/** Resolves when all of it is on the device. @param room bytes that the partition has */
export async function writeImage(
  device: string,
  content: AsyncIterable<Uint8Array>,
  room: number,
  { signal, progress }: PieceOptions,
): Promise<WrittenImage> {
  const hash = createHash("sha256");
  let size = 0;
  let synced = 0;
  try {
    const file = await open(device, "r+");
    try {
      for await (const piece of content) {
        signal.throwIfAborted();
        if (size + piece.length > room)
          throw new PackageError("storage", `the image is larger than ${device}`);
        for (let written = 0; written < piece.length; ) {
          const rest = piece.length - written;
          written += (await file.write(piece, written, rest, size + written)).bytesWritten;
        }
        hash.update(piece);
        size += piece.length;
        if (size - synced >= syncInterval) {
          await file.datasync();
          synced = size;
        }
        progress(size);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw errorCode(cause)?.startsWith("E") === true
      ? new PackageError("failed", `${device} cannot be written: ${describeError(cause)}`, { cause })
      : cause;
  }
  return { size, sha256: hash.digest("hex") };
}

/** @throws PackageError when the device holds something else */
export async function compareImage(
  device: string,
  { size, sha256 }: WrittenImage,
  { signal, progress }: PieceOptions,
): Promise<void> {
  const hash = createHash("sha256");
  let done = 0;
  try {
    for await (const piece of createReadStream(device, { end: size - 1, highWaterMark: 256 * 1024 })) {
      signal.throwIfAborted();
      hash.update(piece as Buffer);
      done += (piece as Buffer).length;
      progress(done);
    }
  } catch (cause) {
    if (errorCode(cause)?.startsWith("E") !== true) throw cause;
    throw new PackageError("failed", `${device} cannot be read again: ${describeError(cause)}`, { cause });
  }
  if (hash.digest("hex") !== sha256) {
    throw new PackageError("failed", `${device} does not hold what was written to it: is the card worn out?`);
  }
}
