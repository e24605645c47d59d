/** The jobs that wait for one device: one runs at a time, in the order of their creation, and a reboot overtakes. */
export class DeviceQueue<Entry extends { readonly overtakes: boolean }> {
  readonly #waiting: Entry[] = [];
  #running: Entry | undefined;

  add(entry: Entry): void {
    const place = entry.overtakes ? this.#waiting.findIndex((other) => !other.overtakes) : -1;
    if (place < 0) this.#waiting.push(entry);
    else this.#waiting.splice(place, 0, entry);
  }

  /** The entry whose turn it is; undefined while another runs, and when none waits. */
  get next(): Entry | undefined {
    return this.#running === undefined ? this.#waiting[0] : undefined;
  }

  /** The entry runs now; it was `next`. */
  begin(entry: Entry): void {
    this.remove(entry);
    this.#running = entry;
  }

  /** The entry has ended, or will never begin. */
  remove(entry: Entry): void {
    if (this.#running === entry) this.#running = undefined;
    const place = this.#waiting.indexOf(entry);
    if (place >= 0) this.#waiting.splice(place, 1);
  }

  /** The running one first. */
  entries(): readonly Entry[] {
    return this.#running === undefined ? [...this.#waiting] : [this.#running, ...this.#waiting];
  }

  get isEmpty(): boolean {
    return this.#running === undefined && this.#waiting.length === 0;
  }
}
