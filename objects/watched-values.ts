import type { AnyHandlers } from "../agent/model/definition.js";
import { equalContent, type ResourceContent } from "../agent/model/value.js";
import { type Clock, type Log, type Millis, seconds, type Timer } from "../agent/ports.js";

export interface WatchOptions<Name extends string> {
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: AnyHandlers;
  /** The Resources whose values change by themselves. */
  readonly names: readonly Name[];
  changed(...names: readonly Name[]): void;
  /** 10 s when not given. */
  readonly period?: Millis;
}

const defaultPeriod = seconds(10);

interface Watch<Name> {
  last: ReadonlyMap<Name, ResourceContent | undefined>;
}

/**
 * Values that nobody tells us about are read again and again, but only while somebody observes them: a board that nobody
 * looks at is left in peace.
 */
export class WatchedValues<Name extends string> {
  readonly #options: WatchOptions<Name>;
  #timer: Timer | undefined;
  /** Of the time that is watched now; what an earlier one has still to say is not heard. */
  #watch: Watch<Name> | undefined;

  constructor(options: WatchOptions<Name>) {
    this.#options = options;
  }

  readonly watched = (isWatched: boolean): void => {
    this.close();
    if (!isWatched) return;
    const watch: Watch<Name> = { last: new Map() };
    this.#watch = watch;
    void this.#read().then((values) => {
      watch.last = values;
      this.#wait(watch);
    });
  };

  readonly close = (): void => {
    this.#timer?.cancel();
    this.#watch = undefined;
  };

  #wait(watch: Watch<Name>): void {
    const { clock, names, period = defaultPeriod } = this.#options;
    if (this.#watch !== watch) return;
    this.#timer = clock.after(period, () => {
      void this.#read().then((values) => {
        if (this.#watch !== watch) return;
        const changed = names.filter((name) => !equalContent(values.get(name), watch.last.get(name)));
        watch.last = values;
        if (changed.length > 0) this.#options.changed(...changed);
        this.#wait(watch);
      });
    });
  }

  async #read(): Promise<ReadonlyMap<Name, ResourceContent | undefined>> {
    const { handlers, names, log } = this.#options;
    const values = new Map<Name, ResourceContent | undefined>();
    for (const name of names) {
      try {
        values.set(name, await handlers[name]?.read?.());
      } catch (error) {
        log.debug("value cannot be read", { name, error });
      }
    }
    return values;
  }
}
