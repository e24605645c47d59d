import {
  defineObject,
  type Handlers,
  type LiveObject,
  type ObjectImplementation,
  singleInstance,
} from "../agent/model/definition.js";
import type { ConnectivityReadings, NetworkBearer } from "../agent/model/readings.js";
import type { Clock, Log, Millis } from "../agent/ports.js";
import { createRecent, whenKnown } from "./recent.js";
import { WatchedValues } from "./watched-values.js";

/** OMA registry, Object 4 version 1.3. */
export const ConnectivityMonitoring = defineObject({
  id: 4,
  name: "Connectivity Monitoring",
  version: "1.3",
  instances: "single",
  resources: {
    networkBearer: { id: 0, operations: "R", type: "integer", mandatory: true, range: [0, 50] },
    availableNetworkBearer: {
      id: 1,
      operations: "R",
      type: "integer",
      multiple: true,
      mandatory: true,
      range: [0, 50],
    },
    radioSignalStrength: { id: 2, operations: "R", type: "integer", mandatory: true, units: "dBm" },
    linkQuality: { id: 3, operations: "R", type: "integer" },
    ipAddresses: { id: 4, operations: "R", type: "string", multiple: true, mandatory: true },
    routerIpAddresses: { id: 5, operations: "R", type: "string", multiple: true },
    linkUtilization: { id: 6, operations: "R", type: "integer", range: [0, 100], units: "/100" },
    apn: { id: 7, operations: "R", type: "string", multiple: true },
    cellId: { id: 8, operations: "R", type: "integer" },
    smnc: { id: 9, operations: "R", type: "integer", range: [0, 999] },
    smcc: { id: 10, operations: "R", type: "integer", range: [0, 999] },
    signalSnr: { id: 11, operations: "R", type: "integer", units: "dB" },
    lac: { id: 12, operations: "R", type: "integer" },
    coverageEnhancementLevel: { id: 13, operations: "R", type: "integer", range: [0, 4] },
  },
});

/** Network Bearer (/4/0/0). */
export const networkBearers: Readonly<Record<NetworkBearer, number>> = {
  gsm: 0,
  tdScdma: 1,
  wcdma: 2,
  cdma2000: 3,
  wimax: 4,
  lteTdd: 5,
  lteFdd: 6,
  nbIot: 7,
  nrTdd: 8,
  nrFdd: 9,
  wlan: 21,
  bluetooth: 22,
  ieee802154: 23,
  ethernet: 41,
  dsl: 42,
  powerLine: 43,
};

export interface ConnectivityMonitoringOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Asked when somebody reads, once a second at most; and while somebody observes. */
  connectivity(): ConnectivityReadings | Promise<ConnectivityReadings>;
  /** How often values that are observed are read again; 10 s when not given. */
  readonly refreshPeriod?: Millis;
}

export function createConnectivityMonitoring(options: ConnectivityMonitoringOptions): ObjectImplementation {
  const { clock, log, refreshPeriod } = options;
  const readings = createRecent(clock, () => options.connectivity());
  const reading = <T>(of: (readings: ConnectivityReadings) => T) => ({
    read: () => whenKnown(readings(), of),
  });
  let live: LiveObject<typeof ConnectivityMonitoring> | undefined;
  const handlers: Handlers<typeof ConnectivityMonitoring> = {
    // Mandatory, also where the bearer has no name in the registry's list: a cable is the least that it says.
    networkBearer: reading(({ bearer }) => networkBearers[bearer ?? "ethernet"]),
    availableNetworkBearer: reading(({ availableBearers }) =>
      numbered(availableBearers.map((bearer) => networkBearers[bearer])),
    ),
    // Mandatory, also where there is no radio.
    radioSignalStrength: reading(({ signalStrength }) => signalStrength ?? 0),
    linkQuality: reading(({ linkQuality }) => linkQuality),
    ipAddresses: reading(({ addresses }) => numbered(addresses)),
    routerIpAddresses: reading(({ routers }) => (routers.length === 0 ? undefined : numbered(routers))),
    linkUtilization: reading(({ linkUtilization }) => linkUtilization),
    apn: reading(({ apns }) => apns && numbered(apns)),
    cellId: reading(({ cellId }) => cellId),
    smnc: reading(({ mobileNetworkCode }) => mobileNetworkCode),
    smcc: reading(({ mobileCountryCode }) => mobileCountryCode),
    signalSnr: reading(({ signalToNoise }) => signalToNoise),
    lac: reading(({ locationAreaCode }) => locationAreaCode),
    coverageEnhancementLevel: reading(({ coverageEnhancement }) => coverageEnhancement),
  };
  const values = new WatchedValues({
    clock,
    log,
    handlers,
    names: Object.keys(handlers) as (keyof typeof ConnectivityMonitoring.resources)[],
    changed: (...names) => live?.changed(0, ...names),
    ...(refreshPeriod && { period: refreshPeriod }),
  });
  return singleInstance(ConnectivityMonitoring, handlers, {
    start: (object) => {
      live = object;
    },
    watched: values.watched,
    close: values.close,
  });
}

const numbered = <T>(values: readonly T[]): ReadonlyMap<number, T> => new Map(values.entries());
