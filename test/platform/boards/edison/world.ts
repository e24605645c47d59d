/**
 * An Edison without the board: a partition that is a folder while it is mounted, an environment, and a boot loader that does
 * what the original one does. Power can go at each moment that something outside the agent happens.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Board, Store } from "../../../../agent/ports.js";
import type { BootEnvironment } from "../../../../platform/boards/boot-environment.js";
import { createEdisonBoard, type EdisonBoardOptions } from "../../../../platform/boards/edison/board.js";
import { parseOtaScript } from "../../../../platform/boards/edison/ota-script.js";
import type { Mounter, MountRequest } from "../../../../platform/boards/mounter.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { createMemoryStore } from "../../../simulated/store.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { rootName } from "./package.js";

export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

const partitionSize = 8 * 1024 ** 2;

export class EdisonWorld {
  readonly directory = temporaryDirectory("memory");
  readonly device = join(this.directory, "update.img");
  readonly mountPoint = join(this.directory, "mnt");
  /** What is on the partition while nobody has it mounted. */
  readonly partition = join(this.directory, "partition");
  readonly log = createRecordingLog();
  readonly store = createMemoryStore();
  variables = new Map<string, string>([["bootcmd", "run do_boot"]]);
  /** What the environment was asked to do, in order. */
  readonly writes: Readonly<Record<string, string | undefined>>[] = [];
  readonly mounts: MountRequest[] = [];
  /** What the boot loader thought of the packages that it met. */
  readonly verdicts: string[] = [];
  hardwareId = "05";
  bootNumber = 1;
  moments = 0;
  cutAt = Number.POSITIVE_INFINITY;
  #isOff = false;
  #access: "ro" | "rw" | undefined;

  constructor(runningVersion: string) {
    writeFileSync(this.device, partitionTable());
    truncateSync(this.device, partitionSize);
    mkdirSync(this.partition);
    mkdirSync(this.mountPoint);
    writeFileSync(join(this.directory, "version"), `${runningVersion}@factory\n`);
    writeFileSync(join(this.directory, "serial_number"), "FZED451A00001234\n");
    writeFileSync(
      join(this.directory, "systemctl"),
      `#!/bin/sh\necho "$@" >> ${join(this.directory, "restarts")}\n`,
    );
    chmodSync(join(this.directory, "systemctl"), 0o755);
    this.#newBootId();
  }

  board(options: Partial<EdisonBoardOptions> = {}): Board {
    return createEdisonBoard(
      {
        clock: createSystemClock(),
        log: this.log,
        store: this.#durableStore(),
        updatePartition: this.device,
        mountPoint: this.mountPoint,
        packageVersionFile: "version",
        restart: { by: "systemctl", program: join(this.directory, "systemctl") },
        serialNumberFile: join(this.directory, "serial_number"),
        versionFile: join(this.directory, "version"),
        bootIdFile: join(this.directory, "boot_id"),
        dropCachesFile: join(this.directory, "drop_caches"),
        gadgetFiles: [join(this.directory, "sys/*/lun*/file")],
        fileSystemsFile: join(this.directory, "filesystems"),
        mountsFile: join(this.directory, "mounts"),
        ...options,
      },
      { environment: this.#environment(), mounter: this.#mounter() },
    );
  }

  /** How often the board asked for a restart, and with which words. */
  restarts(): readonly string[] {
    const path = join(this.directory, "restarts");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }

  /** Something outside happens; power may go before it, or just after. */
  async act<T>(effect: () => T | Promise<T>): Promise<T> {
    this.#moment();
    const result = await effect();
    this.#moment();
    return result;
  }

  /** For work that is long: power may go in the middle of it. */
  during = (): void => this.#moment();

  /** The agent has died, the board goes on. */
  revive(): void {
    this.cutAt = Number.POSITIVE_INFINITY;
    this.#isOff = false;
  }

  /** Power goes, and comes back. @param bootLoaderCuts how often it goes again while the boot loader installs */
  boot(bootLoaderCuts = 0): void {
    this.revive();
    this.#loseUnwritten();
    for (let cut = 0; cut <= bootLoaderCuts; cut++) this.#bootLoader(cut < bootLoaderCuts);
    this.bootNumber += 1;
    this.#newBootId();
  }

  #moment(): void {
    if (this.#isOff || this.moments++ === this.cutAt) {
      this.#isOff = true;
      throw new PowerCut("the power went");
    }
  }

  /** FAT has no journal: what is open when power goes is anything. */
  #loseUnwritten(): void {
    if (this.#access === undefined) return;
    const names = readdirSync(this.mountPoint);
    if (this.#access === "rw") {
      for (const name of names) truncateSync(join(this.mountPoint, name), 3);
    }
    this.#unmount();
  }

  /** The steps of U-Boot 2014.04 as Intel built it, and those of its script. */
  #bootLoader(isCut: boolean): void {
    if (this.variables.get("bootargs_mode") !== "ota") return;
    const memory = new Map(this.variables);
    memory.set("ota_status", "1");
    memory.delete("bootargs_mode");
    const scriptPath = join(this.partition, "ota_update.scr");
    if (existsSync(scriptPath)) {
      try {
        this.#runScript(readFileSync(scriptPath), memory, isCut);
        memory.set("ota_status", "0");
      } catch {
        memory.set("ota_status", "2");
      }
    }
    if (isCut) return; // nothing was saved
    this.verdicts.push(memory.get("ota_abort_reason") ?? `status ${memory.get("ota_status")}`);
    this.variables = memory;
  }

  #runScript(bytes: Buffer, memory: Map<string, string>, isCut: boolean): void {
    const { images, digests } = parseOtaScript(bytes);
    memory.set("ota_done", "0").set("ota_abort", "0");
    memory.delete("ota_abort_reason");
    if (memory.get("ota_checked") === "1") this.verdicts.push("written without a check");
    else {
      const fault = images.map(({ name }) => this.#faultOf(name, digests)).find((reason) => reason !== "");
      if (fault !== undefined) {
        memory.set("ota_abort", "1").set("ota_abort_reason", fault);
        return;
      }
    }
    memory.set("ota_checked", "1");
    const version = readFileSync(join(this.partition, rootName), "utf8").split("\n")[0];
    writeFileSync(join(this.directory, "version"), isCut ? "" : `${version}@stamp\n`);
    memory.set("ota_done", "1");
    memory.delete("ota_checked");
  }

  #faultOf(name: string, digests: ReadonlySet<string>): string {
    const path = join(this.partition, name.replace(/\$\{\w+\}/, this.hardwareId));
    if (!existsSync(path)) return `fatload mmc 0:9 0x6400000 ${name} failed: 1`;
    const digest = createHash("sha1").update(readFileSync(path)).digest("hex");
    return digests.has(digest) ? "" : `${name} hash mismatch (${digest} / another)`;
  }

  #environment(): BootEnvironment {
    return {
      read: (names) =>
        this.act(
          () => Object.fromEntries(names.map((name) => [name, this.variables.get(name)])) as never, // what it asked for
        ),
      write: (changes) =>
        this.act(() => {
          this.writes.push(changes);
          for (const [name, value] of Object.entries(changes)) {
            if (value === undefined) this.variables.delete(name);
            else this.variables.set(name, value);
          }
        }),
      check: async () => [],
    };
  }

  #mounter(): Mounter {
    return {
      mount: (request) =>
        this.act(() => {
          this.mounts.push(request);
          this.#access = request.options.includes("ro") ? "ro" : "rw";
          renameSync(this.partition, this.mountPoint);
        }),
      unmount: () => this.act(() => this.#unmount()),
      remount: async () => {},
      isMounted: async () => this.#access !== undefined,
    };
  }

  #unmount(): void {
    this.#access = undefined;
    renameSync(this.mountPoint, this.partition);
    mkdirSync(this.mountPoint);
  }

  #durableStore(): Store {
    const { store } = this;
    return {
      read: (name) => store.read(name),
      write: (name, record) => this.act(() => store.write(name, record)),
      remove: (name) => this.act(() => store.remove(name)),
    };
  }

  #newBootId(): void {
    writeFileSync(join(this.directory, "boot_id"), `boot-${this.bootNumber}\n`);
  }
}

/** A DOS table whose first partition, a FAT32, begins at sector 16. */
function partitionTable(): Buffer {
  const sector = Buffer.alloc(512);
  sector[446 + 4] = 0x0b;
  sector.writeUInt32LE(16, 446 + 8);
  sector.writeUInt32LE(partitionSize / 512 - 16, 446 + 12);
  sector.writeUInt16BE(0x55aa, 510);
  return sector;
}
