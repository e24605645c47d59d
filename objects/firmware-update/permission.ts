import {
  BusyError,
  type Clock,
  type Log,
  type Millis,
  millis,
  type Postponement,
  type StageContext,
  seconds,
  type UpdateGate,
  type UpdateStage,
} from "../../agent/ports.js";
import { plainText } from "./results.js";
import { pause } from "./waiting.js";

export interface PermissionOptions {
  /** Absent: everything is allowed. */
  readonly gate?: UpdateGate;
  readonly clock: Clock;
  readonly log: Log;
}

/** One stage that wants to begin. */
export interface Wish {
  readonly stage: UpdateStage;
  /** As it is now: a Server may write another Severity meanwhile. */
  context(): StageContext;
  readonly signal: AbortSignal;
  /** Told at each `later`, with the time since the first question. */
  postponed(reason: string, waited: Millis): Promise<void> | void;
  /** Until when `later` is heard, counted from the first question; undefined: for ever. Asked anew each time. */
  patience?(): Millis | undefined;
}

/** The pause doubles: who is in the middle of something is asked soon, who sleeps is not asked a thousand times. */
const FIRST_PAUSE = seconds(30);
const LONGEST_PAUSE = seconds(600);

/** Asks the operator's gate before each stage, and tells it afterwards. */
export class Permission {
  readonly #options: PermissionOptions;
  readonly #wake = new Set<() => void>();

  constructor(options: PermissionOptions) {
    this.#options = options;
  }

  /** Whoever waits asks again at once: something has changed. */
  askAgain(): void {
    for (const wake of this.#wake) wake();
  }

  /**
   * Resolves when the stage may begin.
   * @throws what the gate throws when it is not to begin at all; the abort reason when `signal` fires
   */
  async obtain({ stage, context, signal, postponed, patience }: Wish): Promise<void> {
    const { gate, clock, log } = this.#options;
    if (gate === undefined) return;
    const began = clock.now();
    for (let asked = 1; ; asked++) {
      const answer = await askOnce(gate, stage, context());
      signal.throwIfAborted();
      if (answer === undefined) return;
      const { later: reason, isUnbounded = false } = answer;
      const waited = millis(clock.now() - began);
      const limit = isUnbounded ? undefined : patience?.();
      if (limit !== undefined && waited >= limit) {
        log.warn("put off as long as allowed; going ahead", { stage, reason });
        return;
      }
      await postponed(reason, waited);
      const next = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(asked - 1, 10));
      await this.#pause(millis(Math.min(next, (limit ?? Number.POSITIVE_INFINITY) - waited)), signal);
    }
  }

  /** Is the stage allowed right now? For who cannot wait. */
  async once(stage: UpdateStage, context: StageContext): Promise<"go" | Postponement> {
    const { gate } = this.#options;
    return (gate && (await askOnce(gate, stage, context))) ?? "go";
  }

  async tell(stage: UpdateStage, context: StageContext): Promise<void> {
    try {
      await this.#options.gate?.after(stage, context);
    } catch (error) {
      this.#options.log.warn("what comes after a stage went wrong; nothing changes", { stage, error });
    }
  }

  async #pause(duration: Millis, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#wake.add(wake);
    try {
      await pause(this.#options.clock, duration, AbortSignal.any([signal, woken.signal]));
    } catch (error) {
      if (!woken.signal.aborted || signal.aborted) throw error;
    } finally {
      this.#wake.delete(wake);
    }
  }
}

/** Why not now; undefined when it may go on. */
async function askOnce(
  gate: UpdateGate,
  stage: UpdateStage,
  context: StageContext,
): Promise<Postponement | undefined> {
  try {
    const answer = await gate.before(stage, context);
    return answer === "go" ? undefined : { ...answer, later: plainText(answer.later) || "no reason given" };
  } catch (error) {
    if (error instanceof BusyError) return { later: plainText(error.message) };
    throw error;
  }
}
