import { readFile } from "node:fs/promises";

/** Where Linux names the boot. In a container it is that of the machine, so a test puts another file here. */
export const bootIdFile = "/proc/sys/kernel/random/boot_id";

/** Changes with every boot, also where no clock does. */
export const readBootId = async (path: string = bootIdFile): Promise<string> =>
  (await readFile(path, "utf8")).trim();
