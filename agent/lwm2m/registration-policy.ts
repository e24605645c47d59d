import { ConfigError } from "../model/errors.js";
import { type Millis, millis, type Random, seconds } from "../ports.js";
import type { LwM2mVersion } from "./operations.js";

/** How this client presents itself to every Server. */
export interface RegistrationPolicy {
  readonly endpointName: string;
  /** The newest version to offer. */
  readonly version: LwM2mVersion;
  /** The oldest to agree to. The same as `version` when absent. */
  readonly minimumVersion?: LwM2mVersion;
  /** As /3/0/16 says. */
  readonly binding: string;
  /** Queue mode, and how long to listen after each message. */
  readonly queueMode?: { readonly awakeTime: Millis };
  /** Sent in place of the Objects that it stands for; LwM2M 1.2 only. */
  readonly profile?: RegistrationProfile;
  /** An Update at least so often, for a NAT that forgets. */
  readonly keepAliveSeconds?: number;
  /** Before the first attempt, so that a fleet that gets its power back does not come all at once. */
  readonly startDelay?: Millis;
}

/** A Profile ID (LwM2M Core 1.2 §6.2.1) as agreed on with the Server, and the Objects that it does not cover. */
export interface RegistrationProfile {
  /** `v:my-profile`, `6:1234abcd`, or several in quotes. A Server that does not know it is told all Objects. */
  readonly id: string;
  /** Listed beside the Profile ID. Absent: it covers all. */
  readonly uncovered?: readonly number[];
}

/** The same in the words of an operator. */
export interface RegistrationOptions {
  /** The newest version of LwM2M to offer, `1.2` unless given; Servers may negotiate down to `minimumVersion`. */
  readonly version?: LwM2mVersion;
  /** `1.0` unless given. */
  readonly minimumVersion?: LwM2mVersion;
  /** The device sleeps between its messages, and Servers keep for it what they have to say. */
  readonly queueMode?: boolean;
  /** In queue mode: how long the device listens after a message; 93 (MAX_TRANSMIT_WAIT) unless given. */
  readonly awakeSeconds?: number;
  readonly profile?: RegistrationProfile;
  /** An Update at least so often, for a NAT that forgets; below 240 makes sense. Never just for that unless given. */
  readonly keepAliveSeconds?: number;
  /** The first Register waits for a random time up to this, so that a fleet does not come all at once; 0 unless given. */
  readonly startSpreadSeconds?: number;
}

/** RFC 7252 §4.8.2, MAX_TRANSMIT_WAIT with the default parameters. */
const maxTransmitWaitSeconds = 93;

/** @throws ConfigError naming the option that makes no sense */
export function registrationPolicy(
  options: RegistrationOptions & { readonly endpointName: string },
  { binding, random }: { readonly binding: string; readonly random: Random },
): RegistrationPolicy {
  const { endpointName, version = "1.2", minimumVersion = "1.0", profile, keepAliveSeconds } = options;
  const { queueMode = false, awakeSeconds = maxTransmitWaitSeconds, startSpreadSeconds = 0 } = options;
  if (minimumVersion > version) {
    throw new ConfigError(`minimumVersion ${minimumVersion} is above version ${version}: make it no greater`);
  }
  checkPositive({ awakeSeconds, keepAliveSeconds });
  if (!(startSpreadSeconds >= 0)) throw new ConfigError("startSpreadSeconds is a time, and not negative");
  if (profile !== undefined && !isProfileId(profile.id)) {
    throw new ConfigError(
      `profile.id "${profile.id}" is no Profile ID: one looks like v:my-profile or 6:1234abcd`,
    );
  }
  return {
    endpointName,
    version,
    minimumVersion,
    binding,
    startDelay: millis(random.fraction() * seconds(startSpreadSeconds)),
    ...(queueMode && { queueMode: { awakeTime: seconds(awakeSeconds) } }),
    ...(profile && { profile }),
    ...(keepAliveSeconds !== undefined && { keepAliveSeconds }),
  };
}

function checkPositive(values: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && !(value > 0)) throw new ConfigError(`${name} is a time, and above 0`);
  }
}

/** LwM2M Core 1.2 §6.2.1: the hash of the list by an RFC 6920 suite, or a name of OMA's or of a vendor's. */
const one = "(?:[1-6]:[0-9a-f]+|(?:oma|v):[A-Za-z0-9-]+)";
const profileIds = new RegExp(`^(?:${one}|"${one}(?:,${one})*")$`);

/** Is it what `pid` may say? */
export const isProfileId = (text: string): boolean => profileIds.test(text);
