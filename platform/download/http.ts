/**
 * Fetches packages by HTTP(S) to the package storage: interrupted connections are taken up where they broke, and
 * everything is bounded. Which package is fetched when, and what a failure means to a Server, is known above.
 */
import type { IncomingMessage } from "node:http";
import type { SecureContextOptions } from "node:tls";
import { type DownloadLimits, defaultDownloadLimits } from "../../agent/download/options.js";
import { retryDelay, TemporaryError } from "../../agent/download/retry.js";
import {
  type Clock,
  type Downloader,
  type ImageFile,
  type Log,
  millis,
  PackageError,
  type PackageStorage,
  type PackageWriter,
  type Random,
} from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { wait } from "../wait.js";
import { createBufferCollection } from "./buffer-collection.js";
import { display, parsePackageUrl, schemes } from "./package-url.js";
import { get, stalled } from "./request.js";
import {
  continues,
  isWebPage,
  meaningOf,
  type Representation,
  representationOf,
  retryAfter,
} from "./response.js";

export interface HttpDownloaderOptions {
  /** Bounds the size. */
  readonly storage: PackageStorage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<DownloadLimits>;
  /** Trusted authorities (they replace those of the system) and our own certificate, for https. */
  readonly tls?: SecureContextOptions;
}

/** New bytes that make an attempt count as progress, so that a server cannot hold us with a byte at a time. */
const progressBytes = 64 * 1024;

/** Reports are for people: ten a second are enough. */
const progressInterval = millis(100);

type DownloadOptions = Parameters<Downloader["download"]>[1];
type Settings = Required<HttpDownloaderOptions> & { readonly limits: DownloadLimits };

export function createHttpDownloader({ limits, tls = {}, ...rest }: HttpDownloaderOptions): Downloader {
  const settings = { ...rest, tls, limits: { ...defaultDownloadLimits, ...limits } };
  return {
    schemes,
    async download(uri, { signal, progress }) {
      const url = parsePackageUrl(uri);
      signal.throwIfAborted();
      const { totalTime } = settings.limits;
      const overdue = new AbortController();
      const timer = settings.clock.after(totalTime, () =>
        overdue.abort(
          new PackageError("connection", `${display(url)} did not arrive within ${totalTime / 1000} s`),
        ),
      );
      try {
        const bounded = AbortSignal.any([signal, overdue.signal]);
        return await new Download(url, settings, { signal: bounded, progress }).run();
      } finally {
        timer.cancel();
      }
    },
  };
}

/** One package on its way, over as many connections as it takes. */
class Download {
  readonly #url: URL;
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  readonly #tell: DownloadOptions["progress"];
  readonly #collect = createBufferCollection();
  #writer: PackageWriter | undefined;
  /** Of which the writer holds a part. */
  #known: Representation | undefined;
  #received = 0;
  /** The most bytes that any attempt came to. */
  #furthest = 0;
  #hasChanged = false;
  #nextReport: number;

  constructor(url: URL, settings: Settings, { signal, progress }: DownloadOptions) {
    this.#url = url;
    this.#settings = settings;
    this.#signal = signal;
    this.#tell = progress;
    this.#nextReport = settings.clock.now();
  }

  async run(): Promise<ImageFile> {
    try {
      await this.#fetchPersistently();
      const image = await this.#writer?.finish();
      if (image === undefined) throw new Error("a download without a file");
      if (this.#signal.aborted) await this.#settings.storage.clear();
      this.#signal.throwIfAborted();
      return image;
    } finally {
      await this.#writer?.discard();
    }
  }

  async #fetchPersistently(): Promise<void> {
    const { limits, random, clock, log } = this.#settings;
    for (let failures = 0; ; ) {
      const furthest = this.#furthest;
      try {
        return await this.#fetch();
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof TemporaryError)) throw error;
        failures = this.#furthest >= furthest + progressBytes ? 1 : failures + 1;
        if (failures >= limits.attempts) {
          const { message, cause } = error;
          throw new PackageError("connection", `${message} (given up after ${failures} attempts)`, { cause });
        }
        const delay = retryDelay(failures, error.retryAfter, limits, random);
        log.warn("download interrupted", {
          url: display(this.#url),
          reason: error.message,
          received: this.#received,
          delay,
        });
        await wait(delay, clock, this.#signal);
      }
    }
  }

  /** One attempt, which goes on where the last one ended if the server lets it. */
  async #fetch(): Promise<void> {
    const { limits, clock, tls } = this.#settings;
    const response = await get(this.#url, {
      headers: this.#headers(),
      limits,
      clock,
      signal: this.#signal,
      tls,
    });
    try {
      const writer = await this.#accept(response);
      await this.#receive(response, writer);
    } finally {
      response.destroy();
    }
  }

  #headers() {
    // Stored as it comes: a package that is compressed on the way would not have the size and digest of the package.
    const headers = { "user-agent": "lwm2m-agent", "accept-encoding": "identity" };
    const validator = this.#known?.validator;
    if (this.#received === 0 || validator === undefined) return headers;
    return { ...headers, range: `bytes=${this.#received}-`, "if-range": validator };
  }

  /** Reads the head of a response. @returns where its body goes */
  async #accept({ statusCode = 0, headers }: IncomingMessage): Promise<PackageWriter> {
    const where = display(this.#url);
    const meaning = meaningOf(statusCode);
    if (meaning === "no package") {
      throw new PackageError("invalid-uri", `${where} answers ${statusCode}: there is no package for us`);
    }
    if (meaning === "temporary") {
      const after = retryAfter(headers, this.#settings.clock.date());
      throw new TemporaryError(`${where} answers ${statusCode}`, { retryAfter: after });
    }
    if (isWebPage(headers)) throw new TemporaryError(`${where} answers with a web page, not with a package`);
    if (meaning === "body") return this.#begin(representationOf(headers));
    const [known, writer] = [this.#known, this.#writer];
    if (meaning === "part" && known && writer && continues(headers, known, this.#received)) return writer;
    await this.#forget();
    throw new TemporaryError(`${where} cannot continue after an interruption`);
  }

  async #begin(representation: Representation): Promise<PackageWriter> {
    const known = this.#known;
    if (known && (known.size !== representation.size || known.validator !== representation.validator)) {
      if (this.#hasChanged) {
        throw new PackageError("connection", `${display(this.#url)} changes while it is downloaded`);
      }
      this.#hasChanged = true;
    }
    await this.#forget();
    this.#known = representation;
    this.#writer = await this.#settings.storage.create(representation.size);
    return this.#writer;
  }

  async #forget(): Promise<void> {
    await this.#writer?.discard();
    this.#writer = undefined;
    this.#received = 0;
  }

  async #receive(response: IncomingMessage, writer: PackageWriter): Promise<void> {
    const { limits, clock } = this.#settings;
    const total = this.#known?.size;
    // Runs only while we wait for the server: a slow disk is not its fault.
    const watch = () =>
      clock.after(limits.stallTimeout, () =>
        response.destroy(new TemporaryError(stalled(this.#url, limits))),
      );
    let timer = watch();
    try {
      for await (const piece of response as AsyncIterable<Uint8Array>) {
        timer.cancel();
        await writer.write(piece);
        this.#collect(piece.length);
        this.#received += piece.length;
        this.#furthest = Math.max(this.#furthest, this.#received);
        if (clock.now() >= this.#nextReport) this.#report();
        timer = watch();
      }
    } catch (cause) {
      if (cause instanceof PackageError || cause instanceof TemporaryError) throw cause;
      throw new TemporaryError(`the connection to ${this.#url.host} broke: ${describeError(cause)}`, {
        cause,
      });
    } finally {
      timer.cancel();
    }
    if (total !== undefined && this.#received !== total) {
      throw new TemporaryError(`${this.#url.host} sent ${this.#received} bytes of ${total}`);
    }
    this.#report();
  }

  #report(): void {
    this.#nextReport = this.#settings.clock.now() + progressInterval;
    this.#tell({ received: this.#received, total: this.#known?.size });
  }
}
