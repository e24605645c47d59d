/**
 * Raspberry Pi with two systems on one card: each has a boot partition and a root partition, and `autoboot.txt` on the first
 * partition says which is booted always and which is tried once (`tryboot`). A try ends with any restart, so a system that
 * hangs or loses power is followed by the old one.
 */
import { readFile, writeFile } from "node:fs/promises";
import {
  type ApplyOptions,
  type Board,
  type BoardDescription,
  BusyError,
  type Clock,
  type Finding,
  type ImageFile,
  type Log,
  PackageError,
  type PackageInfo,
  type Store,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { bootIdFile, readBootId } from "../../linux/boot-id.js";
import { parseImageVersion } from "../../linux/os-release.js";
import { describeError } from "../../system-error.js";
import { deviceNumber, dropCaches, sizeOfDevice } from "../block-device.js";
import { createMounter, type Mounter, type MounterOptions } from "../mounter.js";
import { createRestart, type Restart, type RestartOptions } from "../restart.js";
import { AutobootFile } from "./autoboot-file.js";
import { checkRaspberryPi } from "./check.js";
import { readBootFacts, readText } from "./firmware.js";
import { checkSystemPackage, type ImageKind, readSystemPackage, type SystemPackage } from "./package.js";
import { compareImage, writeImage } from "./partition-writer.js";
import { TryRecords } from "./records.js";
import { nameOwnRoot, type RootSlot } from "./root-argument.js";

export interface RaspberryPiSlot extends RootSlot {
  /** Number of the boot partition, as `boot_partition` has it; they count from 1. */
  readonly partition: number;
}

export interface RaspberryPiBoardOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Of the board's own, on a partition that both systems see. */
  readonly store: Store;
  /** Partitions 2 and 5, 3 and 6 of /dev/mmcblk0 when not given. */
  readonly slots?: readonly [RaspberryPiSlot, RaspberryPiSlot];
  /** /boot/autoboot/autoboot.txt when not given: of the first partition, mounted read-only. */
  readonly autobootFile?: string;
  readonly mount?: Omit<MounterOptions, "clock">;
  /** By systemctl when not given. */
  readonly restart?: RestartOptions;
  /**
   * How the firmware hears of a try. `argument` (when not given): with the restart. `parameter-file`: by the file that systemd
   * reads before any restart, for a way to restart that takes no text.
   */
  readonly tryRequest?: "argument" | "parameter-file";
  /** /run/systemd/reboot-param when not given. */
  readonly parameterFile?: string;
  /** /proc/device-tree when not given. */
  readonly deviceTree?: string;
  readonly cpuinfoFile?: string;
  readonly osReleaseFile?: string;
  readonly bootIdFile?: string;
  /** /proc/self/mountinfo when not given. */
  readonly mountInfoFile?: string;
  /** /dev/disk when not given. */
  readonly diskLinks?: string;
  readonly dropCachesFile?: string;
  /** The whole card, whose partition table is looked at by check: /dev/mmcblk0 when not given. */
  readonly disk?: string;
  readonly commandLineFile?: string;
  /** Folder with system.conf of systemd, /etc/systemd when not given. */
  readonly systemdFolder?: string;
  /** Prints the configuration of the boot loader: `vcgencmd bootloader_config` when not given. */
  readonly bootLoaderConfiguration?: { readonly program: string; readonly arguments: readonly string[] };
  /** In place of what the board says of itself. */
  readonly description?: Partial<BoardDescription>;
  /** Returns the settings to what they were; there is no factory image. Not given: a factory reset is refused. */
  readonly forget?: () => Promise<void>;
}

/** What tests put in the place of programs. */
export interface RaspberryPiParts {
  readonly mounter: Mounter;
}

export const createRaspberryPiBoard = (
  options: RaspberryPiBoardOptions,
  { mounter = createMounter({ clock: options.clock, ...options.mount }) }: Partial<RaspberryPiParts> = {},
): Board => new RaspberryPiBoard(options, mounter);

/** The firmware takes exactly this: the number, which 0 leaves to autoboot.txt, and the word. */
export const tryText = "0 tryboot";

const defaultSlots: readonly [RaspberryPiSlot, RaspberryPiSlot] = [
  { partition: 2, boot: "/dev/mmcblk0p2", root: "/dev/mmcblk0p5" },
  { partition: 3, boot: "/dev/mmcblk0p3", root: "/dev/mmcblk0p6" },
];

class RaspberryPiBoard implements Board {
  readonly name = "raspberry-pi";
  readonly #options: RaspberryPiBoardOptions;
  readonly #slots: readonly [RaspberryPiSlot, RaspberryPiSlot];
  readonly #autoboot: AutobootFile;
  readonly #restart: Restart;
  readonly #records: TryRecords;
  readonly #deviceTree: string;
  readonly #dropCaches: string;
  readonly #diskLinks: string;
  #isInstalling = false;

  constructor(options: RaspberryPiBoardOptions, mounter: Mounter) {
    this.#options = options;
    this.#slots = options.slots ?? defaultSlots;
    this.#dropCaches = options.dropCachesFile ?? "/proc/sys/vm/drop_caches";
    this.#diskLinks = options.diskLinks ?? "/dev/disk";
    this.#deviceTree = options.deviceTree ?? "/proc/device-tree";
    this.#autoboot = new AutobootFile({
      path: options.autobootFile ?? "/boot/autoboot/autoboot.txt",
      mounter,
      dropCaches: this.#dropCaches,
    });
    this.#restart = createRestart(options.restart ?? { by: "systemctl" }, options.clock);
    this.#records = new TryRecords(options.store, options.log);
  }

  async bootId(): Promise<string> {
    return readBootId(this.#options.bootIdFile ?? bootIdFile);
  }

  async describe(): Promise<BoardDescription> {
    const { cpuinfoFile = "/proc/cpuinfo", osReleaseFile = "/etc/os-release" } = this.#options;
    const cpuinfo = await readFile(cpuinfoFile, "latin1").catch(() => "");
    const release = await readFile(osReleaseFile, "utf8").catch(() => "");
    const ofCpu = (name: string) => new RegExp(`^${name}\\s*:\\s*(\\S+)`, "m").exec(cpuinfo)?.[1] ?? "";
    return {
      manufacturer: "Raspberry Pi",
      modelNumber: (await readText(`${this.#deviceTree}/model`)) ?? "",
      serialNumber: (await readText(`${this.#deviceTree}/serial-number`)) ?? ofCpu("Serial"),
      hardwareVersion: ofCpu("Revision"),
      ...parseImageVersion(release),
      ...this.#options.description,
    };
  }

  async inspect(image: ImageFile, { signal }: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    const package_ = await readSystemPackage(image, { signal });
    const [first, second] = [await this.#room(this.#slots[0]), await this.#room(this.#slots[1])];
    const room = { boot: Math.min(first.boot, second.boot), root: Math.min(first.root, second.root) };
    await checkSystemPackage(package_, room, signal);
    return package_.info;
  }

  async apply(image: ImageFile, { signal, progress, attempt }: ApplyOptions): Promise<"restart"> {
    signal.throwIfAborted();
    if (this.#isInstalling) throw new BusyError("another package is being written");
    this.#isInstalling = true;
    try {
      await this.#install(image, attempt, signal, progress);
      return "restart";
    } finally {
      this.#isInstalling = false;
    }
  }

  async outcome({ id, package: expected, previousVersion }: UpdateAttempt): Promise<"new" | "old"> {
    const { partition } = await readBootFacts(this.#deviceTree);
    const record = await this.#records.read();
    if (record?.attempt === id) {
      // Not on trial any more, but pending with us: it was committed, and power went before that was on record.
      return partition === record.target ? "new" : "old";
    }
    // Our own record is gone, or this update never came as far as one: the version decides.
    const { firmwareVersion } = await this.describe();
    return firmwareVersion === expected.version && firmwareVersion !== previousVersion ? "new" : "old";
  }

  async commit(): Promise<void> {
    const { partition, isTry } = await readBootFacts(this.#deviceTree);
    const { all } = await this.#autoboot.read();
    if (all === partition) return;
    if (!isTry || all === undefined) {
      // The firmware went on to another partition by itself. That is no choice of ours, and none to make permanent.
      this.#options.log.warn("another partition runs than autoboot.txt names", { running: partition, all });
      return;
    }
    await this.#autoboot.write(partition, all);
    this.#options.log.info("boot partition committed", { partition });
  }

  async revert(): Promise<"restart" | "done"> {
    const { partition } = await readBootFacts(this.#deviceTree);
    const record = await this.#records.read();
    if (record !== undefined && !record.isReverted)
      await this.#records.write({ ...record, isReverted: true });
    return (await this.#autoboot.read()).all === partition ? "done" : "restart";
  }

  async restart(): Promise<void> {
    const { tryRequest = "argument", parameterFile = "/run/systemd/reboot-param" } = this.#options;
    if (!(await this.#isTryDue())) return this.#restart();
    if (tryRequest === "argument") return this.#restart(tryText);
    await writeFile(parameterFile, `${tryText}\n`);
    await this.#restart();
  }

  async factoryReset(): Promise<void> {
    const { forget } = this.#options;
    if (forget === undefined) {
      throw new PackageError(
        "failed",
        "a Raspberry Pi has no factory image, and nothing here forgets the settings",
      );
    }
    await forget();
    await this.#restart();
  }

  async check(): Promise<readonly Finding[]> {
    const { hardwareVersion } = await this.describe();
    return checkRaspberryPi({
      hardwareVersion,
      slots: this.#slots,
      autobootFile: this.#options.autobootFile ?? "/boot/autoboot/autoboot.txt",
      deviceTree: this.#deviceTree,
      diskLinks: this.#diskLinks,
      mountInfoFile: this.#options.mountInfoFile ?? "/proc/self/mountinfo",
      disk: this.#options.disk ?? "/dev/mmcblk0",
      commandLineFile: this.#options.commandLineFile ?? "/proc/cmdline",
      systemdFolder: this.#options.systemdFolder ?? "/etc/systemd",
      bootLoaderConfiguration: this.#options.bootLoaderConfiguration ?? {
        program: "vcgencmd",
        arguments: ["bootloader_config"],
      },
      clock: this.#options.clock,
    });
  }

  async #install(
    image: ImageFile,
    attempt: string,
    signal: AbortSignal,
    progress: ApplyOptions["progress"],
  ): Promise<void> {
    const package_ = await readSystemPackage(image, { signal });
    const target = await this.#target();
    const room = await this.#room(target);
    // Until all of it is written again, no restart of ours may try what is there.
    await this.#records.clear();
    const total = 2 * (package_.size.boot + package_.size.root);
    let before = 0;
    const advance = (size: number, message: string) => (done: number) =>
      progress(Math.min(0.99, (before + Math.min(done, size)) / total), message);
    for (const kind of ["boot", "root"] as const) {
      const size = package_.size[kind];
      await this.#write(package_, kind, target[kind], {
        room: room[kind],
        signal,
        written: advance(size, `writing the ${kind} partition`),
        compared: (done) => advance(size, `reading the ${kind} partition again`)(size + done),
      });
      before += 2 * size;
    }
    await nameOwnRoot(target, this.#diskLinks).catch((cause: unknown) => {
      throw new PackageError("unsupported-package", describeError(cause), { cause });
    });
    signal.throwIfAborted();
    await this.#records.write({
      attempt,
      target: target.partition,
      bootId: await this.bootId(),
      isReverted: false,
    });
    progress(1, "waiting for the restart");
  }

  async #write(
    package_: SystemPackage,
    kind: ImageKind,
    device: string,
    options: {
      readonly room: number;
      readonly signal: AbortSignal;
      readonly written: (done: number) => void;
      readonly compared: (done: number) => void;
    },
  ): Promise<void> {
    const { room, signal, written, compared } = options;
    const image = await writeImage(device, package_.open(kind, signal), room, { signal, progress: written });
    await dropCaches(this.#dropCaches);
    await compareImage(device, image, { signal, progress: compared });
  }

  /**
   * The slot that neither runs nor is booted next.
   * @throws PackageError when there is none: what would be overwritten is needed
   */
  async #target(): Promise<RaspberryPiSlot> {
    const failed = (why: string) => new PackageError("failed", `the other system cannot be written: ${why}`);
    const facts = await readBootFacts(this.#deviceTree).catch((error: unknown) => {
      throw failed(describeError(error));
    });
    const autoboot = await this.#autoboot.read().catch((error: unknown) => {
      throw failed(describeError(error));
    });
    const running = this.#slots.find(({ partition }) => partition === facts.partition);
    const target = this.#slots.find(({ partition }) => partition !== facts.partition);
    if (running === undefined || target === undefined) {
      throw failed(`partition ${facts.partition} runs, which is in no slot of the configuration`);
    }
    if (autoboot.all === target.partition) {
      throw failed(
        `autoboot.txt boots partition ${target.partition}: commit or revert the system that runs first`,
      );
    }
    if (
      !autoboot.usesPartitions ||
      autoboot.all !== running.partition ||
      autoboot.tryboot !== target.partition
    ) {
      throw failed(`autoboot.txt needs tryboot_a_b=1, and must try partition ${target.partition}`);
    }
    const mounted = await this.#mountedDevices();
    for (const device of [target.boot, target.root]) {
      const number = await deviceNumber(device);
      if (number !== undefined && mounted.has(number)) throw failed(`${device} is mounted`);
    }
    return target;
  }

  async #mountedDevices(): Promise<ReadonlySet<string>> {
    const { mountInfoFile = "/proc/self/mountinfo" } = this.#options;
    const lines = (await readFile(mountInfoFile, "utf8")).split("\n");
    return new Set(lines.map((line) => line.split(" ")[2] ?? ""));
  }

  async #room({ boot, root }: RaspberryPiSlot): Promise<Readonly<Record<ImageKind, number>>> {
    try {
      return { boot: await sizeOfDevice(boot), root: await sizeOfDevice(root) };
    } catch (cause) {
      throw new PackageError("failed", `a partition cannot be used: ${describeError(cause)}`, { cause });
    }
  }

  async #isTryDue(): Promise<boolean> {
    const record = await this.#records.read();
    if (record === undefined || record.isReverted || record.bootId !== (await this.bootId())) return false;
    return (await readBootFacts(this.#deviceTree)).partition !== record.target;
  }
}
