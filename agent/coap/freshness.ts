import type { Millis, Peer, Random } from "../ports.js";

const challengeLength = 8;

/** Challenges that are remembered, one for each peer; beyond it the oldest is forgotten, and its peer asked again. */
const rememberedChallenges = 64;

/**
 * Was a request made just now, or has it been on its way for long? A peer shows the first by repeating an Echo that it
 * was given (RFC 9175 §2.3); one challenge is good for all requests of its peer until it expires.
 */
export class Freshness {
  readonly #random: Random;
  readonly #lifetime: Millis;
  readonly #challenges = new Map<string, { readonly value: Uint8Array; readonly expires: number }>();

  constructor(random: Random, lifetime: Millis) {
    this.#random = random;
    this.#lifetime = lifetime;
  }

  /** The Echo that the peer has to repeat first; undefined when the request shows that it is fresh. */
  challenge(peer: Peer, echo: Uint8Array | undefined, now: Millis): Uint8Array | undefined {
    const known = this.#challenges.get(peer.key);
    if (known === undefined || known.expires <= now) return this.#issue(peer, now);
    return echo !== undefined && String(echo) === String(known.value) ? undefined : known.value;
  }

  #issue(peer: Peer, now: Millis): Uint8Array {
    const value = this.#random.bytes(challengeLength);
    this.#challenges.delete(peer.key);
    this.#challenges.set(peer.key, { value, expires: now + this.#lifetime });
    if (this.#challenges.size > rememberedChallenges) {
      for (const oldest of this.#challenges.keys()) {
        this.#challenges.delete(oldest);
        break;
      }
    }
    return value;
  }
}
