/** A program that a confined service can start, and that nobody but root can change: the helper runs it as root. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ConfigError } from "../../model/errors.js";
import type { InstalledProgram } from "./units.js";

/** What the units do not see: ProtectHome=, PrivateTmp=. */
const unseen = /^\/(home|root|run\/user|tmp|var\/tmp)\//;

const remedy =
  "install Node.js and the package for the whole system, as root: npm install -g --prefix /usr/local lwm2m-agent";

/** root, and `staff`, whom Debian trusts with /usr/local (Debian Policy, 9.1.2). */
const trustedGroups = [0, 50];

/** @throws ConfigError saying why it cannot be a service from where it lies */
export async function checkProgram({ node, script }: InstalledProgram): Promise<void> {
  for (const path of [node, script]) {
    if (unseen.test(path)) {
      throw new ConfigError(`the service cannot see ${path}, which is in a folder of users: ${remedy}`);
    }
    for (let each = path; ; each = dirname(each)) {
      await checkOwner(each, { isFile: each === path });
      if (each === dirname(each)) break;
    }
  }
}

async function checkOwner(path: string, { isFile }: { readonly isFile: boolean }): Promise<void> {
  const { uid, gid, mode } = await stat(path).catch((cause: unknown) => {
    throw new ConfigError(`${path} is not there: ${remedy}`, { cause });
  });
  if (uid !== 0) {
    throw new ConfigError(`${path} belongs to user ${uid}, who could change what runs as root: ${remedy}`);
  }
  const isOpen = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !trustedGroups.includes(gid));
  if (isOpen && (mode & 0o1000) === 0) {
    throw new ConfigError(`${path} can be changed by others, and it is to run as root: chmod go-w ${path}`);
  }
  if ((mode & (isFile ? 0o004 : 0o001)) === 0) {
    throw new ConfigError(`the user of the service may not read ${path}: chmod o+rX ${path}`);
  }
}
