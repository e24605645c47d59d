/** The observations of all Servers: what each watches, and what it was told last. */
import { RequestError, responseCodeOf } from "../model/errors.js";
import { formatPath, isWithin, type Path } from "../model/path.js";
import type { Clock, Log, Timer } from "../ports.js";
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
  /** Hands a notification to the transport. One that is not a success ends the observation. */
  notify(notification: Reply, options: { readonly confirmable: boolean }): void;
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

  /** Begins to observe; the reply is the first notification. An observation with the same key is replaced. */
  async observe(origin: Origin, path: Path, accept: number | undefined, observer: Observer): Promise<Reply> {
    const first = await this.#options.read(origin, path, accept);
    this.end(observer.key);
    const observation = new Observation(this.#options, origin, path, first, observer, () =>
      this.end(observer.key),
    );
    this.#observations.set(observer.key, observation);
    this.#options.log.debug("observation begun", { ...origin, path: formatPath(path) });
    return first;
  }

  /** Ends one observation. Harmless when there is none. */
  end(key: string): void {
    this.#observations.get(key)?.close();
    this.#observations.delete(key);
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
    for (const key of [...this.#observations.keys()]) this.end(key);
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
  readonly #options: ObservationsOptions;
  readonly #observer: Observer;
  readonly #end: () => void;
  /** Content-Format of the first answer: notifications never change it (RFC 7641 §4.2). */
  readonly #accept: number | undefined;
  #last: Reply;
  #timing: NotificationTiming;
  #timer: Timer | undefined;
  #closed = false;
  /** One evaluation at a time; what arrives meanwhile asks for another. */
  #running = false;
  #again = false;

  constructor(
    options: ObservationsOptions,
    origin: Origin,
    path: Path,
    first: Reply,
    observer: Observer,
    end: () => void,
  ) {
    this.#options = options;
    this.origin = origin;
    this.path = path;
    this.#observer = observer;
    this.#end = end;
    this.#accept = first.contentFormat;
    this.#last = first;
    const now = options.clock.now();
    this.#timing = { sentAt: now, latched: false, confirmedAt: now };
    this.schedule();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** A value at, above or below the path may be another one now. */
  changed(): void {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    void this.#evaluate().finally(() => {
      this.#running = false;
      if (!this.#again) return;
      this.#again = false;
      this.changed();
    });
  }

  /** Waits for the next moment with something to do, by the Periods that count now. */
  schedule(): void {
    this.#timer?.cancel();
    const due = nextDue(this.#timing, this.#periods());
    if (due === undefined || this.#closed) return;
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, due - clock.now()) as typeof due, () => this.changed());
  }

  #periods(): Periods {
    const { attributes, defaults } = this.#options;
    return effectivePeriods(attributes(this.origin, this.path), defaults(this.origin));
  }

  async #evaluate(): Promise<void> {
    const { clock } = this.#options;
    const current = await this.#read();
    if (this.#closed) return;
    if (!sameReply(current, this.#last)) this.#timing = { ...this.#timing, latched: true };
    if (isDue(this.#timing, this.#periods(), clock.now())) this.#send(current);
    if (!this.#closed) this.schedule();
  }

  /** What cannot be read any more ends the observation with the code that says why. */
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
    this.#observer.notify(notification, { confirmable });
    if (!notification.code.startsWith("2.")) this.#end();
  }
}

function sameReply(a: Reply, b: Reply): boolean {
  if (a.code !== b.code || a.contentFormat !== b.contentFormat) return false;
  const [left, right] = [a.payload ?? new Uint8Array(), b.payload ?? new Uint8Array()];
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
