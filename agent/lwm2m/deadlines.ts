import { type Clock, type Millis, millis, type Timer } from "../ports.js";

/** One entry of `Deadlines`; its place in the heap is its own business. */
export interface Deadline {
  /** @param due undefined: not until further notice */
  set(due: Millis | undefined): void;
}

interface Entry extends Deadline {
  due: number;
  /** In the heap; -1: not there. */
  place: number;
  readonly fire: () => void;
}

/** Any number of deadlines on one timer: a binary heap, the earliest at its top. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #heap: Entry[] = [];
  #timer: Timer | undefined;
  #timerDue = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `fire` at each time that is set, once. */
  add(fire: () => void): Deadline {
    const entry: Entry = {
      due: Number.POSITIVE_INFINITY,
      place: -1,
      fire,
      set: (due) => {
        if ((due ?? Number.POSITIVE_INFINITY) === entry.due) return;
        this.#remove(entry);
        if (due !== undefined) this.#insert(entry, due);
        this.#arm();
      },
    };
    return entry;
  }

  /** A timer that is set too early costs one call; one for each change of a deadline would cost more. */
  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) {
      this.#timer?.cancel();
      this.#timerDue = Number.POSITIVE_INFINITY;
    } else if (first.due < this.#timerDue) {
      this.#timer?.cancel();
      this.#timerDue = first.due;
      const delay = millis(Math.max(0, first.due - this.#clock.now()));
      this.#timer = this.#clock.after(delay, () => this.#expire());
    }
  }

  #expire(): void {
    this.#timerDue = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    const expired: Entry[] = [];
    for (let first = this.#heap[0]; first && first.due <= now; first = this.#heap[0]) {
      this.#remove(first);
      expired.push(first);
    }
    for (const entry of expired) entry.fire();
    this.#arm();
  }

  #insert(entry: Entry, due: number): void {
    entry.due = due;
    entry.place = this.#heap.push(entry) - 1;
    this.#rise(entry);
  }

  #remove(entry: Entry): void {
    const { place } = entry;
    const last = this.#heap.at(-1);
    entry.due = Number.POSITIVE_INFINITY;
    entry.place = -1;
    if (place < 0 || last === undefined) return;
    this.#heap.pop();
    if (last === entry) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    for (;;) {
      const above = this.#heap[(entry.place - 1) >> 1];
      if (entry.place === 0 || above === undefined || above.due <= entry.due) return;
      this.#swap(entry, above);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.place + 1];
      const right = this.#heap[2 * entry.place + 2];
      const below = left && right && right.due < left.due ? right : left;
      if (below === undefined || below.due >= entry.due) return;
      this.#swap(entry, below);
    }
  }

  #swap(a: Entry, b: Entry): void {
    const { place } = a;
    this.#put(a, b.place);
    this.#put(b, place);
  }

  #put(entry: Entry, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }
}
