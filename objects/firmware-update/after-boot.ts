/** What is to be done once the board runs again: ask which image it is, try it out, keep it or go back. */
import { type ImageFile, millis, PackageError, seconds } from "../../agent/ports.js";
import { type EffectOptions, stageContextOf, type Wishes, type Work } from "./effect-options.js";
import type { Permission } from "./permission.js";
import { reasonOf } from "./results.js";
import type { Updating } from "./state.js";
import { proveItself, type TrialOptions } from "./trial.js";
import { pause } from "./waiting.js";

const OUTCOME_PAUSE = seconds(10);
const OUTCOME_LIMIT = 6;
const COMMIT_PAUSE = seconds(30);
/** Going back may need what is busy now; but an update that has failed has to end. */
const REVERT_LIMIT = 20;
/** Without a trial of its own, an image is only kept waiting for the operator's last word. */
const noTrial: TrialOptions = {
  timeLimit: seconds(600),
  healthInterval: seconds(10),
  connectivity: "ignored",
  maximumBoots: Number.POSITIVE_INFINITY,
};

export interface AfterBootOptions extends EffectOptions {
  readonly wishes: () => Wishes;
  readonly permission: Permission;
  isIntact(image: ImageFile | undefined): Promise<boolean>;
}

export class AfterBoot {
  readonly #options: AfterBootOptions;

  constructor(options: AfterBootOptions) {
    this.#options = options;
  }

  async askOutcome(update: Updating, work: Work): Promise<void> {
    const { board, clock, log, permission, wishes } = this.#options;
    for (let asked = 1; ; asked++) {
      try {
        const outcome = await this.#outcome(update);
        if (outcome !== "unknown" || asked === OUTCOME_LIMIT) {
          const packageIntact = await this.#options.isIntact(update.package?.image);
          const bootId = await board.bootId();
          if (outcome === "new" && update.step === "restart") {
            await permission.tell("restart", stageContextOf(update, wishes(), work.signal));
          }
          return await work.report({ type: "outcomeKnown", outcome, packageIntact, bootId });
        }
      } catch (error) {
        if (error instanceof PackageError) {
          log.error("the update was refused during the boot", { error });
          const { failure } = error;
          return await work.report({ type: "installationRefused", failure, reason: reasonOf(error) });
        }
        log.error("the outcome of the update cannot be told", { error });
        if (asked >= OUTCOME_LIMIT) {
          const { bootId } = update.attempt;
          return await work.report({ type: "outcomeKnown", outcome: "unknown", packageIntact: true, bootId });
        }
      }
      await pause(clock, OUTCOME_PAUSE, work.signal);
    }
  }

  async #outcome(update: Updating): Promise<"new" | "old" | "other" | "unknown"> {
    const { board } = this.#options;
    const { attempt } = update;
    if (update.by === "board") {
      const { package: verified } = update;
      const outcome = await board.outcome({ ...attempt, package: verified.info, image: verified.image });
      if (outcome !== "old" || attempt.previousVersion === "") return outcome;
      const { firmwareVersion } = await board.describe();
      // Not ours, and not what ran before: an operator with a USB stick was here.
      const known = [attempt.previousVersion, verified.info.version, ""];
      return known.includes(firmwareVersion) ? "old" : "other";
    }
    // The board had no part in it: what a plugin installed shows by the version that runs.
    const { firmwareVersion } = await board.describe();
    return firmwareVersion === attempt.previousVersion ? "old" : "new";
  }

  async tryOut(update: Updating, work: Work): Promise<void> {
    const { trial = noTrial, connectivity, clock, log, permission, wishes } = this.#options;
    const ends = millis(clock.now() + trial.timeLimit);
    try {
      await proveItself({
        trial,
        connectivity,
        clock,
        signal: work.signal,
        servers: update.attempt.servers ?? [],
        entered: (phase) => work.trying(phase, ends),
        permission: (signal) =>
          permission.obtain({
            stage: "commit",
            context: () => stageContextOf(update, wishes(), signal),
            signal,
            postponed: (reason) => work.waiting({ stage: "commit", reason }),
          }),
      });
    } catch (error) {
      if (work.signal.aborted) return;
      log.error("the new firmware failed its trial", { error });
      return work.report({ type: "trialFailed", reason: reasonOf(error) });
    }
    await work.report({ type: "trialPassed" });
  }

  /** Without end: as long as the board may still go back, neither success nor failure would be true. */
  async commit(update: Updating | undefined, work: Work): Promise<void> {
    const { board, clock, log, permission, wishes } = this.#options;
    for (;;) {
      try {
        await board.commit();
        work.waiting(undefined);
        if (update) await permission.tell("commit", stageContextOf(update, wishes(), work.signal));
        return await work.report({ type: "committed" });
      } catch (error) {
        log.error("the running firmware cannot be made to stay", { error });
        if (update) work.waiting({ stage: "commit", reason: reasonOf(error) });
        await pause(clock, COMMIT_PAUSE, work.signal);
      }
    }
  }

  async revert(work: Work): Promise<void> {
    const { board, clock, log } = this.#options;
    for (let tried = 1; ; tried++) {
      try {
        return await work.report({ type: "reverted", how: await board.revert() });
      } catch (error) {
        log.error("the previous firmware cannot be brought back", { error });
        if (tried === REVERT_LIMIT || error instanceof PackageError)
          return work.report({ type: "revertFailed", reason: reasonOf(error) });
        await pause(clock, COMMIT_PAUSE, work.signal);
      }
    }
  }
}
