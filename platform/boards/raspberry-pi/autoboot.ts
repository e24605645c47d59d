/** `autoboot.txt`: which partition the firmware of a Raspberry Pi boots, always and for one try. */

export interface Autoboot {
  /** Whether the two ways to boot are two partitions. */
  readonly usesPartitions: boolean;
  /** What is booted always; partitions count from 1. */
  readonly all: number | undefined;
  /** What is booted once, on request. */
  readonly tryboot: number | undefined;
}

/** Bytes; the firmware reads no more. */
export const maximumAutobootSize = 512;

type Section = "all" | "tryboot" | "other";

export function parseAutoboot(text: string): Autoboot {
  let usesPartitions = false;
  const partitions: Partial<Record<Section, number>> = {};
  for (const { section, key, value } of settings(text)) {
    if (key === "boot_partition" && /^\d{1,3}$/.test(value)) partitions[section] = Number(value);
    if (key === "tryboot_a_b" && section === "all") usesPartitions = value === "1";
  }
  return { usesPartitions, all: partitions.all, tryboot: partitions.tryboot };
}

/**
 * The same text with other partitions, and of the same length, so that it can be written over the old one: the two differ
 * in digits alone, and whichever of them the sector holds after a power cut is valid.
 * @throws Error when the text has no place for them
 */
export function switchAutoboot(text: string, all: number, tryboot: number): string {
  const wanted: Partial<Record<Section, number>> = { all, tryboot };
  let switched = text;
  // From the end, so that what comes before stays where it is.
  for (const { section, key, value, offset } of settings(text).reverse()) {
    const partition = wanted[section];
    if (key !== "boot_partition" || partition === undefined) continue;
    switched = switched.slice(0, offset) + String(partition) + switched.slice(offset + value.length);
  }
  const excess = switched.length - text.length;
  if (excess > 0 && switched.endsWith("\n".repeat(excess + 1))) switched = switched.slice(0, -excess);
  switched = switched.padEnd(text.length, "\n");
  const result = parseAutoboot(switched);
  if (switched.length !== text.length || result.all !== all || result.tryboot !== tryboot) {
    throw new Error(
      `autoboot.txt has no place for boot_partition ${all} in [all] and ${tryboot} in [tryboot]: write both lines, and a few empty ones at its end`,
    );
  }
  return switched;
}

interface Setting {
  readonly section: Section;
  readonly key: string;
  readonly value: string;
  /** Of the value, in the text. */
  readonly offset: number;
}

/** Lines before any section count for all, as in config.txt. */
function settings(text: string): Setting[] {
  const found: Setting[] = [];
  let section: Section = "all";
  let offset = 0;
  for (const line of text.split("\n")) {
    const heading = /^\s*\[(\w+)\]\s*$/.exec(line)?.[1];
    if (heading !== undefined) section = heading === "all" || heading === "tryboot" ? heading : "other";
    const setting = /^(\s*([a-z_]+)\s*=\s*)([^\s#]*)/.exec(line);
    if (setting !== null) {
      const [, before = "", key = "", value = ""] = setting;
      found.push({ section, key, value, offset: offset + before.length });
    }
    offset += line.length + 1;
  }
  return found;
}
