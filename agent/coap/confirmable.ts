/** Confirmable messages of ours that wait for their ACK: retransmission with exponential back-off (RFC 7252 §4.2). */
import { millis, type Peer, type Timer } from "../ports.js";
import { type Channel, messageKey } from "./channel.js";
import { firstTimeout } from "./transmission.js";

/** How a Confirmable message ended. */
export type ConfirmableFate = "acknowledged" | "reset" | "timeout";

export interface ConfirmableOptions {
  readonly messageId: number;
  readonly datagram: Uint8Array;
  /** Called once, but not after `stop`. */
  readonly settled: (fate: ConfirmableFate) => void;
  /** Asked before each retransmission: a message that takes the place of this one (RFC 7641 §4.5.2). */
  readonly successor?: () => { readonly messageId: number; readonly datagram: Uint8Array } | undefined;
}

export interface Confirmable {
  /** Of the last transmission. */
  readonly messageId: number;
  /** No more retransmission, and no word of how it ends. */
  stop(): void;
  /** No more retransmission: as if the last timeout were over. */
  giveUp(): void;
}

export class Confirmables {
  readonly #channel: Channel;
  readonly #waiting = new Map<string, Transmission>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  send(peer: Peer, options: ConfirmableOptions): Confirmable {
    const transmission = new Transmission(this.#channel, this.#waiting, peer, options);
    transmission.start();
    return transmission;
  }

  /** An ACK or RST has come; false when nothing waits for it. */
  settle(peer: Peer, messageId: number, fate: ConfirmableFate): boolean {
    const transmission = this.#waiting.get(messageKey(peer, messageId));
    transmission?.settle(fate);
    return transmission !== undefined;
  }

  close(): void {
    for (const transmission of this.#waiting.values()) transmission.stop();
  }
}

class Transmission implements Confirmable {
  readonly #channel: Channel;
  /** Where it can be found by its Message ID while it waits. */
  readonly #register: Map<string, Transmission>;
  readonly #peer: Peer;
  readonly #options: ConfirmableOptions;
  #messageId: number;
  #datagram: Uint8Array;
  #timeout: number;
  #retransmissions = 0;
  #timer: Timer | undefined;

  constructor(
    channel: Channel,
    register: Map<string, Transmission>,
    peer: Peer,
    options: ConfirmableOptions,
  ) {
    this.#channel = channel;
    this.#register = register;
    this.#peer = peer;
    this.#options = options;
    this.#messageId = options.messageId;
    this.#datagram = options.datagram;
    this.#timeout = firstTimeout(channel.random, channel.transmission);
  }

  get messageId(): number {
    return this.#messageId;
  }

  start(): void {
    this.#register.set(messageKey(this.#peer, this.#messageId), this);
    this.#transmit();
  }

  stop(): void {
    this.#timer?.cancel();
    const key = messageKey(this.#peer, this.#messageId);
    if (this.#register.get(key) === this) this.#register.delete(key);
  }

  giveUp(): void {
    this.settle("timeout");
  }

  settle(fate: ConfirmableFate): void {
    this.stop();
    this.#options.settled(fate);
  }

  #transmit(): void {
    this.#timer = this.#channel.clock.after(millis(this.#timeout), () => this.#expire());
    this.#channel.send(this.#datagram, this.#peer);
  }

  #expire(): void {
    if (this.#retransmissions === this.#channel.transmission.maxRetransmit) {
      this.giveUp();
      return;
    }
    this.#retransmissions++;
    this.#timeout *= 2;
    this.#giveWay();
    this.#transmit();
  }

  #giveWay(): void {
    const successor = this.#options.successor?.();
    if (successor === undefined) return;
    this.stop();
    this.#messageId = successor.messageId;
    this.#datagram = successor.datagram;
    this.#register.set(messageKey(this.#peer, this.#messageId), this);
  }
}
