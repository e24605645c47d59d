/** No clock that is set shows an earlier time than this program was written at. */
const earliest = new Date("2026-01-01T00:00:00Z");

/** A board without a battery begins at 1970, or at the build of its image, until it has asked for the time. */
export const isClockSet = (date: Date): boolean => date >= earliest;
