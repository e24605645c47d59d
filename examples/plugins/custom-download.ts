/**
 * Packages that come in another way than over the network: a Server writes usb:///pump-2.1.raucb to /5/0/1, and the file comes
 * from the stick that a technician has put in. All other addresses are fetched as ever. What the plugin has fetched, it installs
 * as well: the agent knows nothing of it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { definePlugin, PackageError, type Plugin } from "lwm2m-agent/plugin";

export interface CustomDownloadOptions {
  /** Where the stick is mounted. */
  readonly stick?: string;
  /** Where packages lie until they are installed. */
  readonly folder?: string;
  /** Called with the path of a package; ends when it is installed. */
  readonly installer?: string;
}

export function createCustomDownload({
  stick = "/run/media/stick",
  folder = "/var/cache/lwm2m-agent/stick",
  installer = "/usr/lib/pump/install",
}: CustomDownloadOptions = {}): Plugin {
  /** A name, never a path: a Server does not choose what is read from this device. */
  const nameIn = (uri: string): string | undefined => {
    const { protocol, pathname } = new URL(uri);
    return protocol === "usb:" ? basename(decodeURIComponent(pathname)) : undefined;
  };

  return definePlugin({
    name: "custom-download",
    api: 1,

    async packageUriWritten({ uri, objectInstanceId, signal, proceed }, agent) {
      const name = nameIn(uri);
      if (name === undefined) return proceed();
      const [source, target] = [join(stick, name), join(folder, name)];
      await mkdir(folder, { recursive: true });
      try {
        await pipeline(createReadStream(source), createWriteStream(target), { signal });
        await verify(target, `${source}.sha256`);
      } catch (error) {
        await rm(target, { force: true });
        throw error; // a PackageError has its own Update Result, anything else is 4
      }
      agent.log.info("package taken from the stick", { name });
      await agent.setFirmwareUpdateState(objectInstanceId, 2); // Downloaded
    },

    async updateExecuted({ uri, objectInstanceId, signal, proceed }, agent) {
      const name = nameIn(uri);
      if (name === undefined) return proceed();
      const path = join(folder, name);
      await promisify(execFile)(installer, [path], { signal }); // a throw is Result 8; no shell sees the name
      await rm(path, { force: true });
      await agent.setFirmwareUpdateResult(objectInstanceId, 1); // updated; set it before the State
      await agent.setFirmwareUpdateState(objectInstanceId, 0); // Idle
    },
  });
}

/** Against a file as `sha256sum` writes it. */
async function verify(path: string, listed: string): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  const [expected] = (await readFile(listed, "utf8")).split(/\s/);
  if (hash.digest("hex") !== expected)
    throw new PackageError("integrity", `${path} is not what ${listed} says`);
}

export const plugin = createCustomDownload();
