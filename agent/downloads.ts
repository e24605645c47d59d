/** Where packages come from and where they lie: one storage for each thing that is updated, and what fetches into it. */
import type { HttpDownloaderOptions } from "../platform/download/http.js";
import { createProxyChoice, type Environment } from "../platform/download/proxy.js";
import { createPackageStorage } from "../platform/files/packages.js";
import { resolvePeer } from "../platform/net/resolve.js";
import { openUdpSocket } from "../platform/net/udp.js";
import { systemRandom } from "../platform/random.js";
import { errorCode } from "../platform/system-error.js";
import type { CoapSettings } from "./binding/coap.js";
import { createCoapDownloader } from "./binding/coap-download.js";
import { type CoapUdpOptions, createCoapUdpTransport } from "./binding/coap-udp.js";
import { checkDownloadOptions, type DownloadOptions } from "./download/options.js";
import { Pace } from "./download/pace.js";
import { createTransferSettings } from "./download/settings.js";
import { type Clock, type Downloader, type Log, PackageError, type PackageStorage } from "./ports.js";

export interface DownloadsOptions {
  readonly options: DownloadOptions;
  /** Bytes that a package may have. */
  readonly maximumSize: number;
  /** Where a proxy may be named. */
  readonly environment: Environment;
  readonly coap?: CoapSettings;
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
  coap = {},
  clock,
  log,
  wrapDownloader = (downloader) => downloader,
}: DownloadsOptions): (directory: string) => Packages {
  checkDownloadOptions(options);
  const { protocols = ["coap", "http", "https"], reservedSpace, tls } = options;
  const proxyFor = createProxyChoice(options.proxy, environment);
  const pace = new Pace(options.bandwidthLimit, clock);
  const udp = createCoapUdpTransport({
    openSocket: ({ address }, handlers) =>
      openUdpSocket({ family: address.includes(":") ? "udp6" : "udp4" }, handlers),
    resolve: resolveHost,
    ...(coap.transmission && { transmission: coap.transmission }),
    clock,
    random: systemRandom,
    log,
  });
  const transports = { coap: udp };
  return (directory) => {
    const storage = createPackageStorage({
      directory,
      maximumSize,
      ...(reservedSpace !== undefined && { reserve: reservedSpace }),
    });
    const settings = createTransferSettings(options, { storage, clock, random: systemRandom, log, pace });
    const http = protocols.filter((protocol) => protocol !== "coap");
    const downloaders = [
      ...(protocols.includes("coap") ? [createCoapDownloader({ ...settings, ...coap, transports })] : []),
      ...(http.length > 0
        ? [httpDownloader({ ...settings, schemes: http, proxyFor, ...(tls && { tls }) })]
        : []),
    ];
    return { storage, downloaders: downloaders.map(wrapDownloader) };
  };
}

/** Loaded by the first download: `node:http` and `node:tls` would cost each start as much as all Objects together. */
function httpDownloader(
  options: HttpDownloaderOptions & { readonly schemes: readonly string[] },
): Downloader {
  let loading: Promise<Downloader> | undefined;
  return {
    schemes: options.schemes,
    async download(uri, how) {
      loading ??= import("../platform/download/http.js").then(({ createHttpDownloader }) =>
        createHttpDownloader(options),
      );
      return (await loading).download(uri, how);
    },
  };
}

/** A name that is not known will not be known at the next attempt. */
const resolveHost: CoapUdpOptions["resolve"] = (host, port) =>
  resolvePeer(host, port).catch((error: unknown) => {
    const isUnknown = error instanceof Error && errorCode(error.cause) === "ENOTFOUND";
    throw isUnknown ? new PackageError("invalid-uri", error.message, { cause: error }) : error;
  });
