/** Where packages come from and where they lie: one storage for each thing that is updated, and what fetches into it. */
import { createHttpDownloader } from "../platform/download/http.js";
import { createProxyChoice, type Environment } from "../platform/download/proxy.js";
import { createPackageStorage } from "../platform/files/packages.js";
import { systemRandom } from "../platform/random.js";
import { checkDownloadOptions, type DownloadOptions } from "./download/options.js";
import { Pace } from "./download/pace.js";
import { createTransferSettings } from "./download/settings.js";
import type { Clock, Downloader, Log, PackageStorage } from "./ports.js";

export interface DownloadsOptions {
  readonly options: DownloadOptions;
  /** Bytes that a package may have. */
  readonly maximumSize: number;
  /** Where a proxy may be named. */
  readonly environment: Environment;
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
  environment,
  clock,
  log,
  wrapDownloader = (downloader) => downloader,
}: DownloadsOptions): (directory: string) => Packages {
  checkDownloadOptions(options);
  const { protocols = ["coap", "http", "https"], reservedSpace, tls } = options;
  const proxyFor = createProxyChoice(options.proxy, environment);
  const pace = new Pace(options.bandwidthLimit, clock);
  return (directory) => {
    const storage = createPackageStorage({
      directory,
      maximumSize,
      ...(reservedSpace !== undefined && { reserve: reservedSpace }),
    });
    const settings = createTransferSettings(options, { storage, clock, random: systemRandom, log, pace });
    const schemes = protocols.filter((protocol) => protocol !== "coap");
    const http = createHttpDownloader({ ...settings, schemes, proxyFor, ...(tls && { tls }) });
    return { storage, downloaders: [http].filter(({ schemes }) => schemes.length > 0).map(wrapDownloader) };
  };
}
