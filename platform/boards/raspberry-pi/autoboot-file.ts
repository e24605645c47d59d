/**
 * `autoboot.txt` on its partition, which stays mounted read-only except for the moment of a commit. FAT has no journal and the
 * firmware replays none: no new file is made and renamed, the one sector is written over.
 */
import { open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError } from "../../system-error.js";
import { dropCaches } from "../block-device.js";
import type { Mounter } from "../mounter.js";
import { type Autoboot, maximumAutobootSize, parseAutoboot, switchAutoboot } from "./autoboot.js";

export interface AutobootFileOptions {
  readonly path: string;
  readonly mounter: Mounter;
  readonly dropCaches: string;
}

export class AutobootFile {
  readonly #options: AutobootFileOptions;

  constructor(options: AutobootFileOptions) {
    this.#options = options;
  }

  async read(): Promise<Autoboot> {
    return parseAutoboot(await this.#text());
  }

  /** Makes `all` the partition that is booted always, and `tryboot` the one for a try. Durable, and read back. */
  async write(all: number, tryboot: number): Promise<void> {
    const { path, mounter } = this.#options;
    const text = await this.#text();
    const switched = switchAutoboot(text, all, tryboot);
    if (switched === text) return;
    const folder = dirname(path);
    const isMounted = await mounter.isMounted(folder);
    if (isMounted) await mounter.remount(folder, "rw");
    try {
      await overwrite(path, Buffer.from(switched, "latin1"));
    } finally {
      if (isMounted) await mounter.remount(folder, "ro");
    }
    await dropCaches(this.#options.dropCaches);
    if ((await this.#text()) !== switched) throw new Error(`${path} does not hold what was written to it`);
  }

  async #text(): Promise<string> {
    const { path } = this.#options;
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new Error(`${path} cannot be read: ${describeError(cause)}`, { cause });
    });
    if (bytes.length > maximumAutobootSize) {
      throw new Error(`${path} has ${bytes.length} bytes, and the firmware reads ${maximumAutobootSize}`);
    }
    return bytes.toString("latin1");
  }
}

/** Without truncation, in one write. */
async function overwrite(path: string, content: Buffer): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { bytesWritten } = await file.write(content, 0, content.length, 0);
    if (bytesWritten !== content.length) throw new Error(`${path} was written in part`);
    await file.sync();
  } finally {
    await file.close();
  }
}
