/** What a device says about itself at a moment: asked when a Server reads or observes it, and otherwise left alone. */

type Awaitable<T> = T | Promise<T>;

export interface PowerSource {
  readonly kind:
    | "dc"
    | "internalBattery"
    | "externalBattery"
    | "fuelCell"
    | "powerOverEthernet"
    | "usb"
    | "ac"
    | "solar";
  readonly millivolts?: number;
  readonly milliamps?: number;
}

export interface PowerReadings {
  readonly sources: readonly PowerSource[];
  /** Of the internal battery, percent. */
  readonly batteryLevel?: number;
  readonly batteryStatus?:
    | "normal"
    | "charging"
    | "chargeComplete"
    | "damaged"
    | "low"
    | "notInstalled"
    | "unknown";
}

export interface MemoryReadings {
  /** kB, which are 1000 bytes here. */
  readonly free: number;
  /** kB. */
  readonly total: number;
}

export interface PlaceReadings {
  /** `+02:00` */
  readonly utcOffset?: string;
  /** Name in the IANA time zone database. */
  readonly timezone?: string;
}

/** What carries the connection. */
export type NetworkBearer =
  | "gsm"
  | "tdScdma"
  | "wcdma"
  | "cdma2000"
  | "wimax"
  | "lteTdd"
  | "lteFdd"
  | "nbIot"
  | "nrTdd"
  | "nrFdd"
  | "wlan"
  | "bluetooth"
  | "ieee802154"
  | "ethernet"
  | "dsl"
  | "powerLine";

export interface ConnectivityReadings {
  /** undefined when it cannot be told. */
  readonly bearer: NetworkBearer | undefined;
  /** Those that could be used, the one in use included. */
  readonly availableBearers: readonly NetworkBearer[];
  /** dBm; of a radio. */
  readonly signalStrength?: number;
  readonly linkQuality?: number;
  readonly addresses: readonly string[];
  /** Next hops. */
  readonly routers: readonly string[];
  /** Percent. */
  readonly linkUtilization?: number;
  readonly apns?: readonly string[];
  readonly cellId?: number;
  readonly mobileNetworkCode?: number;
  readonly mobileCountryCode?: number;
  /** dB */
  readonly signalToNoise?: number;
  readonly locationAreaCode?: number;
  /** 0: none; 1 to 4: levels 0 to 3. */
  readonly coverageEnhancement?: number;
}

/** Counted since the interface came up; they start anew with it. */
export interface InterfaceCounters {
  readonly transmittedBytes: number;
  readonly receivedBytes: number;
  readonly transmittedPackets: number;
  readonly receivedPackets: number;
}

/** Who the device is, as far as its system knows. */
export interface IdentityReadings {
  readonly modelNumber?: string;
  readonly serialNumber?: string;
}

/** Where the values of a device come from. Each is optional: what nobody knows is not there. */
export interface DeviceReadings {
  power?(): Awaitable<PowerReadings>;
  memory?(): Awaitable<MemoryReadings | undefined>;
  place?(): Awaitable<PlaceReadings>;
  identity?(): Awaitable<IdentityReadings>;
  connectivity?(): Awaitable<ConnectivityReadings>;
  /** By name of the interface. */
  traffic?(): Awaitable<ReadonlyMap<string, InterfaceCounters>>;
}
