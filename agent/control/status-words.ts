/** How the status is put into words, in a terminal and on the status page. */

/** States of a registration. */
export const registrationWords: Readonly<Record<string, string>> = {
  registered: "registered",
  updating: "registered",
  registering: "registering",
  backingOff: "not registered",
  waiting: "waits for its turn",
  unregistered: "not registered",
  disabled: "disabled by the Server",
};

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** `3 min ago` */
export const ago = (iso: string, now: Date): string => `${span(now.getTime() - Date.parse(iso))} ago`;

/** `in 58 s` */
export const until = (iso: string, now: Date): string => `in ${span(Date.parse(iso) - now.getTime())}`;

/** Rounded to what one says: `90 s`, `15 min`, `3 h`, `4 days`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
