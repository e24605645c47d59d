/**
 * A board that exists on disk only: it takes images of simulated-image.ts, needs time to install them, restarts through
 * whoever hosts it, and fails on request.
 */
import { copyFile, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../agent/model/errors.js";
import {
  type Board,
  type BoardDescription,
  BusyError,
  type Clock,
  type ImageFile,
  type Millis,
  millis,
  PackageError,
  type PackageInfo,
  type Random,
  type Store,
  seconds,
  type UpdateAttempt,
} from "../../agent/ports.js";
import { wait } from "../../agent/wait.js";
import { sha256OfFile } from "../files/sha256.js";
import { createFileStore } from "../files/store.js";
import { describeError } from "../system-error.js";
import {
  type BootState,
  beginInstallation,
  boot,
  bootStayingImage,
  commit,
  endInstallation,
  factoryState,
  needsRestart,
  otherSlot,
  revert,
} from "./boot-loader.js";
import { inspectSimulatedImage, simulatedBoard } from "./simulated-image.js";

/** `install-failure`: the slot cannot be written · `old-image`: the boot loader does not start the new image */
export type SimulatedFault = "install-failure" | "old-image";

export type RestartCause = "restart" | "factoryReset";

export interface SimulatedBoardOptions {
  /** Where slots and boot loader are kept. Made if it does not exist. */
  readonly directory: string;
  /** Of the factory image, which runs until another one is installed. */
  readonly firmwareVersion: string;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * The host ends the agent and calls `boot` when the board is up again; after a factory reset it forgets what the agent
   * kept, too. Not awaited: the agent waits for nobody then.
   */
  readonly onRestart: (cause: RestartCause) => void;
  readonly serialNumber?: string;
  /** 5 s when not given. */
  readonly applyDuration?: Millis;
  /** From full to empty: a day when not given. */
  readonly batteryLife?: Millis;
  readonly fault?: SimulatedFault;
}

export interface SimulatedBoard extends Board {
  /** The board is switched on: the boot loader chooses an image. Goes before everything else. */
  boot(): Promise<void>;
  power(): BatteryReadings;
  /** kB. */
  memory(): { readonly free: number; readonly total: number };
}

export interface BatteryReadings {
  readonly sources: readonly [
    { readonly kind: "internalBattery"; readonly millivolts: number; readonly milliamps: number },
  ];
  /** Percent. */
  readonly batteryLevel: number;
  readonly batteryStatus: "normal" | "low";
}

export const createSimulatedBoard = (options: SimulatedBoardOptions): SimulatedBoard =>
  new TwoSlotBoard(options);

/** What survives a power cut. */
interface BoardRecord extends BootState {
  readonly bootId: string;
  readonly batteryLevel: number;
}

const recordName = "board.json";
const factoryImageName = "factory";
const installationSteps = 50;
const lowBattery = 20;

class TwoSlotBoard implements SimulatedBoard {
  readonly name = simulatedBoard;
  readonly #options: SimulatedBoardOptions;
  readonly #store: Store;
  #loading: Promise<BoardRecord> | undefined;
  /** Its level at a moment, from which it drains. */
  #battery: { readonly level: number; readonly at: Millis };
  #isInstalling = false;

  constructor(options: SimulatedBoardOptions) {
    this.#options = options;
    this.#store = createFileStore(options.directory);
    this.#battery = { level: 100, at: options.clock.now() };
  }

  async boot(): Promise<void> {
    const record = await this.#load();
    const booted = this.#options.fault === "old-image" ? bootStayingImage(record) : boot(record);
    await this.#save({ ...booted, bootId: this.#newBootId() });
  }

  async bootId(): Promise<string> {
    return (await this.#load()).bootId;
  }

  async describe(): Promise<BoardDescription> {
    const { slots, running } = await this.#load();
    return {
      manufacturer: "lwm2m-agent",
      modelNumber: "Simulated board",
      serialNumber: this.#options.serialNumber ?? "SIM-0001",
      hardwareVersion: "1",
      firmwareVersion: slots[running]?.version ?? "",
    };
  }

  inspect(image: ImageFile, options: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    return inspectSimulatedImage(image, options);
  }

  async apply(image: ImageFile, options: Parameters<Board["apply"]>[1]): Promise<"restart" | "running"> {
    if (this.#isInstalling) throw new BusyError("another image is being installed");
    this.#isInstalling = true;
    try {
      return await this.#install(image, options);
    } finally {
      this.#isInstalling = false;
    }
  }

  async outcome(attempt: UpdateAttempt): Promise<"new" | "old"> {
    const { slots, running } = await this.#load();
    return slots[running]?.sha256 === attempt.image.sha256 ? "new" : "old";
  }

  async commit(): Promise<void> {
    await this.#change(commit);
  }

  async revert(): Promise<"restart" | "done"> {
    return needsRestart(await this.#change(revert)) ? "restart" : "done";
  }

  async restart(): Promise<void> {
    this.#options.onRestart("restart");
  }

  async factoryReset(): Promise<void> {
    await this.#change(() => this.#factoryState());
    await Promise.all(["a", "b"].map((slot) => rm(this.#slotPath(slot), { force: true })));
    this.#options.onRestart("factoryReset");
  }

  power(): BatteryReadings {
    const batteryLevel = Math.floor(this.#batteryLevel());
    return {
      // A lithium cell under the load of a small board, and more while it writes flash.
      sources: [
        {
          kind: "internalBattery",
          millivolts: 3300 + batteryLevel * 9,
          milliamps: this.#isInstalling ? 340 : 120,
        },
      ],
      batteryLevel,
      batteryStatus: batteryLevel < lowBattery ? "low" : "normal",
    };
  }

  memory() {
    return { free: this.#isInstalling ? 180_000 : 310_000, total: 512_000 };
  }

  async #install(image: ImageFile, options: Parameters<Board["apply"]>[1]): Promise<"restart" | "running"> {
    const record = await this.#load();
    if (record.slots[record.running]?.sha256 === image.sha256) return "running";
    const info = await this.inspect(image, options);
    await this.#change(beginInstallation);
    await this.#passTime(options);
    const slot = this.#slotPath(otherSlot(record));
    await copyDurably(image.path, slot);
    if ((await sha256OfFile(slot, options)) !== image.sha256) {
      throw new PackageError("integrity", "the package changed while it was installed");
    }
    await this.#change((state) => endInstallation(state, { ...info, sha256: image.sha256 }));
    return "restart";
  }

  async #passTime({ signal, progress }: Parameters<Board["apply"]>[1]): Promise<void> {
    const { clock, applyDuration = seconds(5), fault } = this.#options;
    for (let step = 1; step <= installationSteps; step++) {
      await wait(millis(applyDuration / installationSteps), clock, signal);
      if (fault === "install-failure" && step > installationSteps / 2) {
        throw new PackageError("failed", "the slot cannot be written: the flash reports a bad block");
      }
      progress(step / installationSteps);
    }
  }

  #batteryLevel(): number {
    const { clock, batteryLife = seconds(24 * 60 * 60) } = this.#options;
    const { level, at } = this.#battery;
    return Math.max(0, level - ((clock.now() - at) / batteryLife) * 100);
  }

  #newBootId(): string {
    return Buffer.from(this.#options.random.bytes(16)).toString("hex");
  }

  #slotPath(slot: string): string {
    return join(this.#options.directory, `slot-${slot}.img`);
  }

  #factoryState(): BootState {
    return factoryState({ name: factoryImageName, version: this.#options.firmwareVersion });
  }

  #load(): Promise<BoardRecord> {
    this.#loading ??= this.#read();
    return this.#loading;
  }

  async #read(): Promise<BoardRecord> {
    const bytes = await this.#store.read(recordName);
    if (bytes === undefined) return { ...this.#factoryState(), bootId: this.#newBootId(), batteryLevel: 100 };
    const record = parseRecord(bytes, join(this.#options.directory, recordName));
    this.#battery = { level: record.batteryLevel, at: this.#options.clock.now() };
    return record;
  }

  /** Performs a step of the boot loader, durably. */
  async #change(step: (state: BootState) => BootState): Promise<BootState> {
    const { bootId, batteryLevel, ...state } = await this.#load();
    const changed = step(state);
    if (changed !== state) await this.#save({ ...changed, bootId });
    return changed;
  }

  async #save(state: Omit<BoardRecord, "batteryLevel">): Promise<void> {
    const record = { ...state, batteryLevel: this.#batteryLevel() };
    await this.#store.write(recordName, Buffer.from(JSON.stringify(record)));
    this.#loading = Promise.resolve(record);
  }
}

async function copyDurably(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to);
    const file = await open(to, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new PackageError("storage", `the slot cannot be written: ${describeError(cause)}`, { cause });
  }
}

function parseRecord(bytes: Uint8Array, path: string): BoardRecord {
  try {
    const record = JSON.parse(new TextDecoder().decode(bytes)) as BoardRecord;
    if (record.slots[record.running] !== undefined) return record;
  } catch {
    // Said below.
  }
  throw new ConfigError(`${path} is damaged: remove it to start from the factory image`);
}
