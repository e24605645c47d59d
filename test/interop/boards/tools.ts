import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Debian packages of the programs that these tests run for real. */
const packages: Readonly<Record<string, string>> = {
  fw_printenv: "libubootenv-tool",
  fw_setenv: "libubootenv-tool",
  mkimage: "u-boot-tools",
  mcopy: "mtools",
  "mkfs.vfat": "dosfstools",
  "mkfs.ext2": "e2fsprogs",
  sfdisk: "fdisk",
  zip: "zip",
  mount: "mount",
  losetup: "mount",
};

/** @throws Error naming the package of a program that is not there */
export function requirePrograms(...programs: readonly string[]): void {
  for (const program of programs) {
    if (spawnSync("which", [program]).status === 0) continue;
    throw new Error(`${program} is not installed: apt-get install ${packages[program] ?? program}`);
  }
}

/** Mounts and loop devices are for root. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new Error("mounts and loop devices need root: run the interop tests as root");
}

export const run = (program: string, ...words: readonly string[]): string =>
  execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

export const kernelKnows = (fileSystem: string): boolean =>
  readFileSync("/proc/filesystems", "utf8").split(/\s+/).includes(fileSystem);
