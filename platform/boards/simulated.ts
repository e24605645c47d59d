/** A board that is not there: two slots in a folder, a boot loader that can be told to fail, and a battery. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Board,
  type BoardDescription,
  type Clock,
  type ImageFile,
  type Millis,
  millis,
  PackageError,
  type Random,
} from "../../agent/ports.js";
import { createFileStore } from "../files/store.js";
import { inspectSimulatedImage } from "./simulated-image.js";

/** `install-failure`: writing the image fails half-way · `old-image`: the boot loader keeps to the old slot. */
export type SimulatedBoardFault = "install-failure" | "old-image";

export interface SimulatedBoardOptions {
  /** Holds the slots and what the boot loader remembers. */
  readonly directory: string;
  /** What runs at first, and again after a factory reset. */
  readonly firmwareVersion: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How long writing an image takes; nothing unless given. */
  readonly applyDuration?: Millis;
  readonly fault?: SimulatedBoardFault;
  /** The board goes down. Whoever runs it ends the agent, and calls `boot` before starting the next. */
  onRestart(): void;
}

export interface SimulatedBoard extends Board {
  /** Power comes on, the boot loader chooses a slot. */
  boot(): Promise<void>;
  power(): SimulatedPower;
  /** In kB. */
  memory(): { readonly free: number; readonly total: number };
}

export interface SimulatedPower {
  readonly sources: readonly [
    { readonly kind: "internalBattery"; readonly millivolts: number; readonly milliamps: number },
  ];
  /** Percent. */
  readonly batteryLevel: number;
  readonly batteryStatus: "normal" | "low";
}

/** What survives a power cut. */
interface BootRecord {
  /** Versions of the two slots. */
  readonly slots: readonly [string, string];
  readonly active: 0 | 1;
  /** The slot that the next boot is to try. */
  readonly next: 0 | 1;
  readonly boots: number;
  readonly serialNumber: string;
}

const recordName = "boot.json";
const applySteps = 20;
/** The battery lasts for 100 minutes and is exchanged when it is empty. */
const drainInterval = 60_000;

export async function createSimulatedBoard(options: SimulatedBoardOptions): Promise<SimulatedBoard> {
  const { directory, firmwareVersion, clock, random, fault, applyDuration = millis(0) } = options;
  const store = createFileStore(directory);
  const factory = (serialNumber: string, boots: number): BootRecord => ({
    slots: [firmwareVersion, ""],
    active: 0,
    next: 0,
    boots,
    serialNumber,
  });
  let record = parseRecord(await store.read(recordName)) ?? factory(createSerialNumber(random), 0);
  const switchedOn = clock.now();

  async function save(changes: Partial<BootRecord>): Promise<void> {
    const changed = { ...record, ...changes };
    await store.write(recordName, new TextEncoder().encode(JSON.stringify(changed)));
    record = changed;
  }

  const describe = (): BoardDescription => ({
    manufacturer: "lwm2m-agent",
    modelNumber: "simulated-board",
    serialNumber: record.serialNumber,
    hardwareVersion: "1.0",
    firmwareVersion: record.slots[record.active],
  });

  return {
    name: "simulated",
    bootId: async () => `${record.serialNumber}-${record.boots}`,
    describe: async () => describe(),
    inspect: (image, { signal }) => inspectSimulatedImage(image, signal),
    async apply(image, { signal, progress }) {
      const { version } = await inspectSimulatedImage(image, signal);
      const target = record.active === 0 ? 1 : 0;
      for (let step = 1; step <= applySteps; step++) {
        await wait(clock, millis(applyDuration / applySteps), signal);
        progress(step / applySteps);
        if (fault === "install-failure" && step === applySteps / 2) {
          throw new PackageError("failed", "the flash memory cannot be written");
        }
      }
      await writeSlot(image, target);
      await save({
        slots: target === 0 ? [version, record.slots[1]] : [record.slots[0], version],
        next: target,
      });
      return "restart";
    },
    async outcome(attempt) {
      if (describe().firmwareVersion === attempt.package.version) return "new";
      return describe().firmwareVersion === attempt.previousVersion ? "old" : "unknown";
    },
    commit: () => save({ next: record.active }),
    async revert() {
      await save({ next: record.active === 0 ? 1 : 0 });
      return "restart";
    },
    restart: async () => options.onRestart(),
    async factoryReset() {
      await save(factory(record.serialNumber, record.boots));
      options.onRestart();
    },
    async boot() {
      const active = fault === "old-image" ? record.active : record.next;
      await save({ active, next: active, boots: record.boots + 1 });
    },
    power() {
      const batteryLevel = 100 - (Math.floor((clock.now() - switchedOn) / drainInterval) % 101);
      return {
        sources: [{ kind: "internalBattery", millivolts: 3300 + 9 * batteryLevel, milliamps: 125 }],
        batteryLevel,
        batteryStatus: batteryLevel < 15 ? "low" : "normal",
      };
    },
    memory: () => ({ free: 612_000, total: 1_024_000 }),
  };

  async function writeSlot({ path }: ImageFile, slot: 0 | 1): Promise<void> {
    await copyFile(path, join(directory, `slot-${slot}`));
  }
}

const createSerialNumber = (random: Random): string => Buffer.from(random.bytes(6)).toString("hex");

/** A record that cannot be read is a board fresh from the factory. */
function parseRecord(bytes: Uint8Array | undefined): BootRecord | undefined {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as BootRecord; // only `save` writes it, whole or not at all
  } catch {
    return undefined;
  }
}

/** @throws the abort reason when `signal` fires */
const wait = (clock: Clock, duration: Millis, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const abort = () => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.after(duration, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
