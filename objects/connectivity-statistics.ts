import {
  defineObject,
  type Handlers,
  type LiveObject,
  type ObjectImplementation,
  singleInstance,
} from "../agent/model/definition.js";
import type { InterfaceCounters } from "../agent/model/readings.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import { integer, shape } from "../agent/persistence/record-format.js";
import {
  type Clock,
  type Log,
  type Millis,
  millis,
  type Store,
  seconds,
  type Timer,
} from "../agent/ports.js";
import { noTraffic, type Traffic, TrafficMeter } from "./traffic-meter.js";
import { WatchedValues } from "./watched-values.js";

/** OMA registry, Object 7 version 1.0. */
export const ConnectivityStatistics = defineObject({
  id: 7,
  name: "Connectivity Statistics",
  version: "1.0",
  instances: "single",
  resources: {
    smsTxCounter: { id: 0, operations: "R", type: "integer" },
    smsRxCounter: { id: 1, operations: "R", type: "integer" },
    txData: { id: 2, operations: "R", type: "integer", units: "kB" },
    rxData: { id: 3, operations: "R", type: "integer", units: "kB" },
    maxMessageSize: { id: 4, operations: "R", type: "integer", units: "B" },
    averageMessageSize: { id: 5, operations: "R", type: "integer", units: "B" },
    start: { id: 6, operations: "E", mandatory: true },
    stop: { id: 7, operations: "E", mandatory: true },
    collectionPeriod: { id: 8, operations: "RW", type: "integer", range: [0, 2 ** 31 - 1], units: "s" },
  },
});

export interface ConnectivityStatisticsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  /** Counters of the interfaces; asked at Start and Stop, and when somebody reads or observes in between. */
  traffic(): ReadonlyMap<string, InterfaceCounters> | Promise<ReadonlyMap<string, InterfaceCounters>>;
  /** How often values that are observed are read again; 10 s when not given. */
  readonly refreshPeriod?: Millis;
}

/** Counts from Start to Stop, or until the Collection Period ends; between them values stay as they are. */
export function createConnectivityStatistics(options: ConnectivityStatisticsOptions): ObjectImplementation {
  const { clock, log, store, refreshPeriod } = options;
  const settings = new PersistentRecord<{ readonly collectionPeriod: number }>({
    store,
    log,
    name: "connectivity-statistics",
    version: 1,
    initial: { collectionPeriod: 0 },
    parse: shape({ collectionPeriod: integer(0, 2 ** 31 - 1) }),
  });
  const collection = new Collection(options, () => settings.value.collectionPeriod);
  let live: LiveObject<typeof ConnectivityStatistics> | undefined;
  const changed = () => live?.changed(0, ...counted);
  const handlers: Handlers<typeof ConnectivityStatistics> = {
    txData: { read: async () => kilobytes((await collection.traffic()).transmittedBytes) },
    rxData: { read: async () => kilobytes((await collection.traffic()).receivedBytes) },
    averageMessageSize: {
      read: async () => {
        const { transmittedBytes, receivedBytes, packets } = await collection.traffic();
        return packets === 0 ? 0 : Math.round((transmittedBytes + receivedBytes) / packets);
      },
    },
    start: {
      execute: async () => {
        await collection.start(changed);
        changed();
      },
    },
    stop: {
      execute: async () => {
        await collection.stop();
        changed();
      },
    },
    collectionPeriod: {
      read: () => settings.value.collectionPeriod,
      write: async (collectionPeriod) => {
        await settings.update(() => ({ collectionPeriod }));
        collection.periodChanged();
      },
    },
  };
  const values = new WatchedValues({
    clock,
    log,
    handlers,
    names: counted,
    changed: (...names) => live?.changed(0, ...names),
    ...(refreshPeriod && { period: refreshPeriod }),
  });
  return singleInstance(ConnectivityStatistics, handlers, {
    start: async (object) => {
      live = object;
      await settings.load();
    },
    watched: values.watched,
    close: () => {
      values.close();
      collection.close();
    },
  });
}

const counted = ["txData", "rxData", "averageMessageSize"] as const;

const kilobytes = (bytes: number) => Math.floor(bytes / 1000);

/** One collection after the other. */
class Collection {
  readonly #options: ConnectivityStatisticsOptions;
  readonly #periodSeconds: () => number;
  #meter: TrafficMeter | undefined;
  /** What the last collection came to. */
  #result: Traffic = noTraffic;
  #begunAt: Millis = millis(0);
  #end: Timer | undefined;
  #ended: () => void = () => undefined;

  constructor(options: ConnectivityStatisticsOptions, periodSeconds: () => number) {
    this.#options = options;
    this.#periodSeconds = periodSeconds;
  }

  async traffic(): Promise<Traffic> {
    return (await this.#meter?.total()) ?? this.#result;
  }

  /** @param ended called when the Collection Period is over */
  async start(ended: () => void): Promise<void> {
    const { clock } = this.#options;
    this.#end?.cancel();
    this.#meter = await TrafficMeter.begin(async () => this.#options.traffic());
    this.#begunAt = clock.now();
    this.#ended = ended;
    this.periodChanged();
  }

  async stop(): Promise<void> {
    const meter = this.#meter;
    this.#end?.cancel();
    if (meter === undefined) return;
    this.#result = await meter.total();
    if (this.#meter === meter) this.#meter = undefined;
  }

  /** It counts from Start, also for a collection that is going on. */
  periodChanged(): void {
    const { clock, log } = this.#options;
    this.#end?.cancel();
    const period = seconds(this.#periodSeconds());
    if (this.#meter === undefined || period === 0) return;
    const remaining = millis(Math.max(0, this.#begunAt + period - clock.now()));
    this.#end = clock.after(remaining, () => {
      this.stop().then(
        () => this.#ended(),
        (error: unknown) => log.error("the collection cannot be ended", { error }),
      );
    });
  }

  close(): void {
    this.#end?.cancel();
  }
}
