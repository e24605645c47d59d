/** CoAP pings of ours (RFC 7252 §4.3): is the peer there, and does the way through a NAT stay open? */
import type { Peer } from "../ports.js";
import type { Channel } from "./channel.js";
import type { Confirmable, Confirmables } from "./confirmable.js";
import { ExchangeError } from "./exchange-types.js";
import type { Interaction, Interactions } from "./interactions.js";
import { encodeEmpty } from "./message.js";

interface Ping extends Interaction {
  end(reason: unknown): void;
}

export class Pings {
  readonly #channel: Channel;
  readonly #confirmables: Confirmables;
  readonly #interactions: Interactions;
  readonly #waiting = new Set<Ping>();

  constructor(channel: Channel, confirmables: Confirmables, interactions: Interactions) {
    this.#channel = channel;
    this.#confirmables = confirmables;
    this.#interactions = interactions;
  }

  /** Resolves when the peer has answered. Rejects with ExchangeError, or with the reason of `signal`. */
  async send(peer: Peer, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#channel.closed) throw closedError();
    await new Promise<void>((resolve, reject) => {
      let confirmable: Confirmable | undefined;
      const over = () => {
        this.#waiting.delete(ping);
        confirmable?.stop();
        signal?.removeEventListener("abort", abort);
        this.#interactions.end(ping);
      };
      const ping: Ping = {
        peer,
        start: () => {
          const messageId = this.#channel.nextMessageId();
          confirmable = this.#confirmables.send(peer, {
            messageId,
            datagram: encodeEmpty("CON", messageId),
            settled: (fate) => {
              if (fate === "timeout")
                return ping.end(new ExchangeError("timeout", "the peer does not answer"));
              // A RST is what the RFC says; an ACK shows as well that somebody is there.
              over();
              resolve();
            },
          });
        },
        end: (reason) => {
          over();
          reject(reason);
        },
      };
      const abort = () => ping.end(signal?.reason);
      signal?.addEventListener("abort", abort);
      this.#waiting.add(ping);
      this.#interactions.begin(ping);
    });
  }

  close(): void {
    for (const ping of this.#waiting) ping.end(closedError());
  }
}

const closedError = () => new ExchangeError("closed", "the endpoint is closed");
