/** Where packages come from and where they lie: one storage for each thing that is updated, and what fetches into it. */
import { createHttpDownloader } from "../platform/download/http.js";
import { createPackageStorage } from "../platform/files/packages.js";
import { systemRandom } from "../platform/random.js";
import { checkDownloadOptions, type DownloadOptions } from "./download/options.js";
import type { Clock, Downloader, Log, PackageStorage } from "./ports.js";

export interface DownloadsOptions {
  readonly options: DownloadOptions;
  /** Bytes that a package may have. */
  readonly maximumSize: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly wrapDownloader?: (downloader: Downloader) => Downloader;
}

export interface Packages {
  readonly storage: PackageStorage;
  readonly downloaders: readonly Downloader[];
}

/**
 * @returns makes the storage in a directory, with its downloaders
 * @throws ConfigError when the options make no sense
 */
export function createDownloads({
  options,
  maximumSize,
  clock,
  log,
  wrapDownloader = (downloader) => downloader,
}: DownloadsOptions): (directory: string) => Packages {
  checkDownloadOptions(options);
  return (directory) => {
    const storage = createPackageStorage({
      directory,
      maximumSize,
      ...(options.reservedSpace !== undefined && { reserve: options.reservedSpace }),
    });
    const downloaders = [
      createHttpDownloader({ storage, clock, random: systemRandom, log, limits: options }),
    ];
    return { storage, downloaders: downloaders.map(wrapDownloader) };
  };
}
