/**
 * When a notification is due (LwM2M Core 1.2 §7.3.2), as functions of state and time: no clock, no value is read here.
 */
import type { Millis } from "../ports.js";
import { millis, seconds } from "../ports.js";
import type { NotificationAttributes } from "./attributes.js";

/** Where one observation stands between two notifications. */
export interface NotificationTiming {
  /** When the last notification went out; the answer to the Observe counts as the first. */
  readonly sentAt: Millis;
  /** The value has changed since and waits for the Minimum Period to end. */
  readonly latched: boolean;
  /** When the Server last had to acknowledge; its Observe request counts as the first time. */
  readonly confirmedAt: Millis;
}

/** The Periods that count for one observation; a Maximum Period below the Minimum Period is ignored. */
export interface Periods {
  readonly minimum: Millis;
  readonly maximum: Millis | undefined;
}

/** Defaults come from /1/x/2 and /1/x/3; a Maximum Period of 0 means none. */
export function effectivePeriods(
  attached: NotificationAttributes,
  defaults: NotificationAttributes,
): Periods {
  const minimum = attached.minimumPeriod ?? defaults.minimumPeriod ?? 0;
  const maximum = attached.maximumPeriod ?? defaults.maximumPeriod ?? 0;
  return {
    minimum: seconds(minimum),
    maximum: maximum > 0 && maximum >= minimum ? seconds(maximum) : undefined,
  };
}

/** The next moment at which this observation has something to do; undefined: only a change can make it speak. */
export function nextDue(timing: NotificationTiming, periods: Periods): Millis | undefined {
  if (timing.latched) return millis(timing.sentAt + periods.minimum);
  return periods.maximum === undefined ? undefined : millis(timing.sentAt + periods.maximum);
}

/** Is a notification to be sent now? */
export function isDue(timing: NotificationTiming, periods: Periods, now: Millis): boolean {
  const due = nextDue(timing, periods);
  return due !== undefined && now >= due;
}

/**
 * Must the Server acknowledge the next notification? RFC 7641 §4.5: at least once every 24 hours; the time of the
 * retransmissions is taken off.
 */
export const mustConfirm = ({ confirmedAt }: NotificationTiming, now: Millis): boolean =>
  now - confirmedAt >= seconds(24 * 3600 - 93);
