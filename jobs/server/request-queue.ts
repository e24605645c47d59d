/** One request after the other: a constrained device answers one at a time (RFC 7252 §4.7, NSTART 1). */
export class RequestQueue {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Begins `request` when those before it have ended, in whatever way. */
  add<T>(request: () => Promise<T>): Promise<T> {
    this.#length++;
    const result = this.#last.then(request).finally(() => this.#length--);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
