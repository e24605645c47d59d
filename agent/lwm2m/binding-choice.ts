/** Letters of bindings (LwM2M Core 1.2 §6.2.1.2), such as `U` or `UT`. */
export interface BindingChoice {
  /** /3/0/16: what this client can do. */
  readonly supported: string;
  /** /1/x/7: what the Server accepts. */
  readonly accepted: string;
  /** /1/x/22: what the Server would rather have. */
  readonly preferred: string | undefined;
}

/** UDP is always taken to be there: an account that names only what we cannot do must not silence the device. */
const always = "U";

/** The letter of the transport for the next connection. */
export function chooseBinding({ supported, accepted, preferred }: BindingChoice): string {
  const usable = (letter: string) => isUsable(letter, { supported, accepted });
  if (preferred !== undefined && usable(preferred)) return preferred;
  return [...accepted].find(usable) ?? always;
}

/** May a Server order this binding, by /1/x/22 or with the trigger of /1/x/8? */
export const isUsable = (
  letter: string,
  { supported, accepted }: Pick<BindingChoice, "supported" | "accepted">,
): boolean =>
  letter.length === 1 && supported.includes(letter) && (accepted.includes(letter) || letter === always);
