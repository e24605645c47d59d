import type { Millis, Peer } from "../ports.js";

/** Bytes that may go out before anything has to come back: one message (RFC 7252 §4.6). */
const allowance = 1152;

/** Peers whose silence is measured; beyond it the one that has been silent for longest counts as new. */
const rememberedPeers = 64;

/**
 * How much goes to a peer that says nothing: one message, and from then on PROBING_RATE on average (RFC 7252 §4.7).
 * Only Non-confirmable messages count, as the others slow down by themselves.
 */
export class Probing {
  readonly #bytesPerSecond: number;
  readonly #silent = new Map<string, { bytes: number; readonly since: Millis }>();

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** A message of that peer has come, whatever it says. */
  heard(peer: Peer): void {
    if (this.#silent.size > 0) this.#silent.delete(peer.key);
  }

  /** May another message go out that nobody will acknowledge? */
  allows(peer: Peer, now: Millis): boolean {
    const silence = this.#silent.get(peer.key);
    if (silence === undefined) return true;
    return silence.bytes < allowance + ((now - silence.since) / 1000) * this.#bytesPerSecond;
  }

  /** Such a message has gone out. */
  sent(peer: Peer, bytes: number, now: Millis): void {
    const silence = this.#silent.get(peer.key) ?? { bytes: 0, since: now };
    silence.bytes += bytes;
    this.#silent.set(peer.key, silence);
    if (this.#silent.size > rememberedPeers) {
      for (const longest of this.#silent.keys()) {
        this.#silent.delete(longest);
        return;
      }
    }
  }
}
