/** A tar.gz of small texts, made in memory: what anybody can open anywhere. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { encodeTarHeader, paddingAfter, tarBlock } from "./package/tar.js";

export interface ArchiveEntry {
  /** Path in the archive: ASCII, at most 100 characters. */
  readonly name: string;
  readonly content: string;
}

export async function createArchive(entries: readonly ArchiveEntry[]): Promise<Uint8Array> {
  const blocks = entries.flatMap(({ name, content }) => {
    const bytes = new TextEncoder().encode(content);
    return [encodeTarHeader({ name, size: bytes.length }), bytes, new Uint8Array(paddingAfter(bytes.length))];
  });
  return promisify(gzip)(Buffer.concat([...blocks, new Uint8Array(2 * tarBlock)]));
}
