/**
 * A Raspberry Pi without the board: partitions that are files, a device tree that is a folder, and a firmware that does with
 * `autoboot.txt` and the flag of a try what the real one does.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Board, Store } from "../../../../agent/ports.js";
import type { Mounter } from "../../../../platform/boards/mounter.js";
import { parseAutoboot } from "../../../../platform/boards/raspberry-pi/autoboot.js";
import {
  createRaspberryPiBoard,
  type RaspberryPiBoardOptions,
} from "../../../../platform/boards/raspberry-pi/board.js";
import { readFatFile } from "../../../../platform/boards/raspberry-pi/fat.js";
import { rootOf } from "../../../../platform/boards/raspberry-pi/root-argument.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { createMemoryStore } from "../../../simulated/store.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { bootImage, bootSize, rootImage, rootSize } from "./images.js";

export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

const autoboot = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n";
export const capabilities = 0b1100;

export class PiWorld {
  readonly directory = temporaryDirectory("memory");
  readonly log = createRecordingLog();
  readonly store = createMemoryStore();
  readonly autobootFile = join(this.directory, "autoboot/autoboot.txt");
  readonly remounts: string[] = [];
  /** Partitions that were booted, a try with `?`, one that did not come up with `!`. */
  readonly boots: string[] = [];
  bootNumber = 0;
  moments = 0;
  cutAt = Number.POSITIVE_INFINITY;
  #isOff = false;
  #isMounted = true;
  #seenRestarts = 0;

  static async create(version: string): Promise<PiWorld> {
    const world = new PiWorld(version);
    await world.boot();
    return world;
  }

  private constructor(version: string) {
    for (const folder of ["autoboot", "disk/by-partuuid", "tree/chosen/bootloader", "systemd"]) {
      mkdirSync(join(this.directory, folder), { recursive: true });
    }
    writeFileSync(this.autobootFile, autoboot);
    writeFileSync(this.device(2), bootImage(version, "root=PARTUUID=abcd1234-05 panic=10\n"));
    writeFileSync(this.device(3), Buffer.alloc(bootSize, 0xff));
    writeFileSync(this.device(5), rootImage(version, rootSize));
    writeFileSync(this.device(6), Buffer.alloc(rootSize, 0xff));
    for (const number of [2, 3, 5, 6]) {
      symlinkSync(this.device(number), join(this.directory, `disk/by-partuuid/abcd1234-0${number}`));
    }
    const disk = Buffer.alloc(512);
    disk[450] = 0x0c;
    writeFileSync(join(this.directory, "disk.img"), disk);
    this.put("tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
    this.put("tree/serial-number", "10000000abcdef01\0");
    this.put("tree/chosen/bootloader/version", "0123456789abcdef\0");
    this.put("tree/chosen/bootloader/build-timestamp", integer(Date.UTC(2025, 4, 1) / 1000));
    this.put("tree/chosen/bootloader/capabilities", integer(capabilities));
    this.put("cpuinfo", "Hardware\t: BCM2835\nRevision\t: c03114\nSerial\t\t: 10000000ffffffff\n");
    this.put(
      "mountinfo",
      `22 1 179:5 / / ro - ext4 /dev/root ro\n30 22 179:1 / ${join(this.directory, "autoboot")} ro,noatime - vfat /dev/mmcblk0p1 ro\n`,
    );
    this.put("cmdline", "coherent_pool=1M root=PARTUUID=abcd1234-05 panic=10\n");
    this.put("systemd/system.conf", "[Manager]\nRuntimeWatchdogSec=15\n");
    this.program("vcgencmd", "echo BOOT_WATCHDOG_TIMEOUT=60");
    this.program("systemctl", `echo "$@" >> ${join(this.directory, "restarts")}`);
  }

  device(number: number): string {
    return join(this.directory, `p${number}.img`);
  }

  put(name: string, content: string | Uint8Array): void {
    writeFileSync(join(this.directory, name), content);
  }

  text(name: string): string {
    return readFileSync(join(this.directory, name), "latin1");
  }

  program(name: string, line: string): void {
    this.put(name, `#!/bin/sh\n${line}\n`);
    chmodSync(join(this.directory, name), 0o755);
  }

  board(options: Partial<RaspberryPiBoardOptions> = {}): Board {
    const inside = (name: string) => join(this.directory, name);
    return createRaspberryPiBoard(
      {
        clock: createSystemClock(),
        log: this.log,
        store: this.#durableStore(),
        slots: [
          { partition: 2, boot: this.device(2), root: this.device(5) },
          { partition: 3, boot: this.device(3), root: this.device(6) },
        ],
        autobootFile: this.autobootFile,
        restart: { by: "systemctl", program: inside("systemctl") },
        parameterFile: inside("reboot-param"),
        deviceTree: inside("tree"),
        cpuinfoFile: inside("cpuinfo"),
        osReleaseFile: inside("os-release"),
        bootIdFile: inside("boot_id"),
        mountInfoFile: inside("mountinfo"),
        diskLinks: inside("disk"),
        dropCachesFile: inside("drop_caches"),
        disk: inside("disk.img"),
        commandLineFile: inside("cmdline"),
        systemdFolder: inside("systemd"),
        bootLoaderConfiguration: { program: inside("vcgencmd"), arguments: ["bootloader_config"] },
        ...options,
      },
      { mounter: this.#mounter() },
    );
  }

  restarts(): readonly string[] {
    return existsSync(join(this.directory, "restarts")) ? this.text("restarts").trim().split("\n") : [];
  }

  /** Power may go now. */
  during = (): void => {
    if (this.#isOff || this.moments++ === this.cutAt) {
      this.#isOff = true;
      throw new PowerCut("the power went");
    }
  };

  /** Power goes, and comes back: a try that was asked for is forgotten. */
  async powerCut(): Promise<void> {
    this.cutAt = Number.POSITIVE_INFINITY;
    this.#isOff = false;
    this.#seenRestarts = this.restarts().length;
    await this.boot();
  }

  /** The restart that was asked for happens. @param tryHangs the system that is tried does not come up */
  async boot({ tryHangs = false } = {}): Promise<void> {
    const asked = this.restarts().slice(this.#seenRestarts);
    this.#seenRestarts = this.restarts().length;
    const isTry = asked.some((words) => words.endsWith("--reboot-argument=0 tryboot"));
    const { all, tryboot } = parseAutoboot(readFileSync(this.autobootFile, "latin1"));
    const came = isTry && !tryHangs && tryboot !== undefined && (await this.#start(tryboot, true));
    if (isTry && !came) this.boots.push(`${tryboot}!`);
    if (!came && (all === undefined || !(await this.#start(all, false))))
      throw new Error("the board is dead");
    this.bootNumber += 1;
    this.put("boot_id", `boot-${this.bootNumber}\n`);
  }

  async #start(partition: number, isTry: boolean): Promise<boolean> {
    const commandLine = await readFatFile(this.device(partition), "cmdline.txt").catch(() => undefined);
    const [, uuid] = rootOf(commandLine?.toString("latin1") ?? "")?.split("PARTUUID=") ?? [];
    if (uuid === undefined) return false;
    const system = readFileSync(realpathSync(join(this.directory, "disk/by-partuuid", uuid)), "latin1");
    const [version = ""] = system.split("\n");
    if (!system.includes("END\n") || !system.includes(`${version} ${version} `)) return false;
    this.put("os-release", `ID=raspbian\nVERSION_ID="12"\nIMAGE_VERSION="${version}"\n`);
    this.put("tree/chosen/bootloader/partition", integer(partition));
    this.put("tree/chosen/bootloader/tryboot", integer(isTry ? 1 : 0));
    this.boots.push(isTry ? `${partition}?` : `${partition}`);
    return true;
  }

  #mounter(): Mounter {
    return {
      mount: async () => {},
      unmount: async () => {},
      remount: async (_, access) => {
        this.during();
        this.remounts.push(access);
        chmodSync(this.autobootFile, access === "rw" ? 0o644 : 0o444);
        this.during();
      },
      isMounted: async () => this.#isMounted,
    };
  }

  #durableStore(): Store {
    const { store } = this;
    const acting = async (act: () => Promise<void>) => {
      this.during();
      await act();
      this.during();
    };
    return {
      read: (name) => store.read(name),
      write: (name, record) => acting(() => store.write(name, record)),
      remove: (name) => acting(() => store.remove(name)),
    };
  }
}

export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
