/**
 * The USB gadget that shows the update partition to a PC as a drive. Two writers ruin a FAT, so the gadget lets go of it while
 * we write. Where its attribute is differs from kernel to kernel.
 */
import { readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BusyError } from "../../../agent/ports.js";
import { errorCode } from "../../system-error.js";

/** `*` stands for any name. Those of g_multi and g_mass_storage, and of a gadget made through configfs. */
export const defaultGadgetFiles: readonly string[] = [
  "/sys/class/udc/*/device/gadget/lun*/file",
  "/sys/devices/pci0000:00/0000:00:11.0/dwc3-device.*/gadget/lun*/file",
  "/sys/bus/platform/devices/*/gadget/lun*/file",
  "/sys/kernel/config/usb_gadget/*/functions/mass_storage.*/lun.*/file",
];

/**
 * Takes the device away from every gadget that shows it.
 * @returns how to give it back
 * @throws BusyError while a PC holds on to it
 */
export async function detachGadgets(
  device: string,
  patterns: readonly string[],
): Promise<() => Promise<void>> {
  const own = await realpath(device);
  const detached = new Map<string, string>();
  const restore = async () => {
    for (const [file, shown] of detached) await writeFile(file, `${shown}\n`);
    detached.clear();
  };
  for (const file of (await Promise.all(patterns.map(expand))).flat()) {
    const shown = (await readFile(file, "utf8")).trim();
    if (shown === "" || (await realpath(shown).catch(() => shown)) !== own) continue;
    try {
      await writeFile(file, "\n");
    } catch (cause) {
      await restore();
      if (errorCode(cause) !== "EBUSY") throw cause;
      throw new BusyError(`a PC holds the drive that ${file} shows it: eject it there`, { cause });
    }
    detached.set(file, shown);
  }
  return restore;
}

/** The same attribute may be found on several ways; once is enough. */
async function expand(pattern: string): Promise<readonly string[]> {
  let found = ["/"];
  for (const part of pattern.split("/").filter((one) => one !== "")) {
    found = part.includes("*")
      ? (await Promise.all(found.map((folder) => namesIn(folder, part)))).flat()
      : found.map((folder) => join(folder, part));
  }
  const real = await Promise.all(
    found.map((file) =>
      realpath(dirname(file)).then(
        (folder) => join(folder, "file"),
        () => undefined,
      ),
    ),
  );
  const existing = await Promise.all(real.map((file) => (file === undefined ? false : isReadable(file))));
  return [
    ...new Set(real.filter((file, index): file is string => file !== undefined && existing[index] === true)),
  ];
}

async function namesIn(folder: string, part: string): Promise<string[]> {
  const [before = "", after = ""] = part.split("*");
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.startsWith(before) && name.endsWith(after))
    .map((name) => join(folder, name));
}

const isReadable = (file: string) =>
  readFile(file).then(
    () => true,
    () => false,
  );
