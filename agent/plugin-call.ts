/** One call into a plugin: as the plugin's, and within its time. */
import { type Clock, type Millis, millis, type PluginContainment, type Timer } from "./ports.js";

/** Nobody waits for the callback any more. */
export class PluginOverdue extends Error {
  override readonly name = "PluginOverdue";
}

export interface PluginCall {
  readonly plugin: string;
  readonly callback: string;
  readonly limit: Millis;
  readonly clock: Clock;
  readonly containment: PluginContainment;
}

/** What a callback asks of the agent takes the agent's time. */
export type NotCounted = <T>(act: () => Promise<T>) => Promise<T>;

/**
 * Resolves when the callback has.
 * @throws PluginOverdue when it takes longer than `limit`; what the callback throws
 */
export async function callPlugin<T>(
  { plugin, callback, limit, clock, containment }: PluginCall,
  act: (notCounted: NotCounted) => T | Promise<T>,
): Promise<T> {
  let giveUp: (error: PluginOverdue) => void = () => undefined;
  const overdue = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const budget = new TimeBudget(limit, clock, () =>
    giveUp(
      new PluginOverdue(`the plugin ${plugin} did not return from ${callback} within ${limit / 1000} s`),
    ),
  );
  try {
    const called = new Promise<T>((resolve) =>
      resolve(containment.inside(plugin, callback, () => act((work) => budget.without(work)))),
    );
    return await Promise.race([called, overdue]);
  } finally {
    budget.end();
  }
}

/** Time that is spent while nothing interrupts it. */
class TimeBudget {
  readonly #clock: Clock;
  readonly #spent: () => void;
  #left: Millis;
  #since: Millis;
  #timer: Timer | undefined;
  #interruptions = 0;
  #isOver = false;

  constructor(limit: Millis, clock: Clock, spent: () => void) {
    this.#clock = clock;
    this.#spent = spent;
    this.#left = limit;
    this.#since = clock.now();
    this.#run();
  }

  async without<T>(act: () => Promise<T>): Promise<T> {
    if (this.#interruptions++ === 0) {
      this.#timer?.cancel();
      this.#left = millis(this.#left - (this.#clock.now() - this.#since));
    }
    try {
      return await act();
    } finally {
      if (--this.#interruptions === 0 && !this.#isOver) this.#run();
    }
  }

  end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #run(): void {
    this.#since = this.#clock.now();
    this.#timer = this.#clock.after(this.#left, this.#spent);
  }
}
