/** Messages that were received, so that a duplicate is answered as before and nothing is done twice (RFC 7252 §4.5). */
import type { Millis } from "../ports.js";

/** One message that was received. Only `Deduplication` writes to it. */
export interface Received {
  readonly key: string;
  datagram: Uint8Array;
  /** On the clock. */
  readonly expires: number;
  /** What was sent in answer so far, to be sent again when the message comes again. */
  answer: Uint8Array | undefined;
  /** Not yet forgotten. */
  held: boolean;
}

/**
 * Remembers at most so many messages and so many bytes (of messages and answers together); the oldest make room. A
 * message is a duplicate only when all its bytes are the same: at 20,000 requests per second a Message ID comes again
 * after three seconds, and must not be taken for the one that had it before. There is no timer: what has expired goes
 * when something new comes.
 *
 * The bound limits the promise: once `maxEntries` newer messages have come, a late duplicate is taken for new.
 */
export class Deduplication {
  readonly #received = new Map<string, Received>();
  /** In order of arrival from `#oldest` on: a Map takes long to find its oldest entry when many before it were deleted. */
  readonly #ring: (Received | undefined)[];
  readonly #maxBytes: number;
  #oldest = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxEntries: number, maxBytes: number) {
    this.#ring = new Array<Received | undefined>(maxEntries).fill(undefined);
    this.#maxBytes = maxBytes;
  }

  /** Messages that are held. */
  get size(): number {
    return this.#count;
  }

  /** Bytes of messages and answers that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was received before under this key, if it is the same to the last byte. */
  find(key: string, datagram: Uint8Array, now: Millis): Received | undefined {
    const received = this.#received.get(key);
    return received && received.expires > now && sameBytes(received.datagram, datagram)
      ? received
      : undefined;
  }

  /** Keeps the datagram itself: nobody may change it. */
  remember(key: string, datagram: Uint8Array, now: Millis, lifetime: Millis): Received {
    this.#makeRoom(datagram.length, now);
    const received: Received = { key, datagram, expires: now + lifetime, answer: undefined, held: true };
    this.#ring[(this.#oldest + this.#count) % this.#ring.length] = received;
    this.#count++;
    this.#bytes += datagram.length;
    this.#received.set(key, received);
    return received;
  }

  /** From now on a duplicate gets this. */
  answer(received: Received, answer: Uint8Array): void {
    if (!received.held) return;
    this.#bytes += answer.length - (received.answer?.length ?? 0);
    received.answer = answer;
    while (this.#bytes > this.#maxBytes) this.#forgetOldest();
  }

  #makeRoom(bytes: number, now: Millis): void {
    while (
      this.#count > 0 &&
      (this.#count === this.#ring.length ||
        this.#bytes + bytes > this.#maxBytes ||
        (this.#ring[this.#oldest]?.expires ?? 0) <= now)
    ) {
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const oldest = this.#ring[this.#oldest];
    this.#ring[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#ring.length;
    this.#count--;
    if (oldest === undefined) return;
    oldest.held = false;
    this.#bytes -= oldest.datagram.length + (oldest.answer?.length ?? 0);
    // A Map leaves its outgrown tables chained to one another, and what they name alive until V8 collects everything: let
    // that be small.
    oldest.datagram = nothing;
    oldest.answer = undefined;
    // A newer message may have taken over the key.
    if (this.#received.get(oldest.key) === oldest) this.#received.delete(oldest.key);
  }
}

const nothing = new Uint8Array();

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
