import type { Clock, Millis } from "../../agent/ports.js";

/** Lets time pass; rejects with the reason of `signal` when that fires first. */
export function pause(clock: Clock, duration: Millis, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.after(duration, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Waits for `work` to end either way, but not longer than `limit` or until `signal` fires. */
export function within(
  clock: Clock,
  limit: Millis,
  work: Promise<unknown>,
  signal?: AbortSignal,
): Promise<"ended" | "tooLong"> {
  return new Promise((resolve) => {
    const end = (outcome: "ended" | "tooLong") => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
      resolve(outcome);
    };
    const abort = () => end("tooLong");
    const timer = clock.after(limit, () => end("tooLong"));
    signal?.addEventListener("abort", abort, { once: true });
    work.then(
      () => end("ended"),
      () => end("ended"),
    );
  });
}
