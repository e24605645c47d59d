import { readFile } from "node:fs/promises";
import { type Downloader, PackageError, type PackageStorage } from "../../agent/ports.js";

/**
 * Fetches a file of some kilobytes as packages are fetched: by the same schemes, with the same TLS, proxy, retries and bounds.
 * @param place a storage of its own, that bounds the size, and what fetches into it
 * @throws PackageError as a download does; the abort reason when `signal` fires
 */
export async function fetchSmallFile(
  uri: string,
  place: { readonly storage: PackageStorage; readonly downloaders: readonly Downloader[] },
  { signal }: { readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const { storage, downloaders } = place;
  const scheme = /^[a-z][a-z0-9+.-]*(?=:)/i.exec(uri)?.[0].toLowerCase() ?? "";
  const downloader = downloaders.find(({ schemes }) => schemes.includes(scheme));
  if (downloader === undefined) {
    throw new PackageError("unsupported-protocol", `nothing fetches files by "${scheme}"`);
  }
  try {
    const { path } = await downloader.download(uri, { signal, progress: () => {} });
    return await readFile(path);
  } finally {
    await storage.clear();
  }
}
