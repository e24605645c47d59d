/** When downloads may go on: maintenance hours, and the random delay that spreads a fleet. */
import { type Clock, millis, type Random } from "../ports.js";
import { wait } from "../wait.js";
import { isClockSet } from "./clock-check.js";
import type { DownloadOptions } from "./options.js";
import { nextOpening } from "./window.js";

/** Calendar time jumps when it is set; it is looked at again after so long. */
const longestLook = millis(60_000);

export class Schedule {
  readonly #windows: NonNullable<DownloadOptions["windows"]>;
  readonly #startDelay: number;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(
    { windows = [], startDelay = millis(0) }: Pick<DownloadOptions, "windows" | "startDelay">,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#windows = windows;
    this.#startDelay = startDelay;
    this.#clock = clock;
    this.#random = random;
  }

  /** May bytes come now? */
  get isOpen(): boolean {
    return this.#obstacle() === undefined;
  }

  /**
   * Waits until bytes may come.
   * @param tell hears what it waits for, each time that this changes
   */
  async untilOpen(tell: (waiting: string) => void, signal: AbortSignal): Promise<void> {
    let told: string | undefined;
    for (let obstacle = this.#obstacle(); obstacle !== undefined; obstacle = this.#obstacle()) {
      if (obstacle.waiting !== told) tell(obstacle.waiting);
      told = obstacle.waiting;
      await wait(millis(Math.min(obstacle.delay, longestLook)), this.#clock, signal);
    }
  }

  /** Waits the random part of the start delay. */
  async delayStart(tell: (waiting: string) => void, signal: AbortSignal): Promise<void> {
    if (this.#startDelay === 0) return;
    const delay = millis(Math.round(this.#random.fraction() * this.#startDelay));
    tell(`the download begins in ${Math.ceil(delay / 1000)} s, so that not all devices begin at once`);
    await wait(delay, this.#clock, signal);
  }

  #obstacle(): { readonly waiting: string; readonly delay: number } | undefined {
    if (this.#windows.length === 0) return undefined;
    const now = this.#clock.date();
    if (!isClockSet(now)) {
      return {
        waiting: "the download window is unknown until the clock of this device is set",
        delay: longestLook,
      };
    }
    const opening = nextOpening(this.#windows, now);
    if (opening <= now) return undefined;
    return {
      waiting: `the download window opens at ${opening.toISOString()}`,
      delay: opening.getTime() - now.getTime(),
    };
  }
}
