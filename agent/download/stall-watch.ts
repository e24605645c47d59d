import { type Clock, millis, type Timer } from "../ports.js";
import type { DownloadLimits } from "./options.js";

/**
 * Notices a sender that has stopped, or hands out a byte now and then: it has to send `minimumRate` bytes per second on
 * average over `stallTimeout`. Only the time counts in which we wait for it: a slow disk is not its fault.
 */
export class StallWatch {
  readonly #limits: Pick<DownloadLimits, "stallTimeout" | "minimumRate">;
  readonly #clock: Clock;
  readonly #stalled: () => void;
  #timer: Timer | undefined;
  #since = 0;
  /** Milliseconds that we waited for it, and bytes that came for that. */
  #waited = 0;
  #bytes = 0;

  constructor(
    limits: Pick<DownloadLimits, "stallTimeout" | "minimumRate">,
    clock: Clock,
    stalled: () => void,
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#stalled = stalled;
  }

  /** The next bytes are waited for from now on. */
  begin(): void {
    this.#since = this.#clock.now();
    const patience = millis(Math.max(0, this.#limits.stallTimeout - this.#waited));
    this.#timer = this.#clock.after(patience, this.#stalled);
  }

  /** They came. */
  end(bytes: number): void {
    this.#timer?.cancel();
    this.#waited += this.#clock.now() - this.#since;
    this.#bytes += bytes;
    const { minimumRate, stallTimeout } = this.#limits;
    if (this.#bytes < (minimumRate * stallTimeout) / 1000) return;
    this.#waited = 0;
    this.#bytes = 0;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
