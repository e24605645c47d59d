export interface RadioReadings {
  readonly linkQuality: number;
  /** dBm */
  readonly signalStrength: number | undefined;
}

/** Reads one interface of `/proc/net/wireless`; undefined when it is not there. */
export function parseWireless(table: string, name: string): RadioReadings | undefined {
  for (const line of table.split("\n")) {
    const [, found, quality, level] = /^\s*(\S+):\s+[0-9a-f]+\s+(\d+)\.?\s+(-?\d+)\.?\s/i.exec(line) ?? [];
    if (found !== name || quality === undefined || level === undefined) continue;
    return { linkQuality: Number(quality), signalStrength: decibels(Number(level)) };
  }
  return undefined;
}

/** Old drivers give dBm as a byte: 200 is -56. A small positive number is a scale of the driver's own. */
function decibels(level: number): number | undefined {
  const value = level > 63 ? level - 256 : level;
  return value < 0 ? value : undefined;
}
