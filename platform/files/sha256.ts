import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/**
 * Lower-case hexadecimal SHA-256 of a file from byte `start` to its end, in constant memory.
 * @throws the abort reason when `signal` fires
 */
export async function sha256OfFile(
  path: string,
  { start = 0, signal }: { readonly start?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { start, highWaterMark: 256 * 1024 })) {
    signal?.throwIfAborted();
    hash.update(piece);
  }
  return hash.digest("hex");
}
