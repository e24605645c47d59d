import type { Clock, Log, Millis, Store, Timer } from "../ports.js";
import { decodeRecord, encodeRecord, type Parser } from "./record-format.js";

export interface SavedStateOptions<T> {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** In the Store. */
  readonly name: string;
  /** Of the format; a record of another version counts as unreadable. */
  readonly version: number;
  /** How long a change may wait for others: so much of the past a power cut may take. */
  readonly delay: Millis;
  /** What is to be saved, as JSON, whenever it is. */
  readonly content: () => unknown;
  readonly parse: Parser<T>;
}

/**
 * State that lives elsewhere and is saved beside: many changes are one write, nobody has to wait for it, and a Store that
 * fails costs no more than what a restart would have brought back.
 */
export class SavedState<T> {
  readonly #options: SavedStateOptions<T>;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  /** The write after the one that is under way, for all who wait for it. */
  #next: Promise<boolean> | undefined;
  #isDirty = false;
  #isFailing = false;
  #closed = false;

  constructor(options: SavedStateOptions<T>) {
    this.#options = options;
  }

  /** undefined when nothing was saved, "unreadable" when it cannot be had back: that is a line in the log. */
  async load(): Promise<T | "unreadable" | undefined> {
    const { store, log, name, version, parse } = this.#options;
    try {
      const bytes = await store.read(name);
      return bytes && decodeRecord(bytes, version, parse);
    } catch (error) {
      log.warn("record unreadable", { record: name, error });
      return "unreadable";
    }
  }

  /** The content is another one now. */
  changed(): void {
    if (this.#closed) return;
    this.#isDirty = true;
    const { clock, delay } = this.#options;
    if (this.#writing !== undefined || this.#timer !== undefined) return;
    this.#timer = clock.after(delay, () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  /** Saves the content as it is now, at once. Resolves with whether it is on disk. */
  saved(): Promise<boolean> {
    this.#isDirty = true;
    this.#next ??= this.#saveNext();
    return this.#next;
  }

  /** Resolves when all is saved, or cannot be. What changes from now on is not. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#writing;
    if (this.#isDirty) await this.#save();
  }

  async #saveNext(): Promise<boolean> {
    await this.#writing;
    this.#next = undefined;
    if (this.#closed) return false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#write();
    await this.#writing;
    return !this.#isFailing;
  }

  #write(): void {
    this.#writing = this.#save().then(() => {
      this.#writing = undefined;
      if (this.#isDirty && !this.#isFailing) this.changed();
    });
  }

  async #save(): Promise<void> {
    const { store, log, name, version, content } = this.#options;
    this.#isDirty = false;
    try {
      await store.write(name, encodeRecord(version, content()));
      if (this.#isFailing) log.info("record saved again", { record: name });
      this.#isFailing = false;
    } catch (error) {
      this.#isDirty = true;
      if (!this.#isFailing) {
        log.warn("record not saved", {
          record: name,
          advice: "make room in the state directory and make it writable; until then a restart forgets this",
          error,
        });
      }
      this.#isFailing = true;
    }
  }
}
