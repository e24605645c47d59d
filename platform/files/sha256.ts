import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/**
 * Lower-case hexadecimal SHA-256 of a file, from byte `start` to its end or before byte `end`, in constant memory.
 * @throws the abort reason when `signal` fires
 */
export async function sha256OfFile(
  path: string,
  {
    start = 0,
    end = Number.POSITIVE_INFINITY,
    signal,
  }: { readonly start?: number; readonly end?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const hash = createHash("sha256");
  if (start >= end) return hash.digest("hex"); // no stream has an empty range
  for await (const piece of createReadStream(path, { start, end: end - 1, highWaterMark: 256 * 1024 })) {
    signal?.throwIfAborted();
    hash.update(piece);
  }
  return hash.digest("hex");
}
