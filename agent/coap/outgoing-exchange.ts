/** One request of ours, one message, until its response (RFC 7252 §5.3): tokens, and all the ways to be answered. */
import type { Peer, Timer } from "../ports.js";
import { type Channel, messageKey, tokenKey } from "./channel.js";
import type { Confirmable, ConfirmableFate, Confirmables } from "./confirmable.js";
import { Deduplication } from "./deduplication.js";
import { ExchangeError } from "./exchange-types.js";
import type { Interaction, Interactions } from "./interactions.js";
import { encodeEmpty, encodeMessage, type Message, type OutgoingMessage } from "./message.js";
import { type ResponseParts, readResponse } from "./response-message.js";
import { exchangeLifetime } from "./transmission.js";

/** Bytes. Hard to guess for someone who cannot see our traffic; RFC 7252 §5.3.1 asks for 4 at least. */
const tokenLength = 8;

/** Separate responses that are remembered, to be acknowledged again but not delivered again. */
const rememberedResponses = { entries: 64, bytes: 64 * 1024 };

export type OutgoingRequest = Pick<OutgoingMessage, "code" | "options" | "payload">;

interface Exchange extends Interaction {
  readonly request: OutgoingRequest;
  readonly token: Uint8Array;
  /** undefined while NSTART holds the request back. */
  confirmable: Confirmable | undefined;
  /** Runs once the request is acknowledged. */
  patience: Timer | undefined;
  /** Called whichever way it ends. */
  readonly ended: () => void;
  readonly resolve: (response: ResponseParts) => void;
  readonly reject: (reason: unknown) => void;
}

export class OutgoingExchanges {
  readonly #channel: Channel;
  readonly #confirmables: Confirmables;
  readonly #interactions: Interactions;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #answered = new Deduplication(rememberedResponses.entries, rememberedResponses.bytes);

  constructor(channel: Channel, confirmables: Confirmables, interactions: Interactions) {
    this.#channel = channel;
    this.#confirmables = confirmables;
    this.#interactions = interactions;
  }

  /** Rejects with ExchangeError, or with the reason of `signal`. */
  async send(peer: Peer, request: OutgoingRequest, signal?: AbortSignal): Promise<ResponseParts> {
    signal?.throwIfAborted();
    if (this.#channel.closed) throw closedError();
    return await new Promise((resolve, reject) => {
      const exchange: Exchange = {
        peer,
        request,
        token: this.#freshToken(peer),
        confirmable: undefined,
        patience: undefined,
        start: () => this.#transmit(exchange),
        ended: () => signal?.removeEventListener("abort", abort),
        resolve,
        reject,
      };
      const abort = () => this.#fail(exchange, signal?.reason);
      signal?.addEventListener("abort", abort);
      this.#exchanges.set(tokenKey(peer, exchange.token), exchange);
      this.#interactions.begin(exchange);
    });
  }

  /** A response has come, in whatever kind of message. */
  receive(message: Message, datagram: Uint8Array, from: Peer): void {
    const exchange = this.#exchanges.get(tokenKey(from, message.token));
    if (message.type === "ACK") {
      // RFC 7252 §5.3.2: piggybacked, it has to fit by its Message ID as well.
      if (exchange?.confirmable?.messageId === message.messageId) this.#conclude(exchange, message);
      else this.#logUnexpected(message, from);
      return;
    }
    if (message.type === "CON" && this.#answerAgain(message, datagram, from)) return;
    if (exchange?.confirmable === undefined) {
      this.#logUnexpected(message, from);
      if (message.type === "CON") this.#channel.send(encodeEmpty("RST", message.messageId), from);
      return;
    }
    const understood = this.#conclude(exchange, message);
    if (message.type === "CON") this.#answer(understood ? "ACK" : "RST", message, datagram, from);
  }

  #logUnexpected({ type, code, messageId }: Message, from: Peer): void {
    this.#channel.log.debug("response to no request", { peer: from.key, type, code, messageId });
  }

  close(): void {
    for (const exchange of this.#exchanges.values()) this.#fail(exchange, closedError());
  }

  #transmit(exchange: Exchange): void {
    const { peer, request, token } = exchange;
    const messageId = this.#channel.nextMessageId();
    exchange.confirmable = this.#confirmables.send(peer, {
      messageId,
      datagram: encodeMessage({ ...request, type: "CON", messageId, token }),
      settled: (fate) => this.#settled(exchange, fate),
    });
  }

  #settled(exchange: Exchange, fate: ConfirmableFate): void {
    if (fate === "acknowledged") this.#awaitResponse(exchange);
    else if (fate === "reset")
      this.#fail(exchange, new ExchangeError("reset", "the peer refused the message"));
    else this.#fail(exchange, new ExchangeError("timeout", "the peer does not answer"));
  }

  /** An empty ACK says that the response will come apart (RFC 7252 §5.2.2), not when. */
  #awaitResponse(exchange: Exchange): void {
    this.#interactions.end(exchange);
    const { clock, transmission } = this.#channel;
    exchange.patience = clock.after(exchangeLifetime(transmission), () =>
      this.#fail(
        exchange,
        new ExchangeError("timeout", "the peer acknowledged the request and never answered it"),
      ),
    );
  }

  /** False when the response had to be rejected. */
  #conclude(exchange: Exchange, message: Message): boolean {
    const response = readResponse(message);
    if (typeof response === "string") {
      this.#fail(exchange, new ExchangeError("protocol", response));
      return false;
    }
    this.#release(exchange);
    exchange.resolve(response);
    return true;
  }

  #fail(exchange: Exchange, reason: unknown): void {
    this.#release(exchange);
    exchange.reject(reason);
  }

  /** A response implies the ACK that may have been lost (RFC 7252 §5.2.2): retransmission ends in any case. */
  #release(exchange: Exchange): void {
    this.#exchanges.delete(tokenKey(exchange.peer, exchange.token));
    exchange.confirmable?.stop();
    exchange.patience?.cancel();
    this.#interactions.end(exchange);
    exchange.ended();
  }

  #answer(type: "ACK" | "RST", { messageId }: Message, datagram: Uint8Array, from: Peer): void {
    const { clock, transmission } = this.#channel;
    const answer = encodeEmpty(type, messageId);
    const lifetime = exchangeLifetime(transmission);
    const received = this.#answered.remember(messageKey(from, messageId), datagram, clock.now(), lifetime);
    this.#answered.answer(received, answer);
    this.#channel.send(answer, from);
  }

  /** False when the response is new. */
  #answerAgain({ messageId }: Message, datagram: Uint8Array, from: Peer): boolean {
    const received = this.#answered.find(messageKey(from, messageId), datagram, this.#channel.clock.now());
    if (received?.answer === undefined) return false;
    this.#channel.send(received.answer, from);
    return true;
  }

  #freshToken(peer: Peer): Uint8Array {
    for (;;) {
      const token = this.#channel.random.bytes(tokenLength);
      if (!this.#exchanges.has(tokenKey(peer, token))) return token;
    }
  }
}

const closedError = () => new ExchangeError("closed", "the endpoint is closed");
