/**
 * A fresh Debian to try the package in: the release whose own Node.js is new enough. It is fetched once by debootstrap and
 * kept; every guest gets a layer of its own above it.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const release = "trixie";
const packages = [
  "adduser",
  "bash-completion",
  "dbus",
  "e2fsprogs",
  "faketime",
  "iproute2",
  "libpam-systemd",
  "libubootenv-tool",
  "nodejs",
  "polkitd",
  "procps",
  "rauc",
  "rauc-service",
  "squashfs-tools",
  "systemd",
  "systemd-sysv",
];

/** Large, and worth to be kept over a restart of the machine that tests. */
const cache = "/var/tmp/lwm2m-agent-lab";

/** @returns the folder of its root, which nobody may write to */
export async function debian(): Promise<string> {
  requireRoot();
  const root = join(cache, `${release}-2`);
  if (existsSync(root)) return root;
  const partial = `${root}.part`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await run("debootstrap", ["--variant=minbase", `--include=${packages.join(",")}`, release, partial], {
    maxBuffer: 1 << 26,
  }).catch((error: NodeJS.ErrnoException & { stdout?: string }) => {
    const why =
      error.code === "ENOENT"
        ? "debootstrap is missing: install the Debian package debootstrap"
        : error.stdout;
    throw new Error(`no Debian ${release} to test in: ${why?.slice(-2000)}`, { cause: error });
  });
  await rm(join(partial, "var/cache/apt/archives"), { recursive: true, force: true });
  await rename(partial, root);
  return root;
}

function requireRoot(): void {
  if (process.getuid?.() !== 0) throw new Error("the boot laboratory mounts and boots: run it as root");
}
