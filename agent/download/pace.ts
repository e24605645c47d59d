import { type Clock, type Millis, millis } from "../ports.js";
import { wait } from "../wait.js";

/** Waits shorter than this are put together: a timer for each piece would cost more than it delays. */
const shortestWait = millis(100);

/** Keeps all downloads together below so many bytes per second: a token bucket that holds the bytes of one second. */
export class Pace {
  readonly #limit: number | undefined;
  readonly #clock: Clock;
  /** Bytes that may come at once; below 0 is what came too early. */
  #tokens: number;
  #filledAt: Millis;

  /** @param limit bytes per second; undefined: as fast as they come */
  constructor(limit: number | undefined, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#tokens = limit ?? 0;
    this.#filledAt = clock.now();
  }

  /** Takes note of bytes that came. undefined when more may come now, else what to wait for. */
  took(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.#limit === undefined) return undefined;
    const now = this.#clock.now();
    const filled = this.#tokens + ((now - this.#filledAt) / 1000) * this.#limit;
    this.#tokens = Math.min(this.#limit, filled) - bytes;
    this.#filledAt = now;
    const delay = millis((-this.#tokens / this.#limit) * 1000);
    return delay < shortestWait ? undefined : wait(delay, this.#clock, signal);
  }
}
