import { open, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";

/** The largest that is read: what the kernel and /etc have to say is far smaller. */
const maximumSize = 64 * 1024;

/**
 * Small files below a root, which is `/` on a device and a fixture in tests. What is not there, too large or may not be read
 * is undefined: a value that nobody knows, not a failure.
 */
export class SystemFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Without white space and NULs at its end, as the device tree has them. */
  async text(path: string): Promise<string | undefined> {
    return ignoring(async () => {
      const file = await open(join(this.#root, path), "r");
      try {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(maximumSize), 0, maximumSize, 0);
        if (bytesRead === maximumSize) return undefined;
        return buffer.toString("utf8", 0, bytesRead).replace(/[\s\0]+$/, "");
      } finally {
        await file.close();
      }
    });
  }

  /** A whole number that is not negative, as counters are. */
  async count(path: string): Promise<number | undefined> {
    const text = await this.text(path);
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  /** Empty when there is no such directory. */
  async list(path: string): Promise<readonly string[]> {
    return (await ignoring(() => readdir(join(this.#root, path)))) ?? [];
  }

  async exists(path: string): Promise<boolean> {
    return (await ignoring(() => stat(join(this.#root, path)))) !== undefined;
  }

  /** Where a symbolic link leads. */
  async link(path: string): Promise<string | undefined> {
    return ignoring(() => readlink(join(this.#root, path)));
  }
}

async function ignoring<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch {
    return undefined;
  }
}
