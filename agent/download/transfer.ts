/**
 * One package on its way to the storage, over as many attempts, and runs of ours, as it takes. What it comes by, and how
 * a sender is asked for the rest, is known to the one who fetches.
 */
import {
  type Clock,
  type Downloader,
  type DownloadStorage,
  type DownloadWriter,
  type ImageFile,
  type Log,
  type Millis,
  millis,
  PackageError,
  type PackageSource,
  type Random,
} from "../ports.js";
import { wait } from "../wait.js";
import { Deadline } from "./deadline.js";
import type { DownloadLimits } from "./options.js";
import type { Pace } from "./pace.js";
import { retryDelay, TemporaryError } from "./retry.js";
import type { Schedule } from "./schedule.js";

export interface TransferSettings {
  /** Bounds the size. */
  readonly storage: DownloadStorage;
  readonly limits: DownloadLimits;
  readonly pace: Pace;
  readonly schedule: Schedule;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What tells whether a package is still the one of which we have a part. */
export type Representation = Omit<PackageSource, "uri">;

/** What has come so far, for the one who fetches. */
export interface Part {
  /** Bytes; the next one written goes behind them. */
  readonly received: number;
  /** Of what; undefined while nothing has come. */
  readonly known: Representation | undefined;
  /** The sender begins at the first byte. */
  begin(representation: Representation): Promise<void>;
  /** What has come cannot be gone on with. */
  forget(): Promise<void>;
  /**
   * Stores a piece; resolves when the next one may come. The bytes belong to the caller again then.
   * @throws PackageError when there is no place for it
   */
  write(piece: Uint8Array): Promise<void>;
}

/**
 * One attempt to fetch the package, or the rest of it. Resolves when all of it has come.
 * @throws TemporaryError when another attempt may do better, PackageError when none will
 */
export type Fetch = (part: Part, signal: AbortSignal) => Promise<void>;

export interface TransferRequest {
  readonly uri: string;
  /** The URI without its secrets, for messages and logs. */
  readonly name: string;
  readonly fetch: Fetch;
}

/** @throws as `Downloader.download` */
export const transfer = (
  request: TransferRequest,
  settings: TransferSettings,
  options: Parameters<Downloader["download"]>[1],
): Promise<ImageFile> => new Transfer(request, settings, options).run();

/** New bytes that make an attempt count as progress, so that a sender cannot hold us with a byte at a time. */
const progressBytes = 64 * 1024;

/** Reports are for people: ten a second are enough. */
const reportInterval = millis(100);

/** A rate is told over at least so long. */
const rateInterval = millis(1000);

/** The maintenance hours are over: no failure, the rest comes in the next ones. */
class WindowClosed extends Error {
  override readonly name = "WindowClosed";
}

class Transfer implements Part {
  readonly #request: TransferRequest;
  readonly #settings: TransferSettings;
  readonly #cancelled: AbortSignal;
  readonly #deadline: Deadline;
  /** Cancelled, or out of time. */
  readonly #signal: AbortSignal;
  readonly #tell: Parameters<Downloader["download"]>[1]["progress"];
  #writer: DownloadWriter | undefined;
  #known: Representation | undefined;
  #received = 0;
  /** Of an earlier run. */
  #takenUp = 0;
  /** The most bytes that any attempt came to. */
  #furthest = 0;
  #hasChanged = false;
  #nextReport: number;
  #rate: { bytesPerSecond: number; from: number; since: Millis };

  constructor(
    request: TransferRequest,
    settings: TransferSettings,
    { signal, progress }: Parameters<Downloader["download"]>[1],
  ) {
    const { clock, limits } = settings;
    this.#request = request;
    this.#settings = settings;
    this.#cancelled = signal;
    this.#deadline = new Deadline(
      limits.totalTime,
      clock,
      () =>
        new PackageError("connection", `${request.name} did not arrive within ${limits.totalTime / 1000} s`),
    );
    this.#signal = AbortSignal.any([signal, this.#deadline.signal]);
    this.#tell = progress;
    this.#nextReport = clock.now();
    this.#rate = { bytesPerSecond: 0, from: 0, since: clock.now() };
  }

  get received(): number {
    return this.#received;
  }

  get known(): Representation | undefined {
    return this.#known;
  }

  async run(): Promise<ImageFile> {
    const { storage } = this.#settings;
    try {
      await this.#takeUp();
      await this.#fetchPersistently();
      const image = await this.#writer?.finish();
      if (image === undefined) throw new Error("a download without a file");
      if (this.#signal.aborted) await storage.clear();
      this.#signal.throwIfAborted();
      return image;
    } catch (error) {
      await this.#giveUp();
      throw error;
    } finally {
      this.#deadline.pause();
    }
  }

  async begin(representation: Representation): Promise<void> {
    const { name, uri } = this.#request;
    const known = this.#known;
    if (known && (known.size !== representation.size || known.validator !== representation.validator)) {
      if (this.#hasChanged) throw new PackageError("connection", `${name} changes while it is downloaded`);
      this.#hasChanged = true;
    }
    await this.forget();
    this.#known = representation;
    this.#writer = await this.#settings.storage.begin({ uri, ...representation });
  }

  async forget(): Promise<void> {
    await this.#writer?.discard();
    this.#writer = undefined;
    this.#received = 0;
    this.#takenUp = 0;
    this.#rate = { bytesPerSecond: 0, from: 0, since: this.#settings.clock.now() };
  }

  async write(piece: Uint8Array): Promise<void> {
    const { clock, pace, schedule } = this.#settings;
    if (this.#writer === undefined) throw new Error("a piece of a package that has not begun");
    await this.#writer.write(piece);
    this.#received += piece.length;
    this.#furthest = Math.max(this.#furthest, this.#received);
    if (clock.now() >= this.#nextReport) {
      this.#report();
      if (!schedule.isOpen) throw new WindowClosed("the download window closed");
    }
    await pace.took(piece.length, this.#signal);
  }

  /** Goes on where an earlier run of ours ended. */
  async #takeUp(): Promise<void> {
    const { storage, schedule, log } = this.#settings;
    const part = await storage.resume(this.#request.uri, { signal: this.#cancelled });
    if (part === undefined) return schedule.delayStart((waiting) => this.#wait(waiting), this.#cancelled);
    const { source, received, writer } = part;
    this.#writer = writer;
    this.#known = { size: source.size, validator: source.validator };
    this.#received = received;
    this.#takenUp = received;
    this.#rate = { ...this.#rate, from: received };
    log.info("download taken up", { url: this.#request.name, received, total: source.size });
  }

  async #fetchPersistently(): Promise<void> {
    for (let failures = 0; ; ) {
      await this.#untilOpen();
      const furthest = this.#furthest;
      try {
        await this.#request.fetch(this, this.#signal);
        return this.#report();
      } catch (error) {
        this.#signal.throwIfAborted();
        if (error instanceof WindowClosed) continue;
        if (!(error instanceof TemporaryError)) throw error;
        failures = this.#furthest >= furthest + progressBytes ? 1 : failures + 1;
        await this.#pauseAfter(error, failures);
      }
    }
  }

  async #untilOpen(): Promise<void> {
    this.#deadline.pause();
    await this.#settings.schedule.untilOpen((waiting) => this.#wait(waiting), this.#cancelled);
    this.#deadline.run();
  }

  async #pauseAfter({ message, cause, retryAfter }: TemporaryError, failures: number): Promise<void> {
    const { limits, random, clock, log } = this.#settings;
    if (failures >= limits.attempts) {
      throw new PackageError("connection", `${message} (given up after ${failures} attempts)`, { cause });
    }
    const delay = retryDelay(failures, retryAfter, limits, random);
    const progress = { received: this.#received, delay };
    log.warn("download interrupted", { url: this.#request.name, reason: message, ...progress });
    this.#tell({
      ...this.#progress(),
      rate: 0,
      waiting: `${message}; asked again in ${Math.ceil(delay / 1000)} s`,
    });
    await wait(delay, clock, this.#signal);
  }

  /** What has come stays for the next run when we were stopped; what failed is of no use. */
  async #giveUp(): Promise<void> {
    const { log } = this.#settings;
    const writer = this.#writer;
    await (this.#cancelled.aborted ? writer?.suspend() : writer?.discard())?.catch((error: unknown) =>
      log.warn("the end of a download left something behind", { url: this.#request.name, error }),
    );
  }

  #progress() {
    return {
      received: this.#received,
      total: this.#known?.size,
      ...(this.#takenUp > 0 && { takenUp: this.#takenUp }),
    };
  }

  #wait(waiting: string): void {
    this.#settings.log.info("download waits", { url: this.#request.name, reason: waiting });
    this.#tell({ ...this.#progress(), rate: 0, waiting });
  }

  #report(): void {
    const now = this.#settings.clock.now();
    this.#nextReport = now + reportInterval;
    const { from, since } = this.#rate;
    const elapsed = now - since;
    if (elapsed >= rateInterval || this.#rate.bytesPerSecond === 0) {
      const bytesPerSecond = elapsed > 0 ? Math.round(((this.#received - from) / elapsed) * 1000) : 0;
      const next = elapsed >= rateInterval ? { from: this.#received, since: now } : { from, since };
      this.#rate = { bytesPerSecond, ...next };
    }
    this.#tell({ ...this.#progress(), rate: this.#rate.bytesPerSecond });
  }
}
