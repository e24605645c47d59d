import { type Clock, type Millis, seconds } from "../agent/ports.js";

type Awaitable<T> = T | Promise<T>;

/**
 * Asks at most once a second: a Server that reads all Resources of an Object asks the same board, bus or file once. What is
 * known already is answered at once.
 */
export function createRecent<T>(clock: Clock, ask: () => Awaitable<T>): () => Awaitable<T> {
  let known: { readonly value: T; readonly until: Millis } | undefined;
  let asking: Promise<T> | undefined;
  const keep = (value: T): T => {
    known = { value, until: (clock.now() + age) as Millis };
    return value;
  };
  return () => {
    if (known !== undefined && clock.now() < known.until) return known.value;
    if (asking !== undefined) return asking;
    const answer = ask();
    if (!(answer instanceof Promise)) return keep(answer);
    asking = answer.then(keep).finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** For so long a reading counts as recent. */
const age = seconds(1);

/** Goes on with a value at once when it is there. */
export const whenKnown = <T, U>(value: Awaitable<T>, next: (value: T) => U): Awaitable<U> =>
  value instanceof Promise ? value.then(next) : next(value);
