/** With which words a client tries to register: the newest first, and older ones as the Server refuses them. */
import type { LwM2mVersion } from "./operations.js";

export interface Offer {
  readonly version: LwM2mVersion;
  /** Is the Profile ID sent in place of the Objects that it stands for? */
  readonly profile: boolean;
}

export interface OfferRules {
  /** The newest version that this client speaks. */
  readonly version: LwM2mVersion;
  /** The oldest. */
  readonly minimumVersion: LwM2mVersion;
  /** /1/x/25: what the Server says it speaks, such as `1.1` or `1.2.1`; may be empty. */
  readonly supportedVersions: readonly string[];
  /** Is a Profile ID configured? */
  readonly profile: boolean;
}

const newestFirst: readonly LwM2mVersion[] = ["1.2", "1.1", "1.0"];

/** The newest version that both sides speak; ours when the Server says nothing that helps. */
export function firstOffer({ version, minimumVersion, supportedVersions, profile }: OfferRules): Offer {
  const spoken = newestFirst.filter((each) => each <= version && each >= minimumVersion);
  const supported = new Set(supportedVersions.map(enabler));
  const chosen = spoken.find((each) => supported.has(each)) ?? version;
  return { version: chosen, profile: profile && chosen === "1.2" };
}

/** `1.2.1` registers as `1.2`. */
const enabler = (version: string): string => version.split(".", 2).join(".");

/**
 * What to offer at once after a refusal; undefined when the refusal is about something else. 4.12 is about the version
 * (Core §6.2.1); a Server that knows neither the version nor its parameters may say 4.00 instead. A Profile ID that
 * the Server cannot resolve is 4.09, or 4.00 where it is an unknown parameter.
 */
export function nextOffer(
  refused: Offer,
  code: string | undefined,
  minimumVersion: LwM2mVersion,
): Offer | undefined {
  if (refused.profile && (code === "4.09" || code === "4.00")) return { ...refused, profile: false };
  if (code !== "4.12" && code !== "4.00") return undefined;
  const version = newestFirst.find((each) => each < refused.version);
  return version === undefined || version < minimumVersion ? undefined : { version, profile: false };
}
