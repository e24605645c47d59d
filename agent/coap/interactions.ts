import type { Peer } from "../ports.js";

/** What may have to wait for its turn with a peer. */
export interface Interaction {
  readonly peer: Peer;
  start(): void;
}

/** RFC 7252 §4.7: no more than NSTART interactions with a peer at a time; the others wait for their turn. */
export class Interactions {
  readonly #limit: number;
  readonly #peers = new Map<
    string,
    { readonly running: Set<Interaction>; readonly queue: Set<Interaction> }
  >();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Starts it now or later, unless it ends before. */
  begin(interaction: Interaction): void {
    const { key } = interaction.peer;
    const peer = this.#peers.get(key) ?? { running: new Set(), queue: new Set() };
    this.#peers.set(key, peer);
    peer.queue.add(interaction);
    this.#startNext(key);
  }

  /** Harmless when it has ended. */
  end(interaction: Interaction): void {
    const { key } = interaction.peer;
    const peer = this.#peers.get(key);
    peer?.queue.delete(interaction);
    peer?.running.delete(interaction);
    this.#startNext(key);
  }

  #startNext(key: string): void {
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    for (const next of peer.queue) {
      if (peer.running.size >= this.#limit) return;
      peer.queue.delete(next);
      peer.running.add(next);
      next.start();
    }
    if (peer.running.size === 0) this.#peers.delete(key);
  }
}
