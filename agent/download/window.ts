/** Maintenance hours, in the local time of the device. */

export const weekdays = [
  "sunday",
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
] as const;
export type Weekday = (typeof weekdays)[number];

export interface DownloadWindow {
  /** On which it opens: every day when not given. */
  readonly days?: readonly Weekday[];
  /** `HH:MM`, from 00:00 to 23:59. */
  readonly from: string;
  /** `HH:MM`, from 00:00 to 24:00. Not after `from` means on the next day; the same means 24 hours. */
  readonly to: string;
}

/** What keeps a window from being one; undefined when nothing does. */
export function windowFault({ days, from, to }: DownloadWindow): string | undefined {
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(from)) return `windows: "${from}" is no time of day as 22:30`;
  if (!/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/.test(to)) return `windows: "${to}" is no time of day as 04:30`;
  if (days?.length === 0) return "windows: a window without any day never opens";
  const unknown = days?.find((day) => !weekdays.includes(day));
  return unknown === undefined ? undefined : `windows: "${unknown}" is no day as monday`;
}

/**
 * When the next of these windows opens: `now` itself when one is open. Without windows every time is good.
 * @param windows without a fault
 */
export function nextOpening(windows: readonly DownloadWindow[], now: Date): Date {
  if (windows.length === 0) return now;
  // From yesterday, whose windows may reach into today, to this day in a week.
  const openings = windows.flatMap((window) =>
    Array.from({ length: 9 }, (_, index) => occurrence(window, now, index - 1)),
  );
  const next = openings
    .filter((span) => span !== undefined && span.end > now)
    .map((span) => (span !== undefined && span.start > now ? span.start : now));
  return next.reduce((first, one) => (one < first ? one : first), next[0] ?? now);
}

/** The window that opens `daysAhead` days from today; undefined when it does not on that day. */
function occurrence(
  { days, from, to }: DownloadWindow,
  now: Date,
  daysAhead: number,
): { readonly start: Date; readonly end: Date } | undefined {
  const start = localTime(now, daysAhead, from);
  const day = weekdays[localTime(now, daysAhead, "12:00").getDay()];
  if (days !== undefined && (day === undefined || !days.includes(day))) return undefined;
  return { start, end: localTime(now, to <= from ? daysAhead + 1 : daysAhead, to) };
}

/** By the calendar, not by adding 24 hours: a day may have 23 or 25 of them. */
function localTime(now: Date, daysAhead: number, time: string): Date {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + daysAhead, hours, minutes);
}
