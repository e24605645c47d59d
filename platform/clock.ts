import { type Clock, type Millis, millis, type Timer } from "../agent/ports.js";

/** The longest delay that `setTimeout` keeps; it fires at once on anything above. */
const longestDelay = 2 ** 31 - 1;

/** The time of this machine. A waiting timer keeps the process alive. */
export const createSystemClock = (): Clock => ({
  now: () => millis(performance.now()),
  date: () => new Date(),
  after: (delay, fire) => (delay <= longestDelay ? afterShort(delay, fire) : afterLong(delay, fire)),
});

function afterShort(delay: Millis, fire: () => void): Timer {
  const timer = setTimeout(fire, delay);
  return { cancel: () => clearTimeout(timer) };
}

/** A registration lifetime may be longer than 24.8 days: such a wait is a chain of the longest ones. */
function afterLong(delay: Millis, fire: () => void): Timer {
  const due = performance.now() + delay;
  const wait = () => {
    const remaining = due - performance.now();
    return remaining > longestDelay ? setTimeout(next, longestDelay) : setTimeout(fire, remaining);
  };
  const next = () => {
    timer = wait();
  };
  let timer = wait();
  return { cancel: () => clearTimeout(timer) };
}
