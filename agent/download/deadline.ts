import { type Clock, type Millis, millis, type Timer } from "../ports.js";

/** A bound on time that does not count while it is paused. */
export class Deadline {
  readonly #clock: Clock;
  readonly #overdue = new AbortController();
  readonly #reason: () => Error;
  #remaining: Millis;
  #running: { readonly since: Millis; readonly timer: Timer } | undefined;

  constructor(limit: Millis, clock: Clock, reason: () => Error) {
    this.#remaining = limit;
    this.#clock = clock;
    this.#reason = reason;
  }

  /** Fires when the time is up. */
  get signal(): AbortSignal {
    return this.#overdue.signal;
  }

  run(): void {
    if (this.#running) return;
    const timer = this.#clock.after(this.#remaining, () => this.#overdue.abort(this.#reason()));
    this.#running = { since: this.#clock.now(), timer };
  }

  pause(): void {
    if (!this.#running) return;
    const { since, timer } = this.#running;
    timer.cancel();
    this.#remaining = millis(Math.max(0, this.#remaining - (this.#clock.now() - since)));
    this.#running = undefined;
  }
}
