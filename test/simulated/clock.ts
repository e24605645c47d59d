import { type Clock, type Millis, millis, type Timer } from "../../agent/ports.js";

export interface SimulatedClock extends Clock {
  /** Lets time pass: timers fire in order, and what they cause (promises included) happens before the next one. */
  advance(duration: Millis): Promise<void>;
  /** Timers that are waiting. */
  readonly pending: number;
}

/** Time that stands still until a test lets it pass. */
export function createSimulatedClock(start = new Date("2026-01-01T00:00:00Z")): SimulatedClock {
  let now = 0;
  let sequence = 0;
  const timers = new Map<number, { due: number; fire: () => void }>();
  const next = (limit: number) => {
    let found: { id: number; due: number; fire: () => void } | undefined;
    for (const [id, timer] of timers) {
      if (timer.due <= limit && (found === undefined || timer.due < found.due)) found = { id, ...timer };
    }
    return found;
  };
  return {
    now: () => millis(now),
    date: () => new Date(start.getTime() + now),
    after(delay, fire): Timer {
      const id = sequence++;
      timers.set(id, { due: now + Math.max(0, delay), fire });
      return { cancel: () => void timers.delete(id) };
    },
    async advance(duration) {
      const end = now + duration;
      await settle();
      for (let timer = next(end); timer !== undefined; timer = next(end)) {
        timers.delete(timer.id);
        now = timer.due;
        timer.fire();
        await settle();
      }
      now = end;
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Lets every promise that is ready run, and those that they make ready. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
