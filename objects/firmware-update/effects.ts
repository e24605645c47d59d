/** Performs what the table orders: fetches, has the package judged, waits for the operator, installs, restarts. */
import {
  BusyError,
  type ImageFile,
  type Millis,
  PackageError,
  type PackageInfo,
  seconds,
  type UpdateStage,
} from "../../agent/ports.js";
import { AfterBoot } from "./after-boot.js";
import {
  type EffectOptions,
  stageContext,
  stageContextOf,
  type Wishes,
  type Work,
} from "./effect-options.js";
import type { Effect } from "./events.js";
import { schemeOf } from "./package-uri.js";
import { Permission } from "./permission.js";
import { ConflictError, failureOf, plainText, reasonOf, updateResults } from "./results.js";
import { type Updating, uriOf } from "./state.js";
import { pause, within } from "./waiting.js";

/** An answer that was never sent must not keep the update from happening. */
const ANSWER_LIMIT = seconds(10);
/** A busy installer is a reason to wait, but not without end. */
const BUSY_PAUSE = seconds(30);
const BUSY_LIMIT = 20;
/** A restart that was ordered before the agent stopped may be under way. */
const RESTART_GRACE = seconds(30);
/** A board that has not gone down by then does not restart by itself any more. */
const RESTART_LIMIT = seconds(300);

export type LongEffect = Exclude<Effect, { readonly do: "cancelTransfer" | "discard" }>;

/** Performs the effects that take time, against the ports. Each reports how it ended. */
export class Effects {
  readonly #options: EffectOptions;
  readonly #wishes: () => Wishes;
  readonly #permission: Permission;
  readonly #afterBoot: AfterBoot;

  constructor(options: EffectOptions, wishes: () => Wishes) {
    this.#options = options;
    this.#wishes = wishes;
    this.#permission = new Permission(options);
    this.#afterBoot = new AfterBoot({
      ...options,
      wishes,
      permission: this.#permission,
      isIntact: (image) => this.isIntact(image),
    });
  }

  /** What waits for the operator asks again at once. */
  askAgain(): void {
    this.#permission.askAgain();
  }

  /** May a Server push a package now? It cannot be kept waiting. */
  mayPush(signal: AbortSignal): Promise<"go" | { readonly later: string }> {
    return this.#permission.once("download", stageContext(this.#wishes(), { uri: "", signal }));
  }

  /** @param answered resolves when the Server has the answer to its Update */
  perform(effect: LongEffect, work: Work, answered: Promise<void>): Promise<void> {
    switch (effect.do) {
      case "download":
        return this.#download(effect.uri, work);
      case "verify":
        return this.#verify(effect, work);
      case "askPermission":
        return this.#askPermission(effect, work);
      case "apply":
        return this.#apply(effect.update, work, answered);
      case "restart":
        return this.#restart(effect, work);
      case "askOutcome":
        return this.#afterBoot.askOutcome(effect.update, work);
      case "tryOut":
        return this.#afterBoot.tryOut(effect.update, work);
      case "commit":
        return this.#afterBoot.commit(effect.update, work);
      case "revert":
        return this.#afterBoot.revert(work);
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
      await this.#permission.obtain({
        stage: "download",
        context: () => stageContext(this.#wishes(), { uri, signal: work.signal }),
        signal: work.signal,
        postponed: (reason) => work.waiting({ stage: "download", reason }),
      });
      work.waiting(undefined);
      if (hooks?.packageUriWritten === undefined) await fetch();
      else
        await hooks.packageUriWritten({
          instanceId: this.#instanceId,
          uri,
          signal: work.signal,
          default: fetch,
        });
    } catch (error) {
      if (work.signal.aborted) return;
      log.warn("package not received", { error });
      const reason = reasonOf(error);
      await work.report({ type: "transferFailed", failure: failureOf(error, "connection"), reason });
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

  async #verify({ image, uri }: Extract<Effect, { do: "verify" }>, work: Work): Promise<void> {
    const { log } = this.#options;
    const { signal } = work;
    try {
      const info = await this.#untilNotBusy("download", () => this.#judge(image, uri, signal), work);
      await this.#permission.tell(
        "download",
        stageContext(this.#wishes(), { uri, image, package: info, signal }),
      );
      await work.report({ type: "verified", package: { image, info } });
    } catch (error) {
      if (signal.aborted) return;
      log.warn("package refused", { error });
      const failure = failureOf(error, "failed");
      const conflict = error instanceof ConflictError && { result: updateResults.conflictingState };
      await work.report({ type: "transferFailed", failure, reason: reasonOf(error), ...conflict });
    }
  }

  /** Who made it comes first: what is not signed never reaches the tools of the board. */
  async #judge(image: ImageFile, uri: string, signal: AbortSignal): Promise<PackageInfo> {
    const { board, verifier, acceptance } = this.#options;
    const signed = await verifier?.verify(image, { uri: uri === "" ? undefined : uri, signal });
    const info = { ...(await board.inspect(image, { signal })), ...signed };
    acceptance?.(info, await board.describe());
    return info;
  }

  async #askPermission(
    { request, about }: Extract<Effect, { do: "askPermission" }>,
    work: Work,
  ): Promise<void> {
    const { board, log } = this.#options;
    const { signal } = work;
    try {
      await this.#permission.obtain({
        stage: "apply",
        context: () => stageContext(this.#wishes(), { ...about, attempt: request.attempt.id, signal }),
        signal,
        postponed: async (reason, waited) => {
          work.waiting({ stage: "apply", reason });
          await work.report({ type: "deferred", reason, deferredSeconds: deferred(request, waited) });
        },
        patience: () => this.#patience(request),
      });
      await work.report({ type: "permitted", bootId: await board.bootId() });
    } catch (error) {
      if (signal.aborted) return;
      work.waiting(undefined);
      log.warn("update not allowed", { attempt: request.attempt.id, error });
      await work.report({ type: "forbidden", failure: failureOf(error, "failed"), reason: reasonOf(error) });
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
          instanceId: this.#instanceId,
          uri: uriOf(update),
          signal: work.signal,
          image: () => this.#intactImage(update),
          default: () => this.#installForPlugin(update, work),
        });
      }
    } catch (error) {
      if (work.signal.aborted) return;
      log.error("update failed", { attempt: update.attempt.id, error });
      const packageIntact = await this.isIntact(update.package?.image);
      const failure = failureOf(error, "failed");
      await work.report({ type: "applyFailed", failure, packageIntact, reason: reasonOf(error) });
    }
  }

  /** Days may lie between download and update; a file that changed meanwhile must not reach the installer. */
  async #intactImage({ package: held }: Updating): Promise<ImageFile | undefined> {
    if (held === undefined) return undefined;
    if (!(await this.isIntact(held.image)))
      throw new PackageError("integrity", "the package changed on disk");
    return held.image;
  }

  async #install(update: Updating, work: Work): Promise<void> {
    const image = await this.#intactImage(update);
    if (image === undefined) throw new PackageError("failed", "the package is the plugin's, not ours");
    const attempt = update.attempt.id;
    const how = await this.#untilNotBusy(
      "apply",
      () =>
        this.#options.board.apply(image, {
          attempt,
          signal: work.signal,
          progress: (fraction, message) =>
            work.progress({
              phase: "installing",
              fraction,
              ...(message !== undefined && { message: plainText(message) }),
            }),
        }),
      work,
    );
    await this.#permission.tell("apply", stageContextOf(update, this.#wishes(), work.signal));
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

  async #restart({ update, when }: Extract<Effect, { do: "restart" }>, work: Work): Promise<void> {
    const { board, clock, log, beforeRestart } = this.#options;
    const { signal } = work;
    if (when === "soon") await pause(clock, RESTART_GRACE, signal);
    if (update.step === "restart" && !(await this.#mayRestart(update, work))) return;
    await beforeRestart?.(update.step === "revert" ? "rollback" : "firmware-update", signal);
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

  async #mayRestart(update: Updating, work: Work): Promise<boolean> {
    const { signal } = work;
    try {
      await this.#permission.obtain({
        stage: "restart",
        context: () => stageContextOf(update, this.#wishes(), signal),
        signal,
        postponed: async (reason, waited) => {
          work.waiting({ stage: "restart", reason });
          await work.report({ type: "deferred", reason, deferredSeconds: deferred(update, waited) });
        },
        patience: () => this.#patience(update),
      });
      work.waiting(undefined);
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      work.waiting(undefined);
      this.#options.log.error("restart not allowed", { attempt: update.attempt.id, error });
      await work.report({ type: "forbidden", failure: failureOf(error, "failed"), reason: reasonOf(error) });
      return false;
    }
  }

  async #untilNotBusy<T>(stage: UpdateStage, act: () => Promise<T>, work: Work): Promise<T> {
    const { clock, log } = this.#options;
    for (let tried = 1; ; tried++) {
      try {
        const done = await act();
        work.waiting(undefined);
        return done;
      } catch (error) {
        if (!(error instanceof BusyError) || tried === BUSY_LIMIT) throw error;
        log.info("the board is busy; waiting", { tried });
        work.waiting({ stage, reason: reasonOf(error) });
        await pause(clock, BUSY_PAUSE, work.signal);
      }
    }
  }

  /** Maximum Defer Period (/5/0/13) counts from the first `later`, over restarts of the agent. */
  #patience({ deferredSeconds = 0 }: { readonly deferredSeconds?: number }): Millis | undefined {
    const { maximumDeferSeconds } = this.#wishes();
    return maximumDeferSeconds === undefined ? undefined : seconds(maximumDeferSeconds - deferredSeconds);
  }

  get #instanceId(): number {
    return this.#options.objectInstanceId ?? 0;
  }
}

const deferred = ({ deferredSeconds = 0 }: { readonly deferredSeconds?: number }, waited: Millis) =>
  deferredSeconds + Math.floor(waited / 1000);
