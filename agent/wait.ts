import type { Clock, Millis } from "./ports.js";

/** @throws the abort reason when `signal` fires */
export function wait(duration: Millis, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      timer.cancel();
      signal.removeEventListener("abort", abort);
      settle();
    };
    const abort = () => done(() => reject(signal.reason));
    const timer = clock.after(duration, () => done(resolve));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}
