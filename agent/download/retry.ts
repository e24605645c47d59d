import { type Millis, millis, type Random } from "../ports.js";

/** It did not work this time and may the next: the connection or the server is at fault, not the address. */
export class TemporaryError extends Error {
  override readonly name = "TemporaryError";
  /** What the server asked us to wait. */
  readonly retryAfter: Millis | undefined;
  constructor(
    message: string,
    { retryAfter, ...options }: ErrorOptions & { retryAfter?: Millis | undefined } = {},
  ) {
    super(message, options);
    this.retryAfter = retryAfter;
  }
}

export interface RetryLimits {
  /** Failures in a row, without any progress in between, after which it is given up. */
  readonly attempts: number;
  /** The longest wait after the first failure; it doubles with each. */
  readonly retryDelay: Millis;
  /** The longest wait ever, whatever the server asks. */
  readonly maximumRetryDelay: Millis;
}

/**
 * The wait after that many failures in a row: exponential with full jitter, so that a fleet that lost its server does
 * not come back as one.
 */
export function retryDelay(
  failures: number,
  retryAfter: Millis | undefined,
  { retryDelay, maximumRetryDelay }: RetryLimits,
  random: Random,
): Millis {
  const backOff = random.fraction() * retryDelay * 2 ** (failures - 1);
  return millis(Math.round(Math.min(maximumRetryDelay, Math.max(backOff, retryAfter ?? 0))));
}
