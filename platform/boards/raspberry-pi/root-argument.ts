/** `root=` on the kernel command line of a boot partition: switching the partition alone changes nothing else. */
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { readFatFile, rewriteFatFile } from "./fat.js";

export interface RootSlot {
  /** Device of the boot partition, a FAT. */
  readonly boot: string;
  /** Device of the root partition that belongs to it. */
  readonly root: string;
}

const fileName = "cmdline.txt";
const folders: Readonly<Record<string, string>> = {
  PARTUUID: "by-partuuid",
  UUID: "by-uuid",
  LABEL: "by-label",
  PARTLABEL: "by-partlabel",
};

/** What follows `root=`; undefined when nothing does. */
export const rootOf = (commandLine: string): string | undefined =>
  /(?:^|\s)root=(\S+)/.exec(commandLine.split("\n")[0] ?? "")?.[1];

/** @param links /dev/disk */
export async function namesDevice(argument: string, device: string, links: string): Promise<boolean> {
  const [kind = "", name = ""] = argument.split("=");
  const folder = folders[kind];
  const path = folder === undefined ? argument : join(links, folder, name);
  if (!path.startsWith("/") || name.includes("/")) return false;
  const [found, wanted] = await Promise.all([realpath(path).catch(() => undefined), realpath(device)]);
  return found === wanted;
}

/**
 * Has the boot partition name its own root partition. One package is for both slots, so what its image names is right for one of
 * them at most. For a partition that nothing boots yet.
 * @throws Error when the file system or its command line is not as it has to be
 */
export async function nameOwnRoot({ boot, root }: RootSlot, links: string): Promise<void> {
  const text = await readFatFile(boot, fileName);
  if (text === undefined) throw new Error(`the boot image has no ${fileName}`);
  const found = rootOf(text.toString("latin1"));
  if (found === undefined) throw new Error(`${fileName} of the boot image has no root=`);
  if (await namesDevice(found, root, links)) return;
  const own = await argumentFor(root, links);
  const line = text.toString("latin1").split("\n")[0] ?? "";
  const changed = line.replace(/(^|\s)root=\S+/, (_, before: string) => `${before}root=${own}`);
  // Blanks at the end mean nothing to the kernel, and what is shorter leaves nothing of what was there.
  await rewriteFatFile(boot, fileName, Buffer.from(`${changed.padEnd(text.length - 1)}\n`, "latin1"));
  const written = rootOf((await readFatFile(boot, fileName))?.toString("latin1") ?? "");
  if (written !== own) throw new Error(`${fileName} on ${boot} still names ${written}`);
}

/** By the identity of the partition: names of devices depend on the order in which they are found. */
async function argumentFor(device: string, links: string): Promise<string> {
  const wanted = await realpath(device);
  const folder = join(links, "by-partuuid");
  for (const name of await readdir(folder).catch(() => [])) {
    if ((await realpath(join(folder, name)).catch(() => undefined)) === wanted) return `PARTUUID=${name}`;
  }
  return device;
}
