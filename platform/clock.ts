import { type Clock, type Millis, millis, type Timer } from "../agent/ports.js";

/** The longest delay that `setTimeout` keeps; it fires at once on anything above. */
const longestDelay = 2 ** 31 - 1;

/** The time of this machine. A waiting timer keeps the process alive. */
export const createSystemClock = (): Clock => ({
  now,
  date: () => new Date(),
  after: (delay, fire) => (delay <= longestDelay ? afterShort(delay, fire) : afterLong(delay, fire)),
});

/** As `performance.now()`, which loads all of `node:perf_hooks` and a start does not need. */
function now(): Millis {
  const [seconds, nanoseconds] = process.hrtime();
  return millis(seconds * 1000 + nanoseconds / 1e6);
}

function afterShort(delay: Millis, fire: () => void): Timer {
  const timer = setTimeout(fire, delay);
  return { cancel: () => clearTimeout(timer) };
}

/** A registration lifetime may be longer than 24.8 days: such a wait is a chain of the longest ones. */
function afterLong(delay: Millis, fire: () => void): Timer {
  const due = now() + delay;
  const wait = () => {
    const remaining = due - now();
    return remaining > longestDelay ? setTimeout(next, longestDelay) : setTimeout(fire, remaining);
  };
  const next = () => {
    timer = wait();
  };
  let timer = wait();
  return { cancel: () => clearTimeout(timer) };
}
