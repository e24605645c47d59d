/** The one place where what a handler throws becomes a response. */
import type { Log, LogFields } from "../ports.js";
import { isResponseCode, isSuccess } from "./code.js";
import type { Response } from "./exchange-types.js";

/**
 * Known by its `code`, not by its class: the layer above has errors of its own that say what the peer shall see. The
 * message stays in our log.
 */
export function faultResponse(error: unknown, log: Log, fields: LogFields): Response {
  const said = error instanceof Error && "code" in error ? error.code : undefined;
  const code = isResponseCode(said) && !isSuccess(said) ? said : "5.00";
  if (code === "5.00") log.error("request failed", { ...fields, error });
  else
    log.debug("request refused", { ...fields, code, reason: error instanceof Error ? error.message : error });
  return { code };
}

/** Lets who made the response know that it is on its way. */
export function afterSent(response: Response, log: Log): void {
  try {
    response.afterSent?.();
  } catch (error) {
    log.error("work after a response failed", { error });
  }
}
