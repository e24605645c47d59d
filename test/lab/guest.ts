/**
 * A guest: a whole Debian that boots in seconds in namespaces of its own, on a layer above the root of debian.ts. What it
 * writes lasts until `remove`; between two boots a test may play the boot loader.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { debian } from "./debian.js";

const run = promisify(execFile);

export interface GuestOptions {
  /** A network of its own with nothing but loopback; otherwise the loopback of this machine is also that of the guest. */
  readonly privateNetwork?: boolean;
  /** Loop devices that the guest may use: its RAUC and its mounts of images want some. */
  readonly loopDevices?: readonly number[];
  /** Environment of systemd in the guest. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called before each boot, with the number of boots before it. */
  readonly beforeBoot?: (boots: number) => Promise<void>;
}

/** How a guest ended. */
export type GuestEnd = "off" | "restart";

export interface ProgramEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** systemd-nspawn ends with it when the guest asked for a restart. */
const restartCode = 133;

export class Guest {
  /** As seen from outside. Its `/disk` is `disk` here. */
  readonly root: string;
  readonly disk: string;
  readonly #folder: string;
  #options: GuestOptions;
  #nspawn: ChildProcess | undefined;
  #ended: Promise<GuestEnd> = Promise.resolve("off");
  #boots = 0;
  #console = "";
  #removed = false;

  static async create(options: GuestOptions = {}): Promise<Guest> {
    const base = await debian();
    const folder = await mkdtemp("/var/tmp/lwm2m-agent-guest-");
    await run("mount", ["-t", "tmpfs", "-o", "size=1g", "tmpfs", folder]);
    const [upper, work, root, disk] = ["upper", "work", "root", "disk"].map((name) => join(folder, name));
    if (!upper || !work || !root || !disk) throw new Error("unreachable");
    for (const path of [upper, work, root, disk]) await mkdir(path);
    await run("mount", [
      "-t",
      "overlay",
      "overlay",
      "-o",
      `lowerdir=${base},upperdir=${upper},workdir=${work}`,
      root,
    ]);
    const guest = new Guest(folder, root, disk, options);
    await guest.write("/etc/machine-id", `${"0123456789abcdef".repeat(2)}\n`);
    return guest;
  }

  private constructor(folder: string, root: string, disk: string, options: GuestOptions) {
    this.#folder = folder;
    this.root = root;
    this.disk = disk;
    this.#options = options;
  }

  /** How often it was switched on. */
  get boots(): number {
    return this.#boots;
  }

  /** What its systemd said, of all boots. */
  get console(): string {
    return this.#console;
  }

  /** Writes a file of the guest, also while it is off. */
  async write(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const target = join(this.root, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content, { mode });
  }

  read(path: string): Promise<string> {
    return readFile(join(this.root, path), "utf8");
  }

  /** Runs a program in the root that is not booted, as a package manager in an image build does. */
  chroot(program: string, ...words: string[]): Promise<ProgramEnd> {
    return end(
      "systemd-nspawn",
      "--quiet",
      "--register=no",
      "--keep-unit",
      "--pipe",
      "-D",
      this.root,
      "--bind",
      `${this.disk}:/disk`,
      program,
      ...words,
    );
  }

  /** From the next boot on. */
  change(options: GuestOptions): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Resolves when its systemd has reached `basic.target` and started what follows. */
  async boot(): Promise<void> {
    await this.#options.beforeBoot?.(this.#boots);
    this.#boots += 1;
    const { privateNetwork, loopDevices = [], environment = {} } = this.#options;
    const devices =
      loopDevices.length === 0
        ? []
        : ["/dev/loop-control", ...loopDevices.map((number) => `/dev/loop${number}`)];
    const nspawn = spawn(
      "systemd-nspawn",
      [
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--console=pipe",
        "-D",
        this.root,
        `--bind=${this.disk}:/disk`,
        ...(privateNetwork ? ["--private-network"] : []),
        ...devices.map((device) => `--bind=${device}`),
        ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
        "-b",
        "--",
        "systemd.unit=multi-user.target",
        "systemd.show_status=false",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#nspawn = nspawn;
    const keep = (text: Buffer) => {
      this.#console = (this.#console + text.toString()).slice(-200_000);
    };
    nspawn.stdout?.on("data", keep);
    nspawn.stderr?.on("data", keep);
    this.#ended = new Promise((resolve, reject) => {
      nspawn.once("error", (cause) =>
        reject(
          new Error("systemd-nspawn is missing: install the Debian package systemd-container", { cause }),
        ),
      );
      nspawn.once("exit", (code) => resolve(code === restartCode ? "restart" : "off"));
    });
    this.#ended.catch(() => undefined);
    let isGone = false;
    this.#ended
      .finally(() => {
        isGone = true;
      })
      .catch(() => undefined);
    await this.until(async () => {
      const { stdout } = await this.run("systemctl", "is-system-running");
      return isGone || /running|degraded/.test(stdout); // a broken image may go down before it is up
    }, "it is up");
  }

  /** Runs a program in the booted guest. */
  async run(program: string, ...words: string[]): Promise<ProgramEnd> {
    const leader = await this.#leader();
    if (leader === undefined) return { code: 255, stdout: "", stderr: "the guest is not up" };
    return end(
      "nsenter",
      "-t",
      `${leader}`,
      "-a",
      "--",
      "/usr/bin/env",
      "-i",
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      program,
      ...words,
    );
  }

  /** @throws Error with what it printed unless it ended well */
  async must(program: string, ...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(program, ...words);
    if (code !== 0) throw new Error(`${program} ${words.join(" ")} ended with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  /** Runs a program of this machine in the network of the guest. @returns what ends it */
  async inItsNetwork(program: string, ...words: string[]): Promise<() => void> {
    const leader = await this.#leader();
    const child = spawn("nsenter", ["-t", `${leader}`, "-n", "--", program, ...words], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    return () => void child.kill();
  }

  journal(unit: string): Promise<string> {
    return this.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).then(({ stdout }) => stdout);
  }

  /** Resolves when the guest has gone down by itself. */
  ended(): Promise<GuestEnd> {
    return this.#ended;
  }

  /** Boots again whenever the guest restarts, as a board does. Ends when it is switched off. */
  async keepUp(): Promise<void> {
    while ((await this.#ended) === "restart" && !this.#removed) await this.boot();
  }

  /** Pulls the plug: nothing in the guest hears of it. */
  async cut(): Promise<void> {
    const leader = await this.#leader();
    if (leader !== undefined) process.kill(leader, "SIGKILL");
    else this.#nspawn?.kill("SIGKILL");
    await this.#ended;
  }

  async until(holds: () => Promise<boolean>, what: string, limitSeconds = 60): Promise<void> {
    const deadline = Date.now() + limitSeconds * 1000;
    while (!(await holds())) {
      if (Date.now() > deadline) {
        const { stdout } = await this.run("journalctl", "--no-pager", "-n", "60", "-o", "short-monotonic");
        throw new Error(`in vain: until ${what}\n${this.#console.slice(-2000)}\n${stdout}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async remove(): Promise<void> {
    this.#removed = true;
    await this.cut().catch(() => undefined);
    await run("umount", ["-R", "-l", this.root]).catch(() => undefined);
    await run("umount", ["-l", this.#folder]).catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The process that is 1 in the guest. */
  async #leader(): Promise<number | undefined> {
    const pid = this.#nspawn?.pid;
    if (pid === undefined || this.#nspawn?.exitCode !== null) return undefined;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
    for (const child of children.trim().split(" ")) {
      const status = await readFile(`/proc/${child}/status`, "utf8").catch(() => "");
      if (/^NSpid:.*\t1$/m.test(status)) return Number(child);
    }
    return undefined;
  }
}

function end(program: string, ...words: string[]): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    execFile(program, words, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
  });
}
