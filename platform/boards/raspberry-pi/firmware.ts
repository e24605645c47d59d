/** What the firmware of a Raspberry Pi says of itself and of this boot, in the device tree. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface BootFacts {
  /** The boot partition that was used; they count from 1. */
  readonly partition: number;
  /** Was it a try, which any later restart ends? */
  readonly isTry: boolean;
}

export interface BootLoaderFacts {
  /** undefined when it does not say, as those of before 2022 do. */
  readonly canTryPartitions: boolean | undefined;
  readonly version: string;
  readonly builtAt: Date | undefined;
}

const capabilityPartitions = 1 << 2;
const capabilityTry = 1 << 3;

/** @throws Error when the firmware does not say: it is too old, or none of a Raspberry Pi */
export async function readBootFacts(deviceTree: string): Promise<BootFacts> {
  const [partition, tryboot] = await Promise.all([
    readInteger(join(deviceTree, "chosen/bootloader/partition")),
    readInteger(join(deviceTree, "chosen/bootloader/tryboot")),
  ]);
  if (partition === undefined || tryboot === undefined) {
    throw new Error(
      `${deviceTree}/chosen/bootloader does not say which partition was booted: the boot loader is older than 2022, or another one`,
    );
  }
  return { partition, isTry: tryboot !== 0 };
}

export async function readBootLoaderFacts(deviceTree: string): Promise<BootLoaderFacts> {
  const folder = join(deviceTree, "chosen/bootloader");
  const [capabilities, timestamp, version] = await Promise.all([
    readInteger(join(folder, "capabilities")),
    readInteger(join(folder, "build-timestamp")),
    readText(join(folder, "version")),
  ]);
  const needed = capabilityPartitions | capabilityTry;
  return {
    canTryPartitions: capabilities === undefined ? undefined : (capabilities & needed) === needed,
    version: version ?? "",
    builtAt: timestamp === undefined ? undefined : new Date(timestamp * 1000),
  };
}

/** Properties of the device tree are big-endian, and text in it ends with NUL. */
async function readInteger(path: string): Promise<number | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes?.length === 4 ? bytes.readUInt32BE() : undefined;
}

export async function readText(path: string): Promise<string | undefined> {
  const text = await readFile(path, "latin1").catch(() => undefined);
  return text?.split("\0")[0]?.trim();
}
