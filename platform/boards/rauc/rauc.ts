/**
 * Boards with RAUC: slots, signatures and the boot loader are its own; this asks it over D-Bus, which an unprivileged agent
 * may do. What RAUC says of a bundle is the truth before the restart, the slot that booted is the truth after it.
 */
import { chmod } from "node:fs/promises";
import {
  type ApplyOptions,
  type Board,
  type BoardDescription,
  BusyError,
  type Finding,
  type ImageFile,
  millis,
  PackageError,
  type PackageInfo,
  seconds,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { type Bus, connectToBus, DBusError } from "../../dbus/connection.js";
import { SystemFiles } from "../../linux/files.js";
import { readImageVersion } from "../../linux/os-release.js";
import { readIdentity } from "../../linux/system.js";
import { describeError } from "../../system-error.js";
import { installerError } from "../error-texts.js";
import { runFactoryProgram } from "../factory-program.js";
import { createRestart, type Restart } from "../restart.js";
import { readBundle } from "./bundle.js";
import { checkRauc } from "./check.js";
import { install, ServiceDied } from "./installation.js";
import type { RaucBoardOptions } from "./options.js";
import { type RaucRecord, RaucRecords } from "./record.js";
import { RaucService } from "./service.js";
import type { Slot } from "./slots.js";

export const createRaucBoard = (options: RaucBoardOptions): Board => new RaucBoard(options);

/** A service that dies twice in one installation does so for a reason. */
const maximumBeginnings = 2;
const factoryResetLimit = seconds(2 * 60 * 60);

class RaucBoard implements Board {
  readonly name = "rauc";
  readonly #options: RaucBoardOptions;
  readonly #files: SystemFiles;
  readonly #records: RaucRecords;
  readonly #restart: Restart;
  #isInstalling = false;

  constructor(options: RaucBoardOptions) {
    this.#options = options;
    this.#files = new SystemFiles(options.root ?? "/");
    this.#records = new RaucRecords(options.store);
    this.#restart = createRestart(options.restart ?? { by: "systemctl" }, options.clock);
  }

  async bootId(): Promise<string> {
    const id = await this.#files.text("proc/sys/kernel/random/boot_id");
    if (id === undefined) throw new Error("the kernel does not say which boot this is (boot_id)");
    return id;
  }

  async describe(): Promise<BoardDescription> {
    const { description, log } = this.#options;
    const identity = await readIdentity(this.#files);
    const rauc = await this.#withService(describeByRauc).catch((error) => {
      log.warn("RAUC does not say what runs", { error: describeError(error) });
      return { compatible: undefined, version: undefined };
    });
    return {
      manufacturer: "",
      modelNumber: identity.modelNumber ?? rauc.compatible ?? "",
      serialNumber: identity.serialNumber ?? "",
      hardwareVersion: rauc.compatible ?? "",
      ...(rauc.version === undefined
        ? await readImageVersion(this.#files)
        : { firmwareVersion: rauc.version }),
      ...description,
    };
  }

  async inspect(image: ImageFile, { signal }: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    const { program = "rauc", configurationPath, clock, clockLimit = seconds(120) } = this.#options;
    const bundle = await readBundle(image, {
      program,
      configurationPath,
      clock,
      clockLimit,
      signal,
      files: this.#files,
      askService: async () => {
        await keepReadable(image.path);
        return this.#withService((service) => service.inspect(image.path));
      },
    });
    const compatible = await this.#withService((service) => service.text("Compatible"));
    if (compatible !== undefined && bundle.compatible !== compatible) {
      throw new PackageError(
        "unsupported-package",
        `the bundle is for "${bundle.compatible}", this device is "${compatible}"`,
      );
    }
    return { name: bundle.compatible, version: bundle.version };
  }

  async apply(image: ImageFile, options: ApplyOptions): Promise<"restart" | "running"> {
    options.signal.throwIfAborted();
    if (this.#isInstalling) throw new BusyError("another bundle is being installed");
    this.#isInstalling = true;
    try {
      return await this.#install(image.path, options);
    } finally {
      this.#isInstalling = false;
    }
  }

  async outcome(attempt: UpdateAttempt): Promise<"new" | "old" | "unknown"> {
    const booted = await this.#withService(async (service) => bootedSlot(await service.slots()));
    if (booted === undefined) return "unknown";
    const record = await this.#records.read();
    if (record?.attempt !== attempt.id) return withoutRecord(booted, attempt);
    if (record.expectedSlot !== undefined) return booted.name === record.expectedSlot ? "new" : "old";
    // Power went before the record was closed. RAUC makes a slot bootable last, so one that boots was complete.
    return booted.name === record.previousSlot ? "old" : withoutRecord(booted, attempt);
  }

  async commit(): Promise<void> {
    await this.#withService(async (service) => {
      // On every boot: the boot loader counts each of them, and knows of no update.
      await service.mark("good", "booted");
      const record = await this.#records.read();
      if (record === undefined) return;
      const booted = bootedSlot(await service.slots());
      const isOver = booted?.name === record.expectedSlot || record.bootId !== (await this.bootId());
      if (!isOver) return;
      if (booted?.name === record.previousSlot) await this.#giveUp(service, record, booted);
      await this.#records.remove();
    });
  }

  async revert(): Promise<"restart" | "done"> {
    return this.#withService(async (service) => {
      const record = await this.#records.read();
      const slots = await service.slots();
      const booted = bootedSlot(slots);
      if (booted === undefined) throw new Error("RAUC does not know which slot runs: nothing is changed");
      if (record !== undefined && booted.name === record.previousSlot) {
        await this.#giveUp(service, record, booted);
        return "done";
      }
      const previous = record?.previousSlot ?? otherSlot(slots, booted)?.name;
      if (previous === undefined) {
        this.#options.log.warn("there is no image to return to", { booted: booted.name });
        return "done";
      }
      // First the one to return to: power may go in between, and then one of the two still boots.
      await service.mark("active", previous);
      await service.mark("bad", "booted");
      return "restart";
    });
  }

  restart(): Promise<void> {
    return this.#restart();
  }

  async factoryReset(): Promise<void> {
    const { factoryReset, clock } = this.#options;
    if (factoryReset === undefined) {
      throw new Error("no factory image is configured: name a bundle or a program for the factory reset");
    }
    if ("bundle" in factoryReset) {
      const signal = new AbortController().signal;
      await this.#install(factoryReset.bundle, {
        signal,
        progress: () => undefined,
        attempt: "factory-reset",
      });
    } else {
      await runFactoryProgram(factoryReset, { timeLimit: factoryResetLimit, clock });
    }
    await this.#restart();
  }

  check(): Promise<readonly Finding[]> {
    return checkRauc({ ...this.#options, files: this.#files });
  }

  async #install(path: string, options: ApplyOptions): Promise<"restart" | "running"> {
    const before = await this.#withService((service) => service.slots());
    const booted = bootedSlot(before);
    if (booted === undefined) {
      throw new PackageError(
        "failed",
        "RAUC does not know which slot runs, so it cannot install: see `rauc status`",
      );
    }
    const record = { attempt: options.attempt, bootId: await this.bootId(), previousSlot: booted.name };
    await this.#records.write(record);
    await keepReadable(path);
    await this.#installAgainIfServiceDies(path, options);
    const expectedSlot = await this.#withService((service) => nextSlot(service, before, booted));
    if (expectedSlot === booted.name) {
      await this.#records.remove();
      return "running";
    }
    await this.#records.write({ ...record, expectedSlot });
    return "restart";
  }

  /** The bundle that a dead service leaves mounted is in nobody's way: the next installation mounts over it. */
  async #installAgainIfServiceDies(path: string, options: ApplyOptions): Promise<void> {
    const { clock, log, installationLimit = millis(2 * 60 * 60 * 1000) } = this.#options;
    let furthest = 0;
    const progress: ApplyOptions["progress"] = (fraction, message) => {
      furthest = Math.max(furthest, fraction);
      options.progress(furthest, message);
    };
    for (let beginning = 1; ; beginning++) {
      try {
        return await this.#withBus((bus) =>
          install({
            ...options,
            progress,
            bus,
            path,
            transaction: options.attempt,
            timeLimit: installationLimit,
            clock,
            log,
          }),
        );
      } catch (error) {
        if (!(error instanceof ServiceDied)) throw error;
        if (beginning === maximumBeginnings)
          throw new PackageError("failed", error.message, { cause: error });
        log.warn("the installation is begun again", { because: error.message });
      }
    }
  }

  /** What failed is not met again by a later boot, and what runs boots next. */
  async #giveUp(service: RaucService, { expectedSlot }: RaucRecord, booted: Slot): Promise<void> {
    const primary = await service.primary();
    if (primary === undefined || primary === booted.name) return;
    await service.mark("active", "booted");
    if (expectedSlot !== undefined && primary === expectedSlot) await service.mark("bad", expectedSlot);
  }

  async #withBus<T>(work: (bus: Bus) => Promise<T>): Promise<T> {
    try {
      const bus = await connectToBus({ address: this.#options.busAddress, clock: this.#options.clock });
      try {
        return await work(bus);
      } finally {
        bus.close();
      }
    } catch (error) {
      if (error instanceof DBusError) throw installerError(`RAUC: ${error.message}`, {}, { cause: error });
      throw error;
    }
  }

  #withService<T>(work: (service: RaucService) => Promise<T>): Promise<T> {
    return this.#withBus((bus) => work(new RaucService(bus)));
  }
}

/** RAUC makes the bundle root's own. A later look at it, after a refusal, is ours: so it stays readable. */
async function keepReadable(path: string): Promise<void> {
  await chmod(path, 0o644).catch(() => undefined); // root's already
}

async function describeByRauc(service: RaucService) {
  const properties = await service.properties();
  const text = (name: string) => {
    const value = properties.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const version = bootedSlot(await service.slots())?.bundleVersion;
  return { compatible: text("Compatible"), version: version ?? text("SystemVersion") };
}

const bootedSlot = (slots: readonly Slot[]): Slot | undefined => slots.find(({ isBooted }) => isBooted);

/** The one other slot that can take the place of the booted one, unless it is known to be bad. */
function otherSlot(slots: readonly Slot[], booted: Slot): Slot | undefined {
  const others = slots.filter(
    (slot) => slot.class === booted.class && slot.bootName !== undefined && slot.name !== booted.name,
  );
  return others.length === 1 && others[0]?.bootStatus !== "bad" ? others[0] : undefined;
}

/**
 * What boots next, after an installation. Where RAUC is told not to switch by itself (`activate-installed=false`) the slot
 * that was written is activated here.
 */
async function nextSlot(service: RaucService, before: readonly Slot[], booted: Slot): Promise<string> {
  const after = await service.slots();
  const primary = await service.primary();
  if (primary !== undefined && primary !== booted.name) return primary;
  const written = after.find(
    ({ name, bootName, installedCount }) =>
      bootName !== undefined &&
      name !== booted.name &&
      installedCount > (before.find((slot) => slot.name === name)?.installedCount ?? 0),
  );
  const next = written ?? (primary === undefined ? otherSlot(after, booted) : undefined);
  if (next === undefined) return booted.name;
  await service.mark("active", next.name);
  const chosen = await service.primary();
  if (chosen !== undefined && chosen !== next.name) {
    const found = `RAUC has written ${next.name}, but the boot loader still starts ${chosen}`;
    throw new PackageError("failed", `${found}: can its environment be written?`);
  }
  return next.name;
}

/** Our record is lost, or was never closed: what RAUC wrote about the slot, else the version. */
function withoutRecord(booted: Slot, attempt: UpdateAttempt): "new" | "old" | "unknown" {
  if (booted.transaction !== undefined && booted.transaction === attempt.id) return "new";
  if (attempt.package.version === attempt.previousVersion) return "unknown";
  // RAUC does not sync what it notes of its slots: after a power cut an older version may stand there, or none.
  return booted.bundleVersion === attempt.package.version ? "new" : "old";
}
