/**
 * Fetches packages by HTTP(S) to the package storage: interrupted connections are taken up where they broke, and
 * everything is bounded. Which package is fetched when, and what a failure means to a Server, is known above.
 */
import type { IncomingMessage } from "node:http";
import type { DownloadTlsOptions } from "../../agent/download/options.js";
import { TemporaryError } from "../../agent/download/retry.js";
import { StallWatch } from "../../agent/download/stall-watch.js";
import { type Part, type TransferSettings, transfer } from "../../agent/download/transfer.js";
import { type Downloader, PackageError } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { createBufferCollection } from "./buffer-collection.js";
import { display, parsePackageUrl, schemes } from "./package-url.js";
import type { ProxyFor } from "./proxy.js";
import { get } from "./request.js";
import {
  continues,
  encodingOf,
  isCompleteAt,
  isWebPage,
  looksLikeWebPage,
  meaningOf,
  representationOf,
  retryAfter,
} from "./response.js";
import { loadTls, type TlsSettings } from "./tls.js";

export interface HttpDownloaderOptions extends TransferSettings {
  readonly tls?: DownloadTlsOptions;
  /** Absent: everything is reached directly. */
  readonly proxyFor?: ProxyFor;
  /** Those of `http` and `https` that are served; both when not given. */
  readonly schemes?: readonly string[];
}

export function createHttpDownloader(options: HttpDownloaderOptions): Downloader {
  const served = options.schemes ?? schemes;
  return {
    schemes: served,
    async download(uri, { signal, progress }) {
      const url = parsePackageUrl(uri, served);
      signal.throwIfAborted();
      const source = new HttpSource(url, options, await loadTls(options.tls ?? {}));
      const request = {
        uri,
        name: display(url),
        fetch: (part: Part, bounded: AbortSignal) => source.fetch(part, bounded),
      };
      return await transfer(request, options, { signal, progress });
    },
  };
}

/** One package on one server. */
class HttpSource {
  readonly #url: URL;
  readonly #settings: HttpDownloaderOptions;
  readonly #tls: TlsSettings;
  readonly #collect = createBufferCollection();

  constructor(url: URL, settings: HttpDownloaderOptions, tls: TlsSettings) {
    this.#url = url;
    this.#settings = settings;
    this.#tls = tls;
  }

  /** One attempt, which goes on where the last one ended if the server lets it. */
  async fetch(part: Part, signal: AbortSignal): Promise<void> {
    const { limits, clock, proxyFor = () => undefined } = this.#settings;
    const headers = requestHeaders(part);
    const response = await get(this.#url, { headers, limits, clock, signal, tls: this.#tls, proxyFor });
    try {
      if ((await this.#accept(response, part)) === "body follows") await this.#receive(response, part);
    } finally {
      response.destroy();
    }
  }

  /** Reads the head of a response. */
  async #accept(
    { statusCode = 0, headers }: IncomingMessage,
    part: Part,
  ): Promise<"body follows" | "complete"> {
    const where = display(this.#url);
    const meaning = meaningOf(statusCode);
    if (meaning === "no package") {
      throw new PackageError("invalid-uri", `${where} answers ${statusCode}: there is no package for us`);
    }
    if (meaning === "temporary") {
      const after = retryAfter(headers, this.#settings.clock.date());
      throw new TemporaryError(`${where} answers ${statusCode}`, { retryAfter: after });
    }
    if (meaning === "cannot continue" && isCompleteAt(headers, part)) return "complete";
    if (isWebPage(headers)) throw notAPackage(where);
    const encoding = encodingOf(headers);
    if (encoding !== undefined) {
      throw new PackageError(
        "unsupported-package",
        `${where} sends the package in the Content-Encoding ${encoding}, which nobody asked for: serve it as it is`,
      );
    }
    if (meaning === "body") await part.begin(representationOf(headers));
    else if (meaning === "cannot continue" || !continues(headers, part)) {
      await part.forget();
      throw new TemporaryError(`${where} cannot continue after an interruption`);
    }
    return "body follows";
  }

  async #receive(response: IncomingMessage, part: Part): Promise<void> {
    const { limits, clock } = this.#settings;
    const watch = new StallWatch(limits, clock, () =>
      response.destroy(
        new TemporaryError(
          `${this.#url.host} has sent nothing, or next to nothing, for ${limits.stallTimeout / 1000} s`,
        ),
      ),
    );
    watch.begin();
    try {
      for await (const piece of response as AsyncIterable<Uint8Array>) {
        watch.end(piece.length);
        if (part.received === 0 && looksLikeWebPage(piece)) throw notAPackage(display(this.#url));
        await part.write(piece);
        this.#collect(piece.length);
        watch.begin();
      }
    } catch (cause) {
      if (!isBroken(cause)) throw cause;
      throw new TemporaryError(`the connection to ${this.#url.host} broke: ${describeError(cause)}`, {
        cause,
      });
    } finally {
      watch.stop();
    }
    const total = part.known?.size;
    if (total !== undefined && part.received !== total) {
      throw new TemporaryError(`${this.#url.host} sent ${part.received} bytes of ${total}`);
    }
  }
}

function requestHeaders({ received, known }: Part) {
  // Stored as it comes: a package that is compressed on the way would not have the size and digest of the package.
  const headers = { "user-agent": "lwm2m-agent", "accept-encoding": "identity" };
  if (received === 0 || known?.validator === undefined) return headers;
  return { ...headers, range: `bytes=${received}-`, "if-range": known.validator };
}

const notAPackage = (where: string) =>
  new TemporaryError(`${where} answers with a web page, not with a package`);

/** Errors of the socket and of the parser have a code; ours do not. */
const isBroken = (error: unknown): boolean => error instanceof Error && "code" in error;
