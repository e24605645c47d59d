import {
  type Board,
  BusyError,
  type Clock,
  type Downloader,
  type ImageFile,
  type Log,
  type Millis,
  PackageError,
  type PackageStorage,
  seconds,
} from "../../agent/ports.js";
import type { FirmwareUpdateHooks } from "./hooks.js";
import { schemeOf } from "./package-uri.js";
import { failureOf } from "./results.js";
import { type Updating, uriOf } from "./state.js";
import type { Effect, Occurrence } from "./table.js";
import { pause, within } from "./waiting.js";

/** How far a download or an installation is. */
export type FirmwareUpdateProgress =
  | { readonly phase: "downloading"; readonly received: number; readonly total: number | undefined }
  /** From 0 to 1. */
  | { readonly phase: "installing"; readonly fraction: number };

export interface EffectOptions {
  readonly downloaders: readonly Downloader[];
  readonly storage: PackageStorage;
  readonly board: Board;
  readonly clock: Clock;
  readonly log: Log;
  readonly hooks?: FirmwareUpdateHooks;
  /**
   * Between the answer to Update and the installation: the time for observers to hear of State 3 (0.5 s unless told).
   */
  readonly settleDelay?: Millis;
  /** Takes the place of `settleDelay`: resolves when observers have heard. */
  beforeApply?(): Promise<void>;
  /**
   * Has the new image proved itself? Rejects to have the previous one back. Absent: that it runs is proof enough.
   */
  trial?(signal: AbortSignal): Promise<void>;
}

/** One effect while it is performed. */
export interface Work {
  readonly signal: AbortSignal;
  /** Says what happened; nothing after the work was cancelled. */
  report(occurrence: Occurrence): Promise<void>;
  progress(progress: FirmwareUpdateProgress): void;
}

/** An answer that was never sent must not keep the update from happening. */
const ANSWER_LIMIT = seconds(10);
/** A busy installer is a reason to wait, but not without end. */
const BUSY_PAUSE = seconds(30);
const BUSY_LIMIT = 20;
/** A restart that was ordered before the agent stopped may be under way. */
const RESTART_GRACE = seconds(30);
/** A board that has not gone down by then does not restart by itself any more. */
const RESTART_LIMIT = seconds(300);
const OUTCOME_PAUSE = seconds(10);
const OUTCOME_LIMIT = 6;
const COMMIT_PAUSE = seconds(30);

export type LongEffect = Exclude<Effect, { readonly do: "cancelTransfer" | "discard" }>;

/** Performs the effects that take time, against the ports. Each reports how it ended. */
export class Effects {
  readonly #options: EffectOptions;

  constructor(options: EffectOptions) {
    this.#options = options;
  }

  /** @param answered resolves when the Server has the answer to its Update */
  perform(effect: LongEffect, work: Work, answered: Promise<void>): Promise<void> {
    switch (effect.do) {
      case "download":
        return this.#download(effect.uri, work);
      case "verify":
        return this.#verify(effect.image, work);
      case "apply":
        return this.#apply(effect.update, work, answered);
      case "restart":
        return this.#restart(effect.when, work);
      case "askOutcome":
        return this.#askOutcome(effect.update, work);
      case "tryOut":
        return this.#tryOut(work);
      case "commit":
        return this.#commit(work);
      case "revert":
        return this.#revert(work);
    }
  }

  /** Is the file of the state still what it was? A state without a file has nothing to lose. */
  async isIntact(image: ImageFile | undefined): Promise<boolean> {
    if (image === undefined) return true;
    try {
      return await this.#options.storage.verify(image);
    } catch (error) {
      this.#options.log.error("package unreadable", { error });
      return false;
    }
  }

  async #download(uri: string, work: Work): Promise<void> {
    const { hooks, log } = this.#options;
    const fetch = () => this.#fetch(uri, work);
    try {
      if (hooks?.packageUriWritten === undefined) await fetch();
      else await hooks.packageUriWritten({ instanceId: 0, uri, signal: work.signal, default: fetch });
    } catch (error) {
      if (work.signal.aborted) return;
      log.warn("package not received", { error });
      await work.report({ type: "transferFailed", failure: failureOf(error, "connection") });
    }
  }

  async #fetch(uri: string, work: Work): Promise<void> {
    const scheme = schemeOf(uri);
    const downloader = this.#options.downloaders.find(({ schemes }) => schemes.some((one) => one === scheme));
    if (downloader === undefined) {
      throw new PackageError("unsupported-protocol", `nothing fetches packages by ${scheme}`);
    }
    const image = await downloader.download(uri, {
      signal: work.signal,
      progress: (progress) => work.progress({ phase: "downloading", ...progress }),
    });
    await work.report({ type: "received", image });
  }

  async #verify(image: ImageFile, work: Work): Promise<void> {
    const { board, log } = this.#options;
    try {
      const info = await this.#untilNotBusy(() => board.inspect(image, { signal: work.signal }), work);
      await work.report({ type: "verified", package: { image, info } });
    } catch (error) {
      if (work.signal.aborted) return;
      log.warn("package refused", { error });
      await work.report({ type: "transferFailed", failure: failureOf(error, "failed") });
    }
  }

  async #apply(update: Updating, work: Work, answered: Promise<void>): Promise<void> {
    const { clock, log, hooks, settleDelay = seconds(0.5), beforeApply } = this.#options;
    try {
      await within(clock, ANSWER_LIMIT, answered, work.signal);
      if (beforeApply) await within(clock, ANSWER_LIMIT, beforeApply(), work.signal);
      else await pause(clock, settleDelay, work.signal);
      work.signal.throwIfAborted();
      if (update.by === "board" || hooks?.updateExecuted === undefined) await this.#install(update, work);
      else {
        await hooks.updateExecuted({
          instanceId: 0,
          uri: uriOf(update),
          signal: work.signal,
          default: () => this.#installForPlugin(update, work),
        });
      }
    } catch (error) {
      if (work.signal.aborted) return;
      log.error("update failed", { attempt: update.attempt.id, error });
      const packageIntact = await this.isIntact(update.package?.image);
      await work.report({ type: "applyFailed", failure: failureOf(error, "failed"), packageIntact });
    }
  }

  async #install(update: Updating, work: Work): Promise<void> {
    if (update.package === undefined)
      throw new PackageError("failed", "the package is the plugin's, not ours");
    const { image } = update.package;
    const attempt = update.attempt.id;
    // Days may lie between download and update; a file that changed meanwhile must not reach the installer.
    if (!(await this.isIntact(image))) throw new PackageError("integrity", "the package changed on disk");
    const how = await this.#untilNotBusy(
      () =>
        this.#options.board.apply(image, {
          attempt,
          signal: work.signal,
          progress: (fraction) => work.progress({ phase: "installing", fraction }),
        }),
      work,
    );
    await work.report({ type: "applied", how });
  }

  /** The board works for a plugin, which has the work back when that fails. */
  async #installForPlugin(update: Updating, work: Work): Promise<void> {
    await work.report({ type: "handedOver", to: "board" });
    try {
      await this.#install(update, work);
    } catch (error) {
      await work.report({ type: "handedOver", to: "plugin" });
      throw error;
    }
  }

  async #restart(when: "now" | "soon", { signal }: Work): Promise<void> {
    const { board, clock, log } = this.#options;
    if (when === "soon") await pause(clock, RESTART_GRACE, signal);
    for (;;) {
      try {
        await board.restart();
      } catch (error) {
        log.error("restart refused", { error });
      }
      await pause(clock, RESTART_LIMIT, signal);
      log.error("the board did not restart; asking again", { waitedSeconds: RESTART_LIMIT / 1000 });
    }
  }

  async #askOutcome(update: Updating, work: Work): Promise<void> {
    const { board, clock, log } = this.#options;
    for (let asked = 1; ; asked++) {
      try {
        const outcome = await this.#outcome(update);
        if (outcome !== "unknown" || asked === OUTCOME_LIMIT) {
          const packageIntact = await this.isIntact(update.package?.image);
          const bootId = await board.bootId();
          return await work.report({ type: "outcomeKnown", outcome, packageIntact, bootId });
        }
      } catch (error) {
        log.error("the outcome of the update cannot be told", { error });
        if (asked >= OUTCOME_LIMIT) {
          const { bootId } = update.attempt;
          return await work.report({ type: "outcomeKnown", outcome: "unknown", packageIntact: true, bootId });
        }
      }
      await pause(clock, OUTCOME_PAUSE, work.signal);
    }
  }

  async #outcome(update: Updating): Promise<"new" | "old" | "unknown"> {
    const { board } = this.#options;
    if (update.by === "board") {
      const { package: verified, attempt } = update;
      return board.outcome({ ...attempt, package: verified.info, image: verified.image });
    }
    // The board had no part in it: what a plugin installed shows by the version that runs.
    const { firmwareVersion } = await board.describe();
    return firmwareVersion === update.attempt.previousVersion ? "old" : "new";
  }

  async #tryOut(work: Work): Promise<void> {
    const { trial, log } = this.#options;
    try {
      await trial?.(work.signal);
    } catch (error) {
      if (work.signal.aborted) return;
      log.error("the new firmware failed its trial", { error });
      return work.report({ type: "trialFailed" });
    }
    await work.report({ type: "trialPassed" });
  }

  /** Without end: as long as the board may still go back, neither success nor failure would be true. */
  async #commit(work: Work): Promise<void> {
    const { board, clock, log } = this.#options;
    for (;;) {
      try {
        await board.commit();
        return await work.report({ type: "committed" });
      } catch (error) {
        log.error("the running firmware cannot be made to stay", { error });
        await pause(clock, COMMIT_PAUSE, work.signal);
      }
    }
  }

  async #revert(work: Work): Promise<void> {
    const { board, clock, log } = this.#options;
    for (;;) {
      try {
        return await work.report({ type: "reverted", how: await board.revert() });
      } catch (error) {
        log.error("the previous firmware cannot be brought back", { error });
        await pause(clock, COMMIT_PAUSE, work.signal);
      }
    }
  }

  async #untilNotBusy<T>(act: () => Promise<T>, { signal }: Work): Promise<T> {
    const { clock, log } = this.#options;
    for (let tried = 1; ; tried++) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof BusyError) || tried === BUSY_LIMIT) throw error;
        log.info("the board is busy; waiting", { tried });
        await pause(clock, BUSY_PAUSE, signal);
      }
    }
  }
}
