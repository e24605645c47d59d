/**
 * How records are written: JSON with a version, checked field by field when it comes back. A record may be
 * damaged or of another release; what does not parse is a DecodeError and never a half-believed value.
 */
import { DecodeError } from "../model/errors.js";

/** Turns parsed JSON into a `T`, or throws a DecodeError. */
export type Parser<T> = (json: unknown) => T;

export const encodeRecord = (version: number, content: unknown): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ version, content }));

/** @throws DecodeError unless `bytes` are a record of that version with that content */
export function decodeRecord<T>(bytes: Uint8Array, version: number, content: Parser<T>): T {
  const record = objectOf(parseJson(bytes));
  oneOf(version)(record["version"]);
  return content(record["content"]);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError("the record is not JSON", { cause });
  }
}

export const text: Parser<string> = (json) => {
  if (typeof json !== "string") throw new DecodeError(`expected text, found ${typeof json}`);
  return json;
};

export const boolean: Parser<boolean> = (json) => {
  if (typeof json !== "boolean") throw new DecodeError(`expected true or false, found ${typeof json}`);
  return json;
};

export const integer =
  (minimum: number, maximum: number): Parser<number> =>
  (json) => {
    if (!Number.isSafeInteger(json) || Number(json) < minimum || Number(json) > maximum) {
      throw new DecodeError(`expected an integer from ${minimum} to ${maximum}`);
    }
    return Number(json);
  };

export const oneOf =
  <const T extends string | number | null>(...values: readonly T[]): Parser<T> =>
  (json) => {
    const found = values.find((value) => value === json);
    if (found === undefined) throw new DecodeError(`expected one of ${values.join(", ")}`);
    return found;
  };

export const optional =
  <T>(parser: Parser<T>): Parser<T | undefined> =>
  (json) =>
    json === undefined ? undefined : parser(json);

export const nullable =
  <T>(parser: Parser<T>): Parser<T | null> =>
  (json) =>
    json === null ? null : parser(json);

export const list =
  <T>(item: Parser<T>): Parser<readonly T[]> =>
  (json) => {
    if (!Array.isArray(json)) throw new DecodeError("expected a list");
    return json.map(item);
  };

type Fields = Record<string, Parser<unknown>>;

type OptionalNames<S extends Fields> = {
  [Name in keyof S]: undefined extends ReturnType<S[Name]> ? Name : never;
}[keyof S];

type Shaped<S extends Fields> = {
  readonly [Name in Exclude<keyof S, OptionalNames<S>>]: ReturnType<S[Name]>;
} & {
  readonly [Name in OptionalNames<S>]?: Exclude<ReturnType<S[Name]>, undefined>;
};

/** An object with these fields; fields that it does not know are left out. */
export const shape =
  <S extends Fields>(fields: S): Parser<Shaped<S>> =>
  (json) => {
    const present = objectOf(json);
    const entries = Object.entries(fields).flatMap(([name, parser]) => {
      const value = parser(Object.hasOwn(present, name) ? present[name] : undefined);
      return value === undefined ? [] : [[name, value]];
    });
    return Object.fromEntries(entries) as Shaped<S>; // built from S, field by field
  };

/** An object whose field `tag` says which of the parsers is for it. */
export const variant =
  <V extends Fields>(tag: string, variants: V): Parser<ReturnType<V[keyof V]>> =>
  (json) => {
    const name = text(objectOf(json)[tag]);
    const parser = Object.hasOwn(variants, name) ? variants[name] : undefined;
    if (parser === undefined) throw new DecodeError(`unknown ${tag} ${JSON.stringify(name)}`);
    return parser(json) as ReturnType<V[keyof V]>; // one of the parsers of V
  };

function objectOf(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new DecodeError("expected an object");
  }
  return json as Record<string, unknown>;
}
