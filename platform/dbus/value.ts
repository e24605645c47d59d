/**
 * Values of D-Bus as JavaScript has them: numbers for integers of up to 32 bits and doubles, bigint for 64 bits, text for
 * strings, paths and signatures, arrays for arrays and structures, Maps for dictionaries.
 */
export type Value =
  | number
  | bigint
  | boolean
  | string
  | Variant
  | readonly Value[]
  | ReadonlyMap<Value, Value>;

/** A value that brings its own type. */
export class Variant {
  readonly signature: string;
  readonly value: Value;
  constructor(signature: string, value: Value) {
    this.signature = signature;
    this.value = value;
  }
}

/** What a variant holds, also one in another one, as RAUC has them; any other value itself. */
export const unwrap = (value: Value | undefined): Value | undefined =>
  value instanceof Variant ? unwrap(value.value) : value;

/** A dictionary of properties (`a{sv}`) by name, without their variants; undefined when it is something else. */
export function toProperties(value: Value | undefined): ReadonlyMap<string, Value> | undefined {
  if (!(value instanceof Map)) return undefined;
  const properties = new Map<string, Value>();
  for (const [name, property] of value) {
    const bare = unwrap(property);
    if (typeof name !== "string" || bare === undefined) return undefined;
    properties.set(name, bare);
  }
  return properties;
}
