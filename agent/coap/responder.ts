/**
 * Requests that come in: known peers only, each served once, answered in the ACK or apart from it (RFC 7252 §5.2).
 *
 * Nothing here costs a timer per request: one is shared by all requests that are being served, and it is only set when
 * a handler has not answered by the time it returned.
 */
import { type Millis, millis, type Peer, type Timer } from "../ports.js";
import { BodyReceiver, type BodyReceiverLimits } from "./body-receiver.js";
import { type Channel, messageKey } from "./channel.js";
import { encodeMethod, isSuccess } from "./code.js";
import type { Confirmable, ConfirmableFate, Confirmables } from "./confirmable.js";
import { Deduplication, type Received } from "./deduplication.js";
import type { IncomingRequest, RequestHandler, Response } from "./exchange-types.js";
import { afterSent, faultResponse } from "./fault.js";
import { Freshness } from "./freshness.js";
import { encodeEmpty, type Message } from "./message.js";
import { encodeText } from "./option.js";
import { type ObservedRequest, type ObserveRelation, observedTarget } from "./relation.js";
import type { Relations } from "./relations.js";
import type { Part, Representations } from "./representation.js";
import {
  incomingHead,
  incomingRequest,
  type OptionRefusal,
  type RequestParts,
  readRequest,
  transferKey,
} from "./request-message.js";
import { encodeResponse, type ResponseExtras } from "./response-message.js";
import { exchangeLifetime, maxRoundTrip, nonLifetime } from "./transmission.js";

export interface ResponderLimits extends BodyReceiverLimits {
  /** Bytes of a block, unless the peer asks for smaller ones. */
  readonly blockSize: number;
  /** How long a response may take and still travel in the ACK. */
  readonly piggybackDelay: Millis;
  /**
   * Requests that handlers may be busy with at a time; beyond it the answer is 5.03. As many responses may wait for
   * their ACK; beyond it the oldest is not retransmitted any more.
   */
  readonly requestsInProgress: number;
  /** Requests that are remembered, and the bytes that they and their answers may have together. */
  readonly dedupEntries: number;
  readonly dedupBytes: number;
}

export interface ResponderOptions {
  readonly channel: Channel;
  readonly confirmables: Confirmables;
  readonly representations: Representations;
  readonly relations: Relations;
  readonly handler: RequestHandler;
  readonly limits: ResponderLimits;
}

interface IncomingExchange {
  readonly message: Message;
  readonly peer: Peer;
  readonly arrived: Millis;
  /** Who remembers the request, and as what. */
  readonly memory: Deduplication;
  readonly received: Received;
  /** undefined when the options could not be understood. */
  parts: RequestParts | undefined;
  /** Of the request, its blocks put together. */
  body: Uint8Array;
  relation: ObserveRelation | undefined;
  /** An empty ACK has gone out: the response travels apart. */
  acknowledged: boolean;
}

const plain: ResponseExtras = {};
/** Seconds after which a peer that was turned away may try again. */
const retryAfter = 1;
const getCode = encodeMethod("GET");
const fetchCode = encodeMethod("FETCH");

export class Responder {
  readonly #options: ResponderOptions;
  readonly #bodies: BodyReceiver;
  /** Apart, so that no flood of reads can push out what must not be done twice. */
  readonly #reads: Deduplication;
  readonly #writes: Deduplication;
  readonly #freshness: Freshness;
  readonly #conLifetime: Millis;
  readonly #nonLifetime: Millis;
  /**
   * Confirmable requests being served whose ACK may still wait, the oldest first. No Set: one that is filled and emptied
   * with each request chains its outgrown tables, and they keep requests alive until V8 collects everything.
   */
  readonly #unacknowledged: IncomingExchange[] = [];
  /** Responses that went out apart from the ACK and have none of their own yet, the oldest first. */
  readonly #apart = new Set<Confirmable>();
  #ackTimer: Timer | undefined;
  #inProgress = 0;

  constructor(options: ResponderOptions) {
    const { channel, handler, limits } = options;
    this.#options = options;
    this.#bodies = new BodyReceiver(channel, handler, limits);
    const entries = Math.max(1, Math.floor(limits.dedupEntries / 2));
    this.#reads = new Deduplication(entries, limits.dedupBytes / 2);
    this.#writes = new Deduplication(entries, limits.dedupBytes / 2);
    this.#freshness = new Freshness(channel.random, maxRoundTrip(channel.transmission));
    this.#conLifetime = exchangeLifetime(channel.transmission);
    this.#nonLifetime = nonLifetime(channel.transmission);
  }

  receive(message: Message, datagram: Uint8Array, from: Peer): void {
    const { channel, handler } = this.#options;
    if (!handler.accepts(from)) return;
    const now = channel.clock.now();
    const memory = isSafe(message.code) ? this.#reads : this.#writes;
    const key = messageKey(from, message.messageId);
    const before = memory.find(key, datagram, now);
    if (before) {
      // RFC 7252 §4.5: not served yet, it will be; served, the same answer again. A NON gets no second one.
      if (before.answer) channel.send(before.answer, from);
      return;
    }
    const lifetime = message.type === "CON" ? this.#conLifetime : this.#nonLifetime;
    const exchange: IncomingExchange = {
      message,
      peer: from,
      arrived: now,
      memory,
      received: memory.remember(key, datagram, now, lifetime),
      parts: undefined,
      body: message.payload,
      relation: undefined,
      acknowledged: false,
    };
    const parts = readRequest(message);
    if ("refusal" in parts) {
      this.#refuse(exchange, parts);
    } else {
      exchange.parts = parts;
      this.#run(exchange, parts);
    }
  }

  close(): void {
    this.#ackTimer?.cancel();
    this.#bodies.close();
  }

  #refuse(exchange: IncomingExchange, { refusal, diagnostic }: OptionRefusal): void {
    const { type, messageId } = exchange.message;
    if (type === "NON" && refusal === "4.02") {
      // RFC 7252 §5.4.1: a Non-confirmable message with what we must understand and do not is rejected.
      this.#options.channel.send(encodeEmpty("RST", messageId), exchange.peer);
    } else {
      this.#respond(exchange, { code: refusal, payload: encodeText(diagnostic) });
    }
  }

  #run(exchange: IncomingExchange, parts: RequestParts): void {
    const said = this.#laterPart(exchange, parts) ?? this.#challenge(exchange, parts);
    if (said) {
      this.#transmit(exchange, said);
      return;
    }
    const answer = this.#answer(exchange, parts);
    if (answer instanceof Promise) this.#wait(exchange, answer);
    else this.#respond(exchange, answer);
  }

  #answer(exchange: IncomingExchange, parts: RequestParts): Response | Promise<Response> {
    const isBusy = this.#inProgress >= this.#options.limits.requestsInProgress;
    if (isBusy) return { code: "5.03", maxAge: retryAfter };
    try {
      return this.#serve(exchange, parts);
    } catch (error) {
      return this.#fault(exchange, error);
    }
  }

  /** A block of a representation that went out before; undefined when the request has to be served (anew). */
  #laterPart({ peer, arrived, body }: IncomingExchange, parts: RequestParts): Part | undefined {
    const { method, block1, block2 } = parts;
    if (block2 === undefined || block2.number === 0 || block1 !== undefined) return undefined;
    const part = this.#options.representations.laterPart(transferKey(peer, parts), block2, body, arrived);
    if (part || method === "GET" || (method === "FETCH" && body.length > 0)) return part;
    // What this was about is not known any more; and what is no read is not done again just to show the end of its answer.
    return { response: { code: "4.08" }, extras: plain };
  }

  /** RFC 9175 §2.3: 4.01 with an Echo, when the peer has yet to show that its request is fresh. */
  #challenge({ peer, arrived }: IncomingExchange, parts: RequestParts): Part | undefined {
    const { handler } = this.#options;
    const goesOn = parts.block1 !== undefined && parts.block1.number > 0;
    if (goesOn || handler.needsFreshness?.(incomingHead(peer, parts)) !== true) return undefined;
    const echo = this.#freshness.challenge(peer, parts.echo, arrived);
    return echo && { response: { code: "4.01" }, extras: { echo } };
  }

  #serve(exchange: IncomingExchange, parts: RequestParts): Response | Promise<Response> {
    const { peer } = exchange;
    const { payload } = exchange.message;
    const { maxBody } = this.#options.limits;
    if (parts.block1) {
      return this.#bodies.receive({
        key: transferKey(peer, parts),
        block: parts.block1,
        payload,
        head: incomingHead(peer, parts),
        serve: (body) => {
          exchange.body = body;
          return this.#handle(exchange, parts);
        },
      });
    }
    if (payload.length > maxBody) return { code: "4.13", size: maxBody };
    return this.#handle(exchange, parts);
  }

  #handle(exchange: IncomingExchange, parts: RequestParts): Response | Promise<Response> {
    const observe = parts.observe === undefined ? undefined : this.#observe(exchange, parts);
    return this.#options.handler.handle(incomingRequest(exchange.peer, parts, exchange.body, observe));
  }

  #observe(exchange: IncomingExchange, parts: RequestParts): IncomingRequest["observe"] {
    const { method, path, observe, block2 } = parts;
    if (!(method === "GET" || method === "FETCH") || (block2 && block2.number > 0)) return undefined;
    const { peer, message, body } = exchange;
    const request: ObservedRequest = {
      peer,
      token: message.token,
      target: () => observedTarget(method, path),
      transferKey: () => transferKey(peer, parts),
      block2,
      body,
    };
    if (observe === 1) {
      const ended = this.#options.relations.cancel(request);
      return ended && { kind: "cancel", relation: ended };
    }
    if (observe !== 0) return undefined;
    exchange.relation = this.#options.relations.begin(request);
    return exchange.relation && { kind: "register", relation: exchange.relation };
  }

  #wait(exchange: IncomingExchange, answer: Promise<Response>): void {
    this.#inProgress++;
    if (exchange.message.type === "CON") {
      this.#unacknowledged.push(exchange);
      this.#watch(this.#options.limits.piggybackDelay);
    }
    const done = (response: Response) => {
      this.#inProgress--;
      const index = this.#unacknowledged.indexOf(exchange); // few are being served at a time, mostly one
      if (index >= 0) this.#unacknowledged.splice(index, 1);
      this.#respond(exchange, response);
    };
    answer.then(done, (error: unknown) => done(this.#fault(exchange, error)));
  }

  #watch(delay: Millis): void {
    this.#ackTimer ??= this.#options.channel.clock.after(delay, () => {
      this.#ackTimer = undefined;
      this.#acknowledgeOverdue();
    });
  }

  #acknowledgeOverdue(): void {
    const { channel, limits } = this.#options;
    const now = channel.clock.now();
    for (let exchange = this.#unacknowledged[0]; exchange; exchange = this.#unacknowledged[0]) {
      const remaining = exchange.arrived + limits.piggybackDelay - now;
      if (remaining > 0) {
        this.#watch(millis(remaining));
        return;
      }
      this.#unacknowledged.shift();
      exchange.acknowledged = true;
      const ack = encodeEmpty("ACK", exchange.message.messageId);
      exchange.memory.answer(exchange.received, ack);
      channel.send(ack, exchange.peer);
    }
  }

  #respond(exchange: IncomingExchange, response: Response): void {
    if (this.#options.channel.closed) return;
    try {
      this.#transmit(exchange, this.#partOf(exchange, response));
    } catch (error) {
      // A response that no message can carry. What follows is one that any can.
      exchange.relation?.end();
      this.#transmit(exchange, { response: this.#fault(exchange, error), extras: plain });
      return;
    }
    afterSent(response, this.#options.channel.log);
  }

  /** What goes out now of a response, with all that has to be said beside it. */
  #partOf({ parts, body, relation, peer, arrived }: IncomingExchange, response: Response): Part {
    if (parts === undefined) return { response, extras: plain };
    const { block1, block2 } = parts;
    const { representations, limits } = this.#options;
    if (response.code === "4.13" && block1 === undefined && body.length > limits.blockSize) {
      // RFC 7959 §2.9.3: it may do better in blocks, and this is how large they may be.
      return { response, extras: { block1: { number: 0, more: false, size: limits.blockSize } } };
    }
    const asked = { block2, transferKey: () => transferKey(peer, parts), body };
    const part = representations.firstPart(response, asked, arrived);
    if (block1 === undefined && relation === undefined) return part;
    const isObserved = relation?.active && response.observe && isSuccess(response.code);
    if (!isObserved) relation?.end();
    const wantsMore = response.code === "2.31";
    return {
      response: part.response,
      extras: {
        ...part.extras,
        observe: isObserved ? relation?.nextSequence() : undefined,
        block1: block1 && {
          number: block1.number,
          more: wantsMore,
          size: wantsMore ? representations.blockSize(block1) : block1.size,
        },
      },
    };
  }

  #transmit(exchange: IncomingExchange, { response, extras }: Part): void {
    const { channel, confirmables, relations } = this.#options;
    const { peer, relation } = exchange;
    const { type, token } = exchange.message;
    const isPiggybacked = type === "CON" && !exchange.acknowledged;
    const messageId = isPiggybacked ? exchange.message.messageId : channel.nextMessageId();
    const datagram = encodeResponse(
      { type: isPiggybacked ? "ACK" : type, messageId, token },
      response,
      extras,
    );
    if (type === "CON" && !isPiggybacked) {
      const settled = (fate: ConfirmableFate) => {
        this.#apart.delete(confirmable);
        // As the first notification it counts like the others: they wait for its ACK, and a RST ends them.
        if (fate === "reset") relation?.endByPeer();
        else relation?.open();
      };
      const confirmable = confirmables.send(peer, { messageId, datagram, settled });
      this.#keepApart(confirmable);
      return;
    }
    if (isPiggybacked) exchange.memory.answer(exchange.received, datagram);
    else if (relation) relations.remember(messageId, relation);
    channel.send(datagram, peer);
    relation?.open();
  }

  #keepApart(confirmable: Confirmable): void {
    this.#apart.add(confirmable);
    if (this.#apart.size <= this.#options.limits.requestsInProgress) return;
    for (const oldest of this.#apart) {
      oldest.giveUp();
      return;
    }
  }

  #fault({ peer, parts }: IncomingExchange, error: unknown): Response {
    return faultResponse(error, this.#options.channel.log, {
      peer: peer.key,
      method: parts?.method,
      path: parts && `/${parts.path.join("/")}`,
    });
  }
}

/** Reading twice does no harm. */
const isSafe = (code: number): boolean => code === getCode || code === fetchCode;
