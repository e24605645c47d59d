/** The observations of all Servers: what each watches, and what it was told last. */
import { RequestError, responseCodeOf } from "../model/errors.js";
import { formatPath, isWithin, type Path } from "../model/path.js";
import { type Clock, type Log, type Millis, millis, type Timer } from "../ports.js";
import type { NotificationAttributes } from "./attributes.js";
import {
  effectivePeriods,
  isDue,
  mustConfirm,
  type NotificationTiming,
  nextDue,
  type Periods,
} from "./notification-timing.js";
import type { TreeChange } from "./object-tree.js";
import type { Origin, Reply } from "./operations.js";

/** The other end of one observation, as the transport gives it. Equal key: same Server and same token. */
export interface Observer {
  readonly key: string;
  /**
   * Hands a notification to the transport, which sends it after the answer to the Observe. One that is not a success is
   * the last.
   */
  notify(notification: Reply, options: { readonly confirmable: boolean }): void;
  /** Nothing more will be told. Harmless when the other end has gone already. */
  end(): void;
}

export interface ObservationsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Answers the Read that a notification carries. */
  readonly read: (origin: Origin, path: Path, accept: number | undefined) => Promise<Reply>;
  /** Attributes attached to `path` or inherited by it. */
  readonly attributes: (origin: Origin, path: Path) => NotificationAttributes;
  /** The Default Minimum and Maximum Period of the Server. */
  readonly defaults: (origin: Origin) => NotificationAttributes;
  /** Are notifications of `path` always confirmable? Others are so once a day. */
  readonly confirmable: (path: Path) => boolean;
  /** Says that the Object is looked at, until the result is called. */
  readonly watch: (objectId: number) => () => void;
}

export class Observations {
  readonly #options: ObservationsOptions;
  readonly #observations = new Map<string, Observation>();

  constructor(options: ObservationsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#observations.size;
  }

  /**
   * Begins to observe; the reply is the first notification. An observation with the same key is replaced. It counts from
   * the start: what changes or ends it while the first value is being read must not be missed.
   */
  async observe(origin: Origin, path: Path, accept: number | undefined, observer: Observer): Promise<Reply> {
    this.end(observer.key);
    const observation = new Observation(this.#options, origin, path, accept, observer, () =>
      this.#forget(observation),
    );
    this.#observations.set(observer.key, observation);
    try {
      const first = await observation.begin();
      this.#options.log.debug("observation begun", { ...origin, path: formatPath(path) });
      return first;
    } catch (error) {
      this.#forget(observation);
      observation.abandon();
      throw error;
    }
  }

  /** Ends one observation. Harmless when there is none. */
  end(key: string): void {
    const observation = this.#observations.get(key);
    if (observation === undefined) return;
    this.#forget(observation);
    observation.close();
  }

  /** A Server registered anew or went away: its observations are void (§6.2.1). */
  endAllOf(shortServerId: number): void {
    for (const [key, { origin }] of this.#observations)
      if (origin.shortServerId === shortServerId) this.end(key);
  }

  /** Something in the tree changed. */
  changed(change: TreeChange): void {
    for (const observation of this.#observations.values()) {
      if (concerns(change, observation.path)) observation.changed();
    }
  }

  /** Periods may have changed: a Write-Attributes, or a write of the defaults. */
  reschedule(): void {
    for (const observation of this.#observations.values()) observation.schedule();
  }

  close(): void {
    for (const key of this.#observations.keys()) this.end(key);
  }

  /** A newer one with the same key stays. */
  #forget(observation: Observation): void {
    const { key } = observation.observer;
    if (this.#observations.get(key) === observation) this.#observations.delete(key);
  }
}

/** Does a change touch what is observed at `path`, at it, below it or above it? */
function concerns(change: TreeChange, path: Path): boolean {
  if (change.kind === "instances") return change.objectId === path[0];
  return change.paths.some((changed) => isWithin(changed, path) || isWithin(path, changed));
}

class Observation {
  readonly origin: Origin;
  readonly path: Path;
  readonly observer: Observer;
  readonly #options: ObservationsOptions;
  readonly #ended: () => void;
  readonly #unwatch: () => void;
  /** From the first answer on its Content-Format: notifications never change it (RFC 7641 §4.2). */
  #accept: number | undefined;
  #last: Reply | undefined;
  #timing: NotificationTiming;
  #timer: Timer | undefined;
  #closed = false;
  /** One reading at a time, the first included; what changes meanwhile asks for another. */
  #reading = true;
  #stale = false;

  constructor(
    options: ObservationsOptions,
    origin: Origin,
    path: Path,
    accept: number | undefined,
    observer: Observer,
    ended: () => void,
  ) {
    this.#options = options;
    this.origin = origin;
    this.path = path;
    this.observer = observer;
    this.#ended = ended;
    this.#accept = accept;
    this.#timing = begunAt(options.clock.now());
    this.#unwatch = options.watch(path[0]);
  }

  /** Reads the value that answers the Observe; rejects when there is nothing to observe. */
  async begin(): Promise<Reply> {
    const { read, clock } = this.#options;
    const first = await read(this.origin, this.path, this.#accept);
    this.#accept = first.contentFormat;
    this.#last = first;
    this.#timing = begunAt(clock.now());
    this.schedule();
    void this.#evaluateWhileStale();
    return first;
  }

  close(): void {
    this.abandon();
    this.observer.end();
  }

  /** Nothing more is watched, and nobody is told so. */
  abandon(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#unwatch();
  }

  /** A value at, above or below the path may be another one now. */
  changed(): void {
    this.#stale = true;
    if (!this.#reading) void this.#evaluateWhileStale();
  }

  /** Waits for the next moment with something to do, by the Periods that count now. */
  schedule(): void {
    this.#timer?.cancel();
    const due = nextDue(this.#timing, this.#periods());
    if (due === undefined || this.#closed) return;
    const { clock } = this.#options;
    this.#timer = clock.after(millis(Math.max(0, due - clock.now())), () => this.changed());
  }

  #periods(): Periods {
    const { attributes, defaults } = this.#options;
    return effectivePeriods(attributes(this.origin, this.path), defaults(this.origin));
  }

  async #evaluateWhileStale(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#stale && !this.#closed) {
        this.#stale = false;
        await this.#evaluate();
      }
    } catch (error) {
      this.#options.log.error("observation failed", { path: formatPath(this.path), error });
    } finally {
      this.#reading = false;
    }
  }

  async #evaluate(): Promise<void> {
    const current = await this.#read();
    if (this.#closed) return;
    if (!current.code.startsWith("2.")) {
      this.#fail(current); // no Minimum Period holds back that there is nothing left to observe
      return;
    }
    if (!sameReply(current, this.#last)) this.#timing = { ...this.#timing, latched: true };
    if (isDue(this.#timing, this.#periods(), this.#options.clock.now())) this.#send(current);
    this.schedule();
  }

  /** What cannot be read any more is answered with the code that says why. */
  async #read(): Promise<Reply> {
    try {
      return await this.#options.read(this.origin, this.path, this.#accept);
    } catch (error) {
      if (!(error instanceof RequestError)) {
        this.#options.log.error("value cannot be read", { path: formatPath(this.path), error });
      }
      return { code: responseCodeOf(error) };
    }
  }

  #send(notification: Reply): void {
    const now = this.#options.clock.now();
    const confirmable = this.#options.confirmable(this.path) || mustConfirm(this.#timing, now);
    this.#last = notification;
    this.#timing = { sentAt: now, latched: false, confirmedAt: confirmable ? now : this.#timing.confirmedAt };
    this.observer.notify(notification, { confirmable });
  }

  /** RFC 7641 §4.2: an error is the last notification. The transport ends the rest once it is through. */
  #fail(notification: Reply): void {
    this.abandon();
    this.#ended();
    this.observer.notify(notification, { confirmable: true }); // nothing that follows could make up for its loss
  }
}

/** The Observe and its answer count as the first notification, and as confirmed. */
const begunAt = (now: Millis): NotificationTiming => ({ sentAt: now, latched: false, confirmedAt: now });

function sameReply(a: Reply, b: Reply | undefined): boolean {
  if (a.code !== b?.code || a.contentFormat !== b.contentFormat) return false;
  const [left, right] = [a.payload ?? new Uint8Array(), b.payload ?? new Uint8Array()];
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
