/**
 * Queue mode (LwM2M Core 1.2 §6.2, Transport §6.6): after each message the client listens for a while, then sleeps until
 * it has something to say.
 */
import { type Clock, type Millis, millis, type Timer } from "../ports.js";

export interface AwakeWindowOptions {
  readonly clock: Clock;
  /** How long the client listens after a message. */
  readonly duration: Millis;
  readonly onSleep: () => void;
  readonly onWake: () => void;
}

/** Begins asleep. */
export class AwakeWindow {
  readonly #options: AwakeWindowOptions;
  #lastActivity: Millis;
  /** undefined while asleep. One timer per window, not one per message: it looks how much time is left. */
  #timer: Timer | undefined;

  constructor(options: AwakeWindowOptions) {
    this.#options = options;
    this.#lastActivity = options.clock.now();
  }

  get isAwake(): boolean {
    return this.#timer !== undefined;
  }

  /** A message was sent, which wakes a client that slept. */
  sent(): void {
    const { clock, duration, onWake } = this.#options;
    this.#lastActivity = clock.now();
    if (this.#timer !== undefined) return;
    this.#timer = clock.after(duration, () => this.#fire());
    onWake();
  }

  /** A message has come. While asleep it did not: the radio was off. */
  received(): void {
    if (this.#timer !== undefined) this.#lastActivity = this.#options.clock.now();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    const { clock, duration, onSleep } = this.#options;
    const left = this.#lastActivity + duration - clock.now();
    if (left > 0) {
      this.#timer = clock.after(millis(left), () => this.#fire());
      return;
    }
    this.#timer = undefined;
    onSleep();
  }
}
