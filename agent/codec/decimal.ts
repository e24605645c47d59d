import { DecodeError } from "../model/errors.js";

const decimal = /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** No float64 needs more when it is written without an exponent; longer ones only cost time. */
const MAXIMUM_LENGTH = 400;

/** Beyond this no integer type of LwM2M reaches, and a float64 serves. */
const INTEGER_LIMIT = 2 ** 64;

/**
 * Reads a decimal number, with or without fraction and exponent. Integers of up to 64 bits stay exact, however they
 * are written (`5.0`, `9007199254740993`, `1e18`): a `bigint` where a `number` could not hold them.
 * @throws DecodeError for anything else, and for numbers that overflow a float64
 */
export function parseDecimal(text: string): number | bigint {
  const match = text.length <= MAXIMUM_LENGTH ? decimal.exec(text) : null;
  const value = Number(text);
  if (match === null || !Number.isFinite(value)) throw new DecodeError("this is not a decimal number");
  const size = Math.abs(value);
  if (size <= Number.MAX_SAFE_INTEGER || size > INTEGER_LIMIT) return value;
  const [, whole = "", fraction = "", exponent = "0"] = match;
  return exactInteger(BigInt(whole + fraction), Number(exponent) - fraction.length) ?? value;
}

/** `digits × 10^power`, unless that has a fraction. The caller knows that the result is of moderate size. */
function exactInteger(digits: bigint, power: number): bigint | undefined {
  if (power >= 0) return digits * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return digits % divisor === 0n ? digits / divisor : undefined;
}

/** Writes a finite number in the fewest digits that read back as the same number, without an exponent. */
export function formatDecimal(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign = "", first = "", rest = "", exponent = ""] = match;
  const digits = first + rest;
  const point = Number(exponent) + 1; // how many digits stand before the decimal point
  return point > 0 ? sign + digits.padEnd(point, "0") : `${sign}0.${"0".repeat(-point)}${digits}`;
}
