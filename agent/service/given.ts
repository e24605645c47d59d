export type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what was not said: options that are absent have defaults of their own. */
export const given = <T extends object>(value: T): Given<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Given<T>;
