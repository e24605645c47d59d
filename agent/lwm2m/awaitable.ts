/**
 * Values that are mostly there already. A Read of what is in memory is answered in the turn of the event loop that its
 * request came in: promises on that way cost more than all the rest of it.
 */
export type Awaitable<T> = T | Promise<T>;

/** Goes on with `value` at once when it is there. What `next` throws is thrown, or rejects, the same way. */
export const whenReady = <T, U>(value: Awaitable<T>, next: (value: T) => U): U | Promise<Awaited<U>> =>
  value instanceof Promise ? (value.then(next) as Promise<Awaited<U>>) : next(value);

/** All values, as a list that is there when they are. */
export const all = <T>(values: readonly Awaitable<T>[]): Awaitable<readonly T[]> =>
  values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as readonly T[]);
