/** What a Server is told about this client (LwM2M Core 1.2 §6.2.1), and what of it an Update has to carry. */
import { isSince, type LwM2mVersion } from "./operations.js";
import type { UpdateRequest } from "./server-connection.js";

export interface RegistrationTerms {
  /** Seconds. */
  readonly lifetime: number;
  /** The value of `b`. */
  readonly binding: string;
  /** Is `Q` said? */
  readonly queueMode: boolean;
  /** All Objects and Object Instances, as link-format. */
  readonly objects: string;
}

/** Version 1.0 says in `b` what 1.1 and later say with `Q`: `UQ`, or `UQS` where SMS comes in. */
export function bindingTerms(
  version: LwM2mVersion,
  binding: string,
  queueMode: boolean,
): Pick<RegistrationTerms, "binding" | "queueMode"> {
  if (isSince(version, "1.1")) return { binding, queueMode };
  const known = [...binding].filter((letter) => letter === "U" || letter === "S").join("") || "U";
  if (!queueMode) return { binding: known, queueMode: false };
  return { binding: known === "US" ? "UQS" : `${known}Q`, queueMode: false };
}

/** What an Update says (Core §6.2.2): nothing when nothing changed. The two words about the binding go together. */
export function changesOf(told: RegistrationTerms, now: RegistrationTerms): UpdateRequest {
  const binding = now.binding !== told.binding || now.queueMode !== told.queueMode;
  return {
    ...(now.lifetime !== told.lifetime && { lifetime: now.lifetime }),
    ...(binding && { binding: now.binding, queueMode: now.queueMode }),
    ...(now.objects !== told.objects && { objects: now.objects }),
  };
}
