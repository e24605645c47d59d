/** What all parts of an endpoint share: the way to the network, Message IDs, time and chance. */
import type { Clock, Log, Peer, Random } from "../ports.js";
import { toHex } from "./option.js";
import type { TransmissionParameters } from "./transmission.js";

export interface ChannelOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Hands one datagram to the network; it may be lost. The bytes stay as they are: they may be sent again. */
  readonly send: (datagram: Uint8Array, to: Peer) => void;
}

export class Channel {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transmission: TransmissionParameters;
  readonly #send: ChannelOptions["send"];
  #messageId: number;
  #closed = false;

  constructor({ clock, random, log, send }: ChannelOptions, transmission: TransmissionParameters) {
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.transmission = transmission;
    this.#send = send;
    // RFC 7252 §4.4 strongly recommends a random start: after a restart the peer still remembers what we sent before.
    this.#messageId = Math.floor(random.fraction() * 0x10000);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** One sequence for all peers: 65,536 messages within EXCHANGE_LIFETIME before an ID comes again. */
  nextMessageId(): number {
    this.#messageId = (this.#messageId + 1) & 0xffff;
    return this.#messageId;
  }

  send(datagram: Uint8Array, to: Peer): void {
    if (this.#closed) return;
    try {
      this.#send(datagram, to);
    } catch (error) {
      // As good as lost, and that is what retransmission is for.
      this.log.warn("datagram not sent", { peer: to.key, error });
    }
  }

  close(): void {
    this.#closed = true;
  }
}

/** A Message ID means something only together with its peer. */
export const messageKey = (peer: Peer, messageId: number): string => `${peer.key}#${messageId}`;

/** So does a token. */
export const tokenKey = (peer: Peer, token: Uint8Array): string => `${peer.key}@${toHex(token)}`;
