/** The real programs that these tests drive, and what is not there. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const packages = {
  busctl: "systemd",
  cpio: "cpio",
  "dbus-daemon": "dbus",
  faketime: "faketime",
  fw_setenv: "libubootenv-tool",
  mksquashfs: "squashfs-tools",
  openssl: "openssl",
  rauc: "rauc",
  swupdate: "swupdate",
  "swupdate-client": "swupdate",
};

/** @throws Error naming the Debian package, when a program is not there, or the rights that are missing */
export function requirePrograms(...programs: readonly (keyof typeof packages)[]): void {
  for (const program of programs) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status === 0) continue;
    throw new Error(`${program} is not installed: apt-get install ${packages[program]}`);
  }
  if (process.getuid?.() !== 0) throw new Error("these tests mount bundles: run them as root");
}

/** What this kernel has; what it does not have is printed, so that nobody takes it for tested. */
export function probeKernel(): { readonly deviceMapper: boolean } {
  const fileSystems = existsSync("/proc/filesystems") ? readFileSync("/proc/filesystems", "utf8") : "";
  if (spawnSync("losetup", ["-f"]).status !== 0) throw new Error("no loop devices here: `losetup -f` fails");
  if (!/\tsquashfs$/m.test(fileSystems))
    throw new Error("the kernel has no squashfs, which bundles of RAUC are");
  const deviceMapper = existsSync("/dev/mapper/control");
  if (!deviceMapper) {
    console.warn(
      "LEFT OUT: bundles of format verity and crypt (no device mapper: /dev/mapper/control is missing)",
    );
  }
  return { deviceMapper };
}

/** Runs a program to its end and answers what it printed. */
export function run(
  program: string,
  argv: readonly string[],
  options: { cwd?: string; input?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  return execFileSync(program, argv, { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"], ...options });
}

export interface Daemon {
  readonly pid: number;
  /** What it wrote, both streams. */
  output(): string;
  readonly ended: Promise<void>;
  /** Kills it unless it has ended; resolves when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** In a group of its own, so that its children end with it. */
export function startDaemon(
  program: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Daemon {
  const child: ChildProcess = spawn(program, argv, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    pid: child.pid as number,
    output: () => output,
    ended,
    async kill(signal = "SIGKILL") {
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), signal);
      await ended;
    },
  };
}

/** @throws Error with the daemon's words when it does not come true in ten seconds */
export async function until(condition: () => boolean | Promise<boolean>, daemon?: Daemon): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited for too long: ${daemon?.output() ?? ""}`);
}
