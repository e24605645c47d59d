import type { InterfaceCounters } from "../agent/model/readings.js";

export interface Traffic {
  readonly transmittedBytes: number;
  readonly receivedBytes: number;
  readonly packets: number;
}

export const noTraffic: Traffic = { transmittedBytes: 0, receivedBytes: 0, packets: 0 };

type Counters = ReadonlyMap<string, InterfaceCounters>;

/** Adds up what went over all interfaces since it began, also over those that come, go, or start counting anew. */
export class TrafficMeter {
  readonly #ask: () => Promise<Counters>;
  #last: Counters;
  #total = noTraffic;
  /** One sample after the other: none may be added twice. */
  #lastTurn: Promise<Traffic>;

  static async begin(ask: () => Promise<Counters>): Promise<TrafficMeter> {
    return new TrafficMeter(ask, await ask());
  }

  private constructor(ask: () => Promise<Counters>, first: Counters) {
    this.#ask = ask;
    this.#last = first;
    this.#lastTurn = Promise.resolve(noTraffic);
  }

  total(): Promise<Traffic> {
    const turn = this.#lastTurn
      .catch(() => undefined) // whoever asked then has heard of it
      .then(async () => this.#add(await this.#ask()));
    this.#lastTurn = turn;
    turn.catch(() => undefined); // the caller hears of it; the next turn must not be the only other listener
    return turn;
  }

  #add(counters: Counters): Traffic {
    let { transmittedBytes, receivedBytes, packets } = this.#total;
    for (const [name, now] of counters) {
      const before = this.#last.get(name);
      const since = (field: keyof InterfaceCounters) =>
        before !== undefined && now[field] >= before[field] ? now[field] - before[field] : now[field];
      transmittedBytes += since("transmittedBytes");
      receivedBytes += since("receivedBytes");
      packets += since("transmittedPackets") + since("receivedPackets");
    }
    this.#last = counters;
    this.#total = { transmittedBytes, receivedBytes, packets };
    return this.#total;
  }
}
