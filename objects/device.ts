import {
  defineObject,
  type Handlers,
  type LiveObject,
  type ObjectImplementation,
  singleInstance,
} from "../agent/model/definition.js";
import { RequestError } from "../agent/model/errors.js";
import type { MemoryReadings, PlaceReadings, PowerReadings, PowerSource } from "../agent/model/readings.js";
import type { ObjectLink } from "../agent/model/value.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import { integer, optional, shape, text } from "../agent/persistence/record-format.js";
import type { BoardDescription, Clock, Log, Millis, Store } from "../agent/ports.js";
import { createRecent, whenKnown } from "./recent.js";
import { WatchedValues } from "./watched-values.js";

/** OMA registry, Object 3 version 1.2. */
export const Device = defineObject({
  id: 3,
  name: "Device",
  version: "1.2",
  instances: "single",
  resources: {
    manufacturer: { id: 0, operations: "R", type: "string" },
    modelNumber: { id: 1, operations: "R", type: "string" },
    serialNumber: { id: 2, operations: "R", type: "string" },
    firmwareVersion: { id: 3, operations: "R", type: "string" },
    reboot: { id: 4, operations: "E", mandatory: true },
    factoryReset: { id: 5, operations: "E" },
    availablePowerSources: { id: 6, operations: "R", type: "integer", multiple: true, range: [0, 7] },
    powerSourceVoltage: { id: 7, operations: "R", type: "integer", multiple: true, units: "mV" },
    powerSourceCurrent: { id: 8, operations: "R", type: "integer", multiple: true, units: "mA" },
    batteryLevel: { id: 9, operations: "R", type: "integer", range: [0, 100], units: "/100" },
    memoryFree: { id: 10, operations: "R", type: "integer", units: "kB" },
    errorCode: { id: 11, operations: "R", type: "integer", multiple: true, mandatory: true, range: [0, 32] },
    resetErrorCode: { id: 12, operations: "E" },
    currentTime: { id: 13, operations: "RW", type: "time" },
    utcOffset: { id: 14, operations: "RW", type: "string" },
    timezone: { id: 15, operations: "RW", type: "string" },
    supportedBinding: { id: 16, operations: "R", type: "string", mandatory: true },
    deviceType: { id: 17, operations: "R", type: "string" },
    hardwareVersion: { id: 18, operations: "R", type: "string" },
    softwareVersion: { id: 19, operations: "R", type: "string" },
    batteryStatus: { id: 20, operations: "R", type: "integer", range: [0, 6] },
    memoryTotal: { id: 21, operations: "R", type: "integer", units: "kB" },
    extDevInfo: { id: 22, operations: "R", type: "objlnk", multiple: true },
  },
});

/** Available Power Sources (/3/0/6). */
export const powerSources = {
  dc: 0,
  internalBattery: 1,
  externalBattery: 2,
  fuelCell: 3,
  powerOverEthernet: 4,
  usb: 5,
  ac: 6,
  solar: 7,
} as const;

/** Battery Status (/3/0/20). */
export const batteryStatuses = {
  normal: 0,
  charging: 1,
  chargeComplete: 2,
  damaged: 3,
  low: 4,
  notInstalled: 5,
  unknown: 6,
} as const;

/** Error Code (/3/0/11), without the 0 that says that there is none. */
export const errorCodes = {
  lowBattery: 1,
  externalSupplyOff: 2,
  gpsFailure: 3,
  lowSignal: 4,
  outOfMemory: 5,
  smsFailure: 6,
  ipConnectivityFailure: 7,
  peripheralMalfunction: 8,
} as const;

/** An error by its name, or one that only this kind of device has: 16 to 32. */
export type DeviceError = keyof typeof errorCodes | number;

/** Where active errors come from. */
export interface Faults {
  /** Those active now. */
  active(): readonly DeviceError[];
  /** Forget them; what is still wrong comes back by itself. */
  reset(): void;
}

type Awaitable<T> = T | Promise<T>;

export interface DeviceOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  /** Asked when one of its Resources is read, at most once a second. An empty text means that the board does not know. */
  describe(): Awaitable<BoardDescription>;
  /** Each is called after its Execute has been answered. */
  onReboot(): Awaitable<void>;
  /** Absent: the device cannot be reset. */
  onFactoryReset?(): Awaitable<void>;
  /** Letters of the bindings, such as `U`. */
  readonly supportedBinding: string;
  readonly deviceType?: string;
  readonly softwareVersion?: string;
  /** Asked when somebody reads, and while somebody observes; once a second at most. */
  power?(): Awaitable<PowerReadings>;
  memory?(): Awaitable<MemoryReadings | undefined>;
  /** What the system is set to; it counts until a Server writes another. */
  place?(): Awaitable<PlaceReadings>;
  readonly faults?: Faults;
  /** Objects that say more about this device. */
  readonly extDevInfo?: readonly ObjectLink[];
  /** How often values that are observed are read again; 10 s when not given. */
  readonly refreshPeriod?: Millis;
}

export function createDevice(options: DeviceOptions): ObjectImplementation {
  const { clock, log, faults, onFactoryReset, extDevInfo, refreshPeriod } = options;
  const power = options.power && createRecent(clock, options.power);
  const memory = options.memory && createRecent(clock, options.memory);
  const system = options.place && createRecent(clock, options.place);
  const written = new PersistentRecord<Written>({
    store: options.store,
    log,
    name: "device",
    version: 1,
    initial: {},
    parse: shape({
      utcOffset: optional(text),
      timezone: optional(text),
      clockOffset: optional(integer(-MAX_CLOCK_OFFSET, MAX_CLOCK_OFFSET)),
    }),
  });
  const time = createSettableTime(clock, written);
  let live: LiveObject<typeof Device> | undefined;

  const description = createRecent(clock, () => options.describe());
  const described = (name: Exclude<keyof BoardDescription, "versionIsOfDistribution">) => ({
    read: () => whenKnown(description(), (known) => textOrNothing(known[name])),
  });
  const placed = (name: keyof PlaceReadings) => ({
    read: () => written.value[name] ?? (system && whenKnown(system(), (readings) => readings[name])),
    write: (value: string) => written.update((values) => ({ ...values, [name]: value })),
  });
  /** Reboots and resets answer first; nobody waits for them, so the log hears of their failure. */
  const afterwards = (event: string, act: () => Awaitable<void>) => ({
    execute: () => () =>
      void (async () => act())().catch((error: unknown) => log.error(`${event} failed`, { error })),
  });

  const handlers: Handlers<typeof Device> = {
    manufacturer: described("manufacturer"),
    modelNumber: described("modelNumber"),
    serialNumber: described("serialNumber"),
    firmwareVersion: described("firmwareVersion"),
    reboot: afterwards("reboot", () => options.onReboot()),
    ...(onFactoryReset && { factoryReset: afterwards("factory reset", () => onFactoryReset()) }),
    ...(power && powerHandlers(power)),
    ...(memory && {
      memoryFree: { read: () => whenKnown(memory(), (readings) => readings?.free) },
      memoryTotal: { read: () => whenKnown(memory(), (readings) => readings?.total) },
    }),
    errorCode: {
      read: () => whenKnown(power?.(), (readings) => errorInstances(faults?.active() ?? [], readings)),
    },
    resetErrorCode: {
      execute: () => {
        faults?.reset();
        live?.changed(0, "errorCode");
      },
    },
    currentTime: time,
    utcOffset: { ...placed("utcOffset"), check: checkUtcOffset },
    timezone: { ...placed("timezone"), check: checkTimezone },
    supportedBinding: { read: () => options.supportedBinding },
    deviceType: { read: () => options.deviceType },
    hardwareVersion: described("hardwareVersion"),
    softwareVersion: { read: () => options.softwareVersion },
    ...(extDevInfo && { extDevInfo: { read: () => new Map(extDevInfo.entries()) } }),
  };
  const values = new WatchedValues({
    clock,
    log,
    handlers,
    names: changing,
    changed: (...names) => live?.changed(0, ...names),
    ...(refreshPeriod && { period: refreshPeriod }),
  });
  return singleInstance(Device, handlers, {
    start: async (object) => {
      live = object;
      await written.load();
    },
    watched: values.watched,
    close: () => {
      values.close();
      live = undefined;
    },
  });
}

/** What changes by itself. Not Current Time: that it goes on is no news. */
const changing = [
  "availablePowerSources",
  "powerSourceVoltage",
  "powerSourceCurrent",
  "batteryLevel",
  "batteryStatus",
  "memoryFree",
  "errorCode",
  "utcOffset",
  "timezone",
] as const;

/** What Servers wrote. */
interface Written extends PlaceReadings {
  /** Seconds by which the time that a Server set is ahead of the system's clock. */
  readonly clockOffset?: number;
}

/** Whatever a Server takes for the time: the record is not to become unreadable. */
const MAX_CLOCK_OFFSET = Number.MAX_SAFE_INTEGER;

const textOrNothing = (value: string) => (value === "" ? undefined : value);

function powerHandlers(power: () => Awaitable<PowerReadings>) {
  /** Sources, voltages and currents share their Resource Instance IDs (OMA registry, Object 3). */
  const perSource = (reading: (source: PowerSource) => number | undefined) => ({
    read: () =>
      whenKnown(power(), ({ sources }) => {
        const values = new Map<number, number>();
        for (const [index, source] of sources.entries()) {
          const value = reading(source);
          if (value !== undefined) values.set(index, value);
        }
        return values.size === 0 ? undefined : values;
      }),
  });
  return {
    availablePowerSources: perSource(({ kind }) => powerSources[kind]),
    powerSourceVoltage: perSource(({ millivolts }) => millivolts),
    powerSourceCurrent: perSource(({ milliamps }) => milliamps),
    batteryLevel: { read: () => whenKnown(power(), ({ batteryLevel }) => batteryLevel) },
    batteryStatus: {
      read: () => whenKnown(power(), ({ batteryStatus }) => batteryStatus && batteryStatuses[batteryStatus]),
    },
  };
}

/** One Resource Instance per active error; a single 0 when there is none. A low battery is one by itself. */
function errorInstances(
  active: readonly DeviceError[],
  power: PowerReadings | undefined,
): ReadonlyMap<number, number> {
  const codes = new Set(active.map((error) => (typeof error === "number" ? error : errorCodes[error])));
  if (power?.batteryStatus === "low") codes.add(errorCodes.lowBattery);
  return codes.size === 0 ? new Map([[0, 0]]) : new Map([...codes].entries());
}

/**
 * The calendar time, or what a Server set it to plus the time since. It runs on the steady clock, so a later correction
 * of the system's clock does not shift it; after a restart it is as far from the system's clock as it was when it was set.
 */
function createSettableTime(clock: Clock, written: PersistentRecord<Written>) {
  const systemTime = () => Math.floor(clock.date().getTime() / 1000);
  let set: { readonly seconds: number; readonly at: Millis } | undefined;
  return {
    read: () =>
      set === undefined
        ? systemTime() + (written.value.clockOffset ?? 0)
        : set.seconds + Math.floor((clock.now() - set.at) / 1000),
    check: (seconds: number) => {
      if (!Number.isSafeInteger(seconds - systemTime()))
        throw new RequestError("4.00", `${seconds} is no time`);
    },
    write: async (seconds: number) => {
      const clockOffset = seconds - systemTime();
      const at = clock.now();
      await written.update((values) => ({ ...values, clockOffset }));
      set = { seconds, at };
    },
  };
}

/** ISO 8601: `+02:00`, `+0200`, `+02` or `Z`. */
function checkUtcOffset(value: string): void {
  if (!/^(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)$/.test(value)) {
    throw new RequestError("4.00", `${JSON.stringify(value)} is not a UTC offset`);
  }
}

/** The form of a name in the IANA time zone database. The database itself changes more often than this program. */
function checkTimezone(value: string): void {
  if (!/^[A-Za-z0-9+_-]+(\/[A-Za-z0-9+_-]+)*$/.test(value) || value.length > 255) {
    throw new RequestError("4.00", `${JSON.stringify(value)} is not the name of a time zone`);
  }
}
