import type { IdentityReadings, MemoryReadings, PlaceReadings } from "../../agent/model/readings.js";
import type { SystemFiles } from "./files.js";

/** The kernel's kB are 1024 bytes, those of the Device Object 1000. */
export async function readMemory(files: SystemFiles): Promise<MemoryReadings | undefined> {
  const text = (await files.text("proc/meminfo")) ?? "";
  const field = (name: string) => {
    const digits = new RegExp(`^${name}:\\s+(\\d{1,12}) kB$`, "m").exec(text)?.[1];
    return digits === undefined ? undefined : Math.floor((Number(digits) * 1024) / 1000);
  };
  const total = field("MemTotal");
  const free = field("MemAvailable") ?? field("MemFree"); // before Linux 3.14 there was no MemAvailable
  return total === undefined || free === undefined ? undefined : { total, free };
}

/** By the device tree, else the processor's serial number, else the machine ID of systemd. */
export async function readIdentity(files: SystemFiles): Promise<IdentityReadings> {
  const modelNumber = printable(await files.text("proc/device-tree/model"));
  const serialNumber =
    printable(await files.text("proc/device-tree/serial-number")) ??
    /^Serial\s*:\s*([0-9A-Za-z]+)$/m.exec((await files.text("proc/cpuinfo")) ?? "")?.[1] ??
    /^[0-9a-f]{32}$/.exec((await files.text("etc/machine-id")) ?? "")?.[0];
  return { ...(modelNumber && { modelNumber }), ...(serialNumber && { serialNumber }) };
}

const printable = (text: string | undefined) =>
  text !== undefined && /^[\x20-\x7e]{1,255}$/.test(text) ? text : undefined;

/** The zone that the system is set to, and by how much it is ahead of UTC at `date`. */
export async function readPlace(files: SystemFiles, date: Date): Promise<PlaceReadings> {
  const timezone =
    /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec((await files.link("etc/localtime")) ?? "")?.[1] ??
    (await files.text("etc/timezone"));
  const utcOffset = timezone === undefined ? undefined : offsetOf(timezone, date);
  return timezone === undefined || utcOffset === undefined ? {} : { timezone, utcOffset };
}

/** undefined when there is no such zone. */
function offsetOf(timeZone: string, date: Date): string | undefined {
  try {
    const parts = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" }).formatToParts(date);
    const name = parts.find(({ type }) => type === "timeZoneName")?.value;
    return name === "GMT" ? "+00:00" : /^GMT([+-]\d\d:\d\d)$/.exec(name ?? "")?.[1];
  } catch {
    return undefined;
  }
}
