import {
  defineObject,
  type LiveObject,
  type ObjectImplementation,
  singleInstance,
} from "../agent/model/definition.js";
import { RequestError } from "../agent/model/errors.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import { optional, shape, text } from "../agent/persistence/record-format.js";
import {
  type BoardDescription,
  type Clock,
  type Log,
  type Millis,
  type Store,
  seconds,
} from "../agent/ports.js";

/** OMA registry, Object 3 version 1.1. */
export const Device = defineObject({
  id: 3,
  name: "Device",
  version: "1.1",
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
    errorCode: { id: 11, operations: "R", type: "integer", multiple: true, mandatory: true, range: [0, 8] },
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

export interface PowerSource {
  readonly kind: keyof typeof powerSources;
  readonly millivolts?: number;
  readonly milliamps?: number;
}

export interface PowerReadings {
  readonly sources: readonly PowerSource[];
  /** Of the internal battery, percent. */
  readonly batteryLevel?: number;
  readonly batteryStatus?: keyof typeof batteryStatuses;
}

export interface MemoryReadings {
  /** kB, which are 1000 bytes here. */
  readonly free: number;
  /** kB. */
  readonly total: number;
}

/** Where active errors come from. */
export interface Faults {
  /** Those active now. */
  active(): readonly (keyof typeof errorCodes)[];
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
  power?(): PowerReadings;
  memory?(): MemoryReadings;
  readonly faults?: Faults;
  /** What the operator set, until a Server writes another. */
  readonly utcOffset?: string;
  readonly timezone?: string;
}

export interface DeviceObject extends ObjectImplementation {
  /** Says that readings changed; observers are told. */
  changed(...resources: readonly (keyof typeof Device.resources)[]): void;
}

export function createDevice(options: DeviceOptions): DeviceObject {
  const { clock, log, power, memory, faults, onFactoryReset } = options;
  const place = new PersistentRecord<Place>({
    store: options.store,
    log,
    name: "device",
    version: 1,
    initial: {},
    parse: shape({ utcOffset: optional(text), timezone: optional(text) }),
  });
  const time = createSettableTime(clock);
  let live: LiveObject<typeof Device> | undefined;

  const description = createDescriptionCache(options);
  const described = (name: keyof BoardDescription) => ({
    read: () => {
      const known = description.recent();
      if (known !== undefined) return textOrNothing(known[name]);
      return description.ask().then((asked) => textOrNothing(asked[name]));
    },
  });
  const placed = (name: keyof Place) => ({
    read: () => place.value[name] ?? options[name],
    write: (value: string) => place.update((values) => ({ ...values, [name]: value })),
  });
  /** Reboots and resets answer first; nobody waits for them, so the log hears of their failure. */
  const afterwards = (event: string, act: () => Awaitable<void>) => ({
    execute: () => () =>
      void (async () => act())().catch((error: unknown) => log.error(`${event} failed`, { error })),
  });

  const object = singleInstance(
    Device,
    {
      manufacturer: described("manufacturer"),
      modelNumber: described("modelNumber"),
      serialNumber: described("serialNumber"),
      firmwareVersion: described("firmwareVersion"),
      reboot: afterwards("reboot", () => options.onReboot()),
      ...(onFactoryReset && { factoryReset: afterwards("factory reset", () => onFactoryReset()) }),
      ...(power && powerHandlers(power)),
      ...(memory && {
        memoryFree: { read: () => memory().free },
        memoryTotal: { read: () => memory().total },
      }),
      errorCode: { read: () => errorInstances(faults?.active() ?? []) },
      ...(faults && {
        resetErrorCode: {
          execute: () => {
            faults.reset();
            live?.changed(0, "errorCode");
          },
        },
      }),
      currentTime: time,
      utcOffset: { ...placed("utcOffset"), check: checkUtcOffset },
      timezone: { ...placed("timezone"), check: checkTimezone },
      supportedBinding: { read: () => options.supportedBinding },
      deviceType: { read: () => options.deviceType },
      hardwareVersion: described("hardwareVersion"),
      softwareVersion: { read: () => options.softwareVersion },
    },
    {
      start: async (object) => {
        live = object;
        await place.load();
      },
      close: () => {
        live = undefined;
      },
    },
  );
  return { ...object, changed: (...resources) => live?.changed(0, ...resources) };
}

/** Where the device stands, as far as a Server has said so. */
interface Place {
  readonly utcOffset?: string;
  readonly timezone?: string;
}

/** Some boards start a program or ask a bus to describe themselves: a Server that reads all it can asks them once. */
function createDescriptionCache(options: Pick<DeviceOptions, "clock" | "describe">) {
  const { clock } = options;
  let known: { readonly description: BoardDescription; readonly until: number } | undefined;
  let asking: Promise<BoardDescription> | undefined;
  const ask = async (): Promise<BoardDescription> => {
    try {
      const description = await options.describe();
      known = { description, until: clock.now() + descriptionAge };
      return description;
    } finally {
      asking = undefined;
    }
  };
  return {
    recent: () => (known !== undefined && clock.now() < known.until ? known.description : undefined),
    ask(): Promise<BoardDescription> {
      asking ??= ask();
      return asking;
    },
  };
}

/** For so long a description counts as recent. */
const descriptionAge = seconds(1);

const textOrNothing = (value: string) => (value === "" ? undefined : value);

function powerHandlers(power: () => PowerReadings) {
  /** Sources, voltages and currents share their Resource Instance IDs (OMA registry, Object 3). */
  const perSource = (reading: (source: PowerSource) => number | undefined) => ({
    read: () => {
      const values = new Map<number, number>();
      for (const [index, source] of power().sources.entries()) {
        const value = reading(source);
        if (value !== undefined) values.set(index, value);
      }
      return values.size === 0 ? undefined : values;
    },
  });
  return {
    availablePowerSources: perSource(({ kind }) => powerSources[kind]),
    powerSourceVoltage: perSource(({ millivolts }) => millivolts),
    powerSourceCurrent: perSource(({ milliamps }) => milliamps),
    batteryLevel: { read: () => power().batteryLevel },
    batteryStatus: {
      read: () => {
        const { batteryStatus } = power();
        return batteryStatus && batteryStatuses[batteryStatus];
      },
    },
  };
}

/** One Resource Instance per active error; a single 0 when there is none. */
function errorInstances(active: readonly (keyof typeof errorCodes)[]): ReadonlyMap<number, number> {
  if (active.length === 0) return new Map([[0, 0]]);
  return new Map(active.map((name, index) => [index, errorCodes[name]]));
}

/**
 * The calendar time, or what a Server set it to plus the time since. It runs on the steady clock, so a later correction
 * of the system's clock does not shift it; after a restart the system's clock counts again.
 */
function createSettableTime(clock: Clock) {
  let set: { readonly seconds: number; readonly at: Millis } | undefined;
  return {
    read: () =>
      set === undefined
        ? Math.floor(clock.date().getTime() / 1000)
        : set.seconds + Math.floor((clock.now() - set.at) / 1000),
    write: (seconds: number) => {
      set = { seconds, at: clock.now() };
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
