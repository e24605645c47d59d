/**
 * The CoAP endpoint: tells what a datagram is and gives it to the part that knows. Here live messages, exchanges,
 * blocks and observations (RFC 7252, 7641, 7959); sockets, clocks and what paths mean do not.
 */
import { type Peer, seconds } from "../ports.js";
import { checkBlockSize, largestBlock } from "./block.js";
import { BlockClient, type BlockRequest } from "./block-client.js";
import { Channel, type ChannelOptions } from "./channel.js";
import { codeClass, emptyCode } from "./code.js";
import { Confirmables } from "./confirmable.js";
import type {
  BlockResponse,
  IncomingResponse,
  Relation,
  RelationRecord,
  Request,
  RequestHandler,
} from "./exchange-types.js";
import { Interactions } from "./interactions.js";
import { decodeHeader, decodeMessage, encodeEmpty, type Message, MessageFormatError } from "./message.js";
import { OutgoingExchanges } from "./outgoing-exchange.js";
import { Pings } from "./ping.js";
import { Relations } from "./relations.js";
import { type RepresentationLimits, Representations } from "./representation.js";
import { Responder, type ResponderLimits } from "./responder.js";
import { defaultTransmission, exchangeLifetime, type TransmissionParameters } from "./transmission.js";

export type { TransmissionParameters } from "./transmission.js";

/**
 * All that peers can make us keep is bounded. Of the requests that are remembered, half are reads (GET, FETCH) and half
 * the others: under a flood of reads a duplicate Execute is still known.
 */
export interface EndpointLimits extends ResponderLimits, RepresentationLimits {
  /** Observations by one peer; beyond it a request to observe is answered as a plain one. */
  readonly relationsPerPeer: number;
}

export const defaultLimits: EndpointLimits = {
  piggybackDelay: seconds(1),
  requestsInProgress: 64,
  dedupEntries: 1024,
  dedupBytes: 512 * 1024,
  maxBody: 64 * 1024,
  transfersPerPeer: 2,
  transfers: 16,
  blockSize: largestBlock,
  snapshots: 8,
  snapshotBytes: 512 * 1024,
  relationsPerPeer: 64,
};

export interface EndpointOptions extends ChannelOptions {
  readonly handler: RequestHandler;
  readonly transmission?: Partial<TransmissionParameters>;
  readonly limits?: Partial<EndpointLimits>;
}

export interface Endpoint {
  /** Takes one datagram, whatever is in it. Never throws. The bytes must not change afterwards. */
  receive(datagram: Uint8Array, from: Peer): void;
  /**
   * Sends a request and waits for the response, in blocks where either is too large for a message. Rejects with
   * ExchangeError, with the reason of `signal`, or with RangeError when no message can carry the request.
   */
  request(to: Peer, request: Request, options?: { readonly signal?: AbortSignal }): Promise<IncomingResponse>;
  /**
   * Asks for one block of a body that is too large to be collected; the caller watches that the blocks follow each other
   * and belong to one representation. Rejects as `request` does.
   */
  requestBlock(
    to: Peer,
    request: Request,
    block: BlockRequest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BlockResponse>;
  /**
   * Asks the peer for a sign of life (RFC 7252 §4.3), which also keeps the way through a NAT open. Rejects with
   * ExchangeError when none comes, or with the reason of `signal`.
   */
  ping(to: Peer, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Goes on with an observation of an earlier run of ours, without a word to the peer; undefined when the peer has as many
   * as it may have.
   */
  restore(record: RelationRecord): Relation | undefined;
  /** Rejects what waits, ends what goes on, and sends nothing more. Calling it again is harmless. */
  close(): void;
}

/** @throws RangeError when a limit makes no sense */
export function createEndpoint(options: EndpointOptions): Endpoint {
  return new CoapEndpoint(options);
}

class CoapEndpoint implements Endpoint {
  readonly #channel: Channel;
  readonly #confirmables: Confirmables;
  readonly #exchanges: OutgoingExchanges;
  readonly #pings: Pings;
  readonly #client: BlockClient;
  readonly #relations: Relations;
  readonly #responder: Responder;

  constructor(options: EndpointOptions) {
    const { handler, log, random } = options;
    const limits = { ...defaultLimits, ...options.limits };
    const transmission = { ...defaultTransmission, ...options.transmission };
    checkBlockSize(limits.blockSize);
    const { blockSize, maxBody, relationsPerPeer } = limits;
    const channel = new Channel(options, transmission);
    const confirmables = new Confirmables(channel);
    const interactions = new Interactions(transmission.nstart);
    const exchanges = new OutgoingExchanges(channel, confirmables, interactions);
    const representations = new Representations(limits, exchangeLifetime(transmission));
    const ended = (relation: Relation) => {
      try {
        handler.relationEnded?.(relation);
      } catch (error) {
        log.error("end of an observation failed", { peer: relation.peer.key, error });
      }
    };
    const relations = new Relations({ channel, confirmables, representations, relationsPerPeer, ended });
    this.#channel = channel;
    this.#confirmables = confirmables;
    this.#exchanges = exchanges;
    this.#pings = new Pings(channel, confirmables, interactions);
    this.#client = new BlockClient({ exchanges, random, blockSize, maxBody });
    this.#relations = relations;
    this.#responder = new Responder({ channel, confirmables, representations, relations, handler, limits });
  }

  receive(datagram: Uint8Array, from: Peer): void {
    if (this.#channel.closed) return;
    this.#relations.heard(from);
    try {
      this.#dispatch(decodeMessage(datagram), datagram, from);
    } catch (error) {
      if (error instanceof MessageFormatError) this.#rejectMalformed(datagram, from, error);
      else this.#channel.log.error("message not processed", { peer: from.key, error });
    }
  }

  request(
    to: Peer,
    request: Request,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<IncomingResponse> {
    return this.#client.request(to, request, options.signal);
  }

  requestBlock(
    to: Peer,
    request: Request,
    block: BlockRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<BlockResponse> {
    return this.#client.requestBlock(to, request, block, options.signal);
  }

  ping(to: Peer, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#pings.send(to, signal);
  }

  restore(record: RelationRecord): Relation | undefined {
    return this.#channel.closed ? undefined : this.#relations.restore(record);
  }

  close(): void {
    this.#channel.close();
    this.#exchanges.close();
    this.#pings.close();
    this.#relations.close();
    this.#responder.close();
    this.#confirmables.close();
  }

  #dispatch(message: Message, datagram: Uint8Array, from: Peer): void {
    const { type, code } = message;
    if (type === "RST") this.#receiveReset(message, from);
    else if (code === emptyCode) this.#receiveEmpty(message, from);
    else if (codeClass(code) !== 0) this.#exchanges.receive(message, datagram, from);
    // RFC 7252 §4.2: an ACK carries a response or nothing, never a request.
    else if (type !== "ACK") this.#responder.receive(message, datagram, from);
  }

  #receiveEmpty({ type, messageId }: Message, from: Peer): void {
    if (type === "ACK") this.#confirmables.settle(from, messageId, "acknowledged");
    // CoAP ping (RFC 7252 §4.3). An empty NON means nothing.
    if (type === "CON") this.#channel.send(encodeEmpty("RST", messageId), from);
  }

  #receiveReset({ code, messageId }: Message, from: Peer): void {
    if (code !== emptyCode) return;
    if (!this.#confirmables.settle(from, messageId, "reset")) this.#relations.reset(from, messageId);
  }

  /** RFC 7252 §4.2, §4.3: only a Confirmable message is worth a word. */
  #rejectMalformed(datagram: Uint8Array, from: Peer, error: MessageFormatError): void {
    const header = decodeHeader(datagram);
    this.#channel.log.debug("malformed message", { peer: from.key, reason: error.message });
    if (header?.type === "CON") this.#channel.send(encodeEmpty("RST", header.messageId), from);
  }
}
