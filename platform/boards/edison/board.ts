/**
 * Intel Edison: one root slot, and a boot loader that installs what lies on the partition `update`. What we do is to prepare
 * that partition, to ask for it by the boot environment, and to read afterwards what came of it. There is no way back: an image
 * that does not come up needs a person with a cable, so nothing is asked for that was not read again and compared.
 */
import { readFile, stat } from "node:fs/promises";
import {
  type ApplyOptions,
  type Board,
  type BoardDescription,
  BusyError,
  type Clock,
  type Downloader,
  type Finding,
  type ImageFile,
  type Log,
  PackageError,
  type PackageInfo,
  type Store,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { sha256OfFile } from "../../files/sha256.js";
import { bootIdFile, readBootId } from "../../linux/boot-id.js";
import { describeError } from "../../system-error.js";
import {
  type BootEnvironment,
  type BootEnvironmentOptions,
  createBootEnvironment,
} from "../boot-environment.js";
import { createMounter, type Mounter, type MounterOptions } from "../mounter.js";
import { createRestart, type Restart, type RestartOptions } from "../restart.js";
import { checkEdison } from "./check.js";
import { judgeOta, statusBeforeRestart } from "./outcome.js";
import { checkOtaPackage, type OtaPackage, readOtaPackage, versionOf } from "./package.js";
import { EdisonRecords } from "./records.js";
import { fillUpdatePartition, roomOn } from "./update-partition.js";
import { defaultGadgetFiles, detachGadgets } from "./usb-gadget.js";

export interface EdisonBoardOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Of the board's own, where the new image sees it: below /home or /factory. */
  readonly store: Store;
  /** /dev/disk/by-partlabel/update when not given. */
  readonly updatePartition?: string;
  /** /run/lwm2m-agent-helper/update when not given: a folder of our own. */
  readonly mountPoint?: string;
  /** Of the partition: vfat when not given. */
  readonly fileSystem?: string;
  readonly mount?: Omit<MounterOptions, "clock">;
  readonly bootEnvironment?: Omit<BootEnvironmentOptions, "clock">;
  /**
   * How the boot loader hears of it. `environment` (when not given): we write `bootargs_mode`, and any restart will do.
   * `restart-argument`: by `reboot ota`, for images whose `systemd-reboot.service` writes it.
   */
  readonly request?: "environment" | "restart-argument";
  /** By systemctl when not given. */
  readonly restart?: RestartOptions;
  /** The file in a package whose first line is its version. Not given, or empty: the version of a bare zip archive is unknown. */
  readonly packageVersionFile?: string;
  /** What a factory reset installs, kept on the device or fetched then. Not given: a factory reset is refused. */
  readonly factoryPackage?: { readonly file: string } | { readonly uri: string };
  /** For a factory package with a URI. */
  readonly downloader?: Pick<Downloader, "download">;
  /** Deletes the agent's own state after a factory reset, except the credentials of the bootstrap: /home stays as it is. */
  readonly forget?: () => Promise<void>;
  /** Attributes of USB gadgets that may show the partition to a PC; `*` stands for any name. */
  readonly gadgetFiles?: readonly string[];
  /** /factory/serial_number when not given. */
  readonly serialNumberFile?: string;
  /** /etc/version when not given. */
  readonly versionFile?: string;
  readonly bootIdFile?: string;
  readonly dropCachesFile?: string;
  /** /proc/filesystems and /proc/mounts, where check looks. */
  readonly fileSystemsFile?: string;
  readonly mountsFile?: string;
  /** In place of what the board says of itself. */
  readonly description?: Partial<BoardDescription>;
}

/** What tests put in the place of programs. */
export interface EdisonParts {
  readonly environment: BootEnvironment;
  readonly mounter: Mounter;
}

export const createEdisonBoard = (
  options: EdisonBoardOptions,
  {
    environment = createBootEnvironment({ clock: options.clock, ...options.bootEnvironment }),
    mounter = createMounter({ clock: options.clock, ...options.mount }),
  }: Partial<EdisonParts> = {},
): Board => new EdisonBoard(options, { environment, mounter });

/** What a board says of itself that left the factory without data of its own. */
const dummySerialNumber = "VSPPYWWDXXXXXNNN";

class EdisonBoard implements Board {
  readonly name = "edison";
  readonly #options: EdisonBoardOptions;
  readonly #environment: BootEnvironment;
  readonly #mounter: Mounter;
  readonly #restart: Restart;
  readonly #records: EdisonRecords;
  #isInstalling = false;

  constructor(options: EdisonBoardOptions, { environment, mounter }: EdisonParts) {
    this.#options = options;
    this.#environment = environment;
    this.#mounter = mounter;
    this.#restart = createRestart(options.restart ?? { by: "systemctl" }, options.clock);
    this.#records = new EdisonRecords(options.store, options.log);
  }

  async bootId(): Promise<string> {
    return readBootId(this.#options.bootIdFile ?? bootIdFile);
  }

  async describe(): Promise<BoardDescription> {
    const serialNumber = await this.#serialNumber();
    return {
      manufacturer: "Intel",
      modelNumber: "Edison",
      serialNumber: serialNumber === dummySerialNumber ? "" : serialNumber,
      hardwareVersion: "",
      firmwareVersion: await this.#runningVersion(),
      ...this.#options.description,
    };
  }

  async inspect(image: ImageFile, { signal }: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    const package_ = await this.#read(image, signal);
    await checkOtaPackage(package_, { signal });
    return package_.info;
  }

  async apply(image: ImageFile, { signal, progress, attempt }: ApplyOptions): Promise<"restart"> {
    signal.throwIfAborted();
    await this.#exclusively(() => this.#prepare(image, attempt, signal, progress));
    return "restart";
  }

  async outcome({
    id,
    package: expected,
    previousVersion,
  }: UpdateAttempt): Promise<"new" | "old" | "unknown"> {
    const { log } = this.#options;
    // Where the boot loader was never asked, it says what became of an older update.
    if ((await this.#records.update())?.attempt !== id) return "old";
    const variables = ["ota_status", "ota_abort", "ota_done", "ota_abort_reason"] as const;
    const verdict = judgeOta(await this.#environment.read(variables));
    const running = await this.#runningVersion();
    const isNew = expected.version === "" ? running !== previousVersion : running === expected.version;
    switch (verdict.verdict) {
      case "written":
        if (!isNew) log.error("the update was written, but another version runs", { running, expected });
        return isNew ? "new" : "old";
      case "not-started":
        log.error("the update was not started: the boot loader did not see the request", { attempt: id });
        return "old";
      case "refused":
        throw new PackageError(verdict.failure, `the boot loader refused the update: ${verdict.reason}`);
      case "silent":
        return isNew ? "new" : "unknown";
    }
  }

  /** There is nothing to make permanent. What was asked for and given up must not be installed years later, though. */
  async commit(): Promise<void> {
    await this.#finishFactoryReset();
    const update = await this.#records.update();
    if (update === undefined || update.bootId === (await this.bootId())) return;
    const { ota_status, bootargs_mode } = await this.#environment.read(["ota_status", "bootargs_mode"]);
    if (ota_status === statusBeforeRestart && bootargs_mode === "ota") await this.#disarm();
  }

  async revert(): Promise<never> {
    throw new PackageError(
      "failed",
      "an Edison has one root file system: only another update can bring the previous version back",
    );
  }

  async restart(): Promise<void> {
    const update = this.#options.request === "restart-argument" ? await this.#records.update() : undefined;
    const isAsked = update?.isArmed === true && update.bootId === (await this.bootId());
    await this.#restart(isAsked ? "ota" : undefined);
  }

  async factoryReset(): Promise<void> {
    await this.#exclusively(async () => {
      const { signal } = new AbortController();
      const image = await this.#factoryImage(signal);
      await checkOtaPackage(await this.#read(image, signal), { signal });
      await this.#records.setFactoryReset("preparing");
      await this.#prepare(image, "factory-reset", signal, () => {});
      // Before the state goes: a cut that comes now leaves the deletion to the new image.
      await this.#records.setFactoryReset("armed");
      await this.#forget();
    });
    await this.restart();
  }

  async check(): Promise<readonly Finding[]> {
    const serialNumber = await this.#serialNumber();
    const { factoryPackage, packageVersionFile, fileSystem = "vfat", ...files } = this.#options;
    return checkEdison({
      device: this.#device,
      fileSystem,
      isAnonymous: serialNumber === "" || serialNumber === dummySerialNumber,
      version: await this.#runningVersion(),
      factoryPackage,
      packageVersionFile,
      environment: this.#environment,
      ...files,
    });
  }

  get #device(): string {
    return this.#options.updatePartition ?? "/dev/disk/by-partlabel/update";
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#isInstalling) throw new BusyError("another package is being unpacked");
    this.#isInstalling = true;
    try {
      await work();
    } finally {
      this.#isInstalling = false;
    }
  }

  async #read(image: ImageFile, signal: AbortSignal): Promise<OtaPackage> {
    const package_ = await readOtaPackage(image, {
      signal,
      versionFile: this.#options.packageVersionFile || undefined,
    });
    const room = await roomOn(this.#device).catch((cause: unknown) => {
      throw new PackageError("failed", `there is no update partition: ${describeError(cause)}`, { cause });
    });
    if (package_.space <= room) return package_;
    throw new PackageError(
      "storage",
      `the package takes ${package_.space} bytes, the update partition has ${room}`,
    );
  }

  async #prepare(image: ImageFile, attempt: string, signal: AbortSignal, progress: ApplyOptions["progress"]) {
    const { gadgetFiles = defaultGadgetFiles, mountPoint = "/run/lwm2m-agent-helper/update" } = this.#options;
    const { fileSystem = "vfat", dropCachesFile = "/proc/sys/vm/drop_caches" } = this.#options;
    const package_ = await this.#read(image, signal);
    // The boot loader must not take what is half-written, should power go now and an older request still stand.
    await this.#disarm();
    const attach = await detachGadgets(this.#device, gadgetFiles);
    try {
      await fillUpdatePartition(
        { mounter: this.#mounter, device: this.#device, mountPoint, fileSystem, dropCaches: dropCachesFile },
        package_,
        { signal, progress },
      );
    } finally {
      await attach();
    }
    signal.throwIfAborted();
    await this.#arm(attempt);
    progress(1, "waiting for the restart");
  }

  async #disarm(): Promise<void> {
    const { bootargs_mode } = await this.#environment.read(["bootargs_mode"]);
    await this.#environment.write({
      ota_status: statusBeforeRestart,
      // Other modes are other people's.
      ...(bootargs_mode === "ota" && { bootargs_mode: undefined }),
    });
    await this.#records.clearUpdate();
  }

  async #arm(attempt: string): Promise<void> {
    const { request = "environment" } = this.#options;
    const record = { attempt, bootId: await this.bootId() };
    await this.#records.setUpdate({ ...record, isArmed: false });
    await this.#environment.write({
      ota_status: statusBeforeRestart,
      ota_abort: undefined,
      ota_abort_reason: undefined,
      // Left at 1 by an update that failed while it was written: the next package would be written without any check.
      ota_checked: undefined,
      // ota_done stays: the first boot of a new image formats /home and the update partition unless it is 1.
      ...(request === "environment" && { bootargs_mode: "ota" }),
    });
    await this.#records.setUpdate({ ...record, isArmed: true });
  }

  async #factoryImage(signal: AbortSignal): Promise<ImageFile> {
    const { factoryPackage, downloader } = this.#options;
    if (factoryPackage === undefined) {
      throw new PackageError(
        "failed",
        "no factory package is configured: a factory reset would change nothing",
      );
    }
    if ("file" in factoryPackage) {
      const { file: path } = factoryPackage;
      return { path, size: (await stat(path)).size, sha256: await sha256OfFile(path, { signal }) };
    }
    if (downloader === undefined) throw new PackageError("failed", "nothing downloads the factory package");
    return downloader.download(factoryPackage.uri, { signal, progress: () => {} });
  }

  /** After a boot: what a cut between the request and the deletion left undone. */
  async #finishFactoryReset(): Promise<void> {
    const step = await this.#records.factoryReset();
    if (step === undefined) return;
    if (step === "armed") return this.#forget();
    this.#options.log.warn("a factory reset was interrupted before it had changed anything", {});
    await this.#records.clearFactoryReset();
  }

  async #forget(): Promise<void> {
    await this.#options.forget?.();
    await this.#records.clearFactoryReset();
  }

  async #runningVersion(): Promise<string> {
    return versionOf(await readFile(this.#options.versionFile ?? "/etc/version", "utf8").catch(() => ""));
  }

  async #serialNumber(): Promise<string> {
    const { serialNumberFile = "/factory/serial_number" } = this.#options;
    return (await readFile(serialNumberFile, "latin1").catch(() => "")).split("\n")[0]?.trim() ?? "";
  }
}
