import { ConfigError } from "../model/errors.js";
import { TransportError } from "../ports.js";

/** 0: done · 1: it ran, and something failed · 2: it could not run as asked. */
export const exitCodes = { success: 0, failure: 1, usage: 2 } as const;

/**
 * What a person is told when a command cannot run: one sentence for what they can mend, the whole error for what is our
 * fault.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof ConfigError || error instanceof TransportError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
