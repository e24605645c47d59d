/** Request bodies that come in blocks (RFC 7959 §2.5): put in order, handed on piece by piece, bounded in number. */
import type { Peer, Timer } from "../ports.js";
import { type Block, blockOffset, joinBlocks } from "./block.js";
import type { Channel } from "./channel.js";
import type { BodySink, IncomingHead, RequestHandler, Response } from "./exchange-types.js";
import { faultResponse } from "./fault.js";
import { encodeText } from "./option.js";
import { exchangeLifetime } from "./transmission.js";

export interface BodyReceiverLimits {
  /** Bytes of a body that is collected in memory. */
  readonly maxBody: number;
  /** Bodies on their way at a time, from one peer and from all. */
  readonly transfersPerPeer: number;
  readonly transfers: number;
}

/** One block of a request body. */
export interface IncomingBlock {
  /** Equal for all blocks of one body. */
  readonly key: string;
  readonly block: Block;
  readonly payload: Uint8Array;
  readonly head: IncomingHead;
  /** Serves the request, once its body has been collected. */
  readonly serve: (body: Uint8Array) => Response | Promise<Response>;
}

interface Transfer {
  readonly key: string;
  readonly peer: Peer;
  readonly contentFormat: number | undefined;
  /** Bytes that come next. */
  offset: number;
  /** undefined until it is known who takes the body. */
  taker: { readonly sink: BodySink } | { readonly pieces: Uint8Array[] } | undefined;
  /** Ends when all blocks so far have been dealt with. */
  turn: Promise<unknown>;
  /** Blocks being dealt with. */
  busy: number;
  /** On the clock: when it last got on. */
  touched: number;
}

/** Seconds after which a peer that was turned away may try again. */
const retryAfter = 30;
const incomplete = (diagnostic: string): Response => ({ code: "4.08", payload: encodeText(diagnostic) });
const transferOver = incomplete("the transfer is over");

export class BodyReceiver {
  readonly #channel: Channel;
  readonly #handler: RequestHandler;
  readonly #limits: BodyReceiverLimits;
  readonly #transfers = new Map<string, Transfer>();
  /** One for all transfers, and only while there are any. */
  #idleTimer: Timer | undefined;

  constructor(channel: Channel, handler: RequestHandler, limits: BodyReceiverLimits) {
    this.#channel = channel;
    this.#handler = handler;
    this.#limits = limits;
  }

  /** Bodies on their way. */
  get size(): number {
    return this.#transfers.size;
  }

  /** Resolves when the block has been taken, with 2.31; after the last one with the response to the request. */
  async receive(incoming: IncomingBlock): Promise<Response> {
    const { key, block, payload, head } = incoming;
    if (block.more ? payload.length !== block.size : payload.length > block.size) return { code: "4.00" };
    if (block.number === 0) return await this.#begin(incoming);
    const transfer = this.#transfers.get(key);
    if (transfer === undefined) return incomplete("no such transfer");
    if (transfer.contentFormat !== head.contentFormat) return incomplete("another Content-Format");
    return await this.#inTurn(transfer, () => this.#take(transfer, incoming));
  }

  close(): void {
    const reason = new Error("the endpoint is closed");
    for (const transfer of this.#transfers.values()) this.#drop(transfer, reason);
  }

  async #begin(incoming: IncomingBlock): Promise<Response> {
    const { key, head } = incoming;
    const { peer, contentFormat } = head;
    const unfinished = this.#transfers.get(key);
    if (unfinished) this.#drop(unfinished, new Error("the peer began anew"));
    if (this.#isFull(peer)) return { code: "5.03", maxAge: retryAfter };
    const transfer: Transfer = {
      key,
      peer,
      contentFormat,
      offset: 0,
      taker: undefined,
      turn: Promise.resolve(),
      busy: 0,
      touched: this.#channel.clock.now(),
    };
    this.#transfers.set(key, transfer);
    this.#watch();
    return await this.#inTurn(transfer, async () => {
      const refusal = await this.#open(transfer, head);
      return refusal ?? (await this.#take(transfer, incoming));
    });
  }

  /** Finds out who takes the body; answers a Response when nobody does. */
  async #open(transfer: Transfer, head: IncomingHead): Promise<Response | undefined> {
    let answer: BodySink | Response | undefined;
    try {
      answer = await this.#handler.open?.(head);
    } catch (error) {
      answer = this.#faultOf(transfer, error);
    }
    if (answer === undefined) {
      if (head.size !== undefined && head.size > this.#limits.maxBody) return this.#tooLarge(transfer);
      transfer.taker = { pieces: [] };
      return undefined;
    }
    if ("write" in answer) {
      transfer.taker = { sink: answer };
      if (!this.#isAlive(transfer)) this.#abort(answer, new Error("the transfer is over"));
      return undefined;
    }
    this.#remove(transfer);
    return answer;
  }

  async #take(transfer: Transfer, { block, payload, serve }: IncomingBlock): Promise<Response> {
    const { taker } = transfer;
    if (!this.#isAlive(transfer) || taker === undefined) return transferOver;
    const offset = blockOffset(block);
    const end = offset + payload.length;
    // What is stored already comes again under a new Message ID when its answer was lost for good, and libcoap sends older
    // blocks again when it meets an answer that was held up.
    if (end <= transfer.offset && block.more) return { code: "2.31" };
    if (offset !== transfer.offset) return incomplete(`expected offset ${transfer.offset}`);
    if ("pieces" in taker) {
      if (end > this.#limits.maxBody) return this.#tooLarge(transfer);
      taker.pieces.push(payload);
    } else {
      const failure = await this.#write(transfer, taker.sink, payload);
      if (failure) return failure;
    }
    transfer.offset = end;
    if (block.more) return { code: "2.31" };
    this.#remove(transfer);
    return "pieces" in taker ? await serve(joinBlocks(taker.pieces)) : await taker.sink.end();
  }

  async #write(transfer: Transfer, sink: BodySink, payload: Uint8Array): Promise<Response | undefined> {
    try {
      await sink.write(payload);
    } catch (error) {
      // A sink that was aborted amid a write has every reason to fail it.
      if (!this.#isAlive(transfer)) return transferOver;
      this.#drop(transfer, error instanceof Error ? error : new Error(String(error)));
      return this.#faultOf(transfer, error);
    }
    return this.#isAlive(transfer) ? undefined : transferOver;
  }

  /** Blocks of one body are dealt with one after the other, whatever the network made of their order. */
  async #inTurn(transfer: Transfer, deal: () => Promise<Response>): Promise<Response> {
    transfer.busy++;
    const turn = transfer.turn.then(deal);
    transfer.turn = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      transfer.busy--;
      transfer.touched = this.#channel.clock.now();
    }
  }

  #isFull(peer: Peer): boolean {
    const { transfers, transfersPerPeer } = this.#limits;
    if (this.#transfers.size >= transfers) return true;
    let ofPeer = 0;
    for (const transfer of this.#transfers.values()) if (transfer.peer.key === peer.key) ofPeer++;
    return ofPeer >= transfersPerPeer;
  }

  #isAlive(transfer: Transfer): boolean {
    return this.#transfers.get(transfer.key) === transfer;
  }

  #tooLarge(transfer: Transfer): Response {
    this.#remove(transfer);
    return { code: "4.13", size: this.#limits.maxBody };
  }

  #remove(transfer: Transfer): void {
    if (this.#isAlive(transfer)) this.#transfers.delete(transfer.key);
    if (this.#transfers.size > 0) return;
    this.#idleTimer?.cancel();
    this.#idleTimer = undefined;
  }

  #drop(transfer: Transfer, reason: Error): void {
    this.#remove(transfer);
    if (transfer.taker && "sink" in transfer.taker) this.#abort(transfer.taker.sink, reason);
  }

  #abort(sink: BodySink, reason: Error): void {
    try {
      sink.abort(reason);
    } catch (error) {
      this.#channel.log.error("abort of a transfer failed", { error });
    }
  }

  #watch(): void {
    if (this.#idleTimer) return;
    const lifetime = exchangeLifetime(this.#channel.transmission);
    this.#idleTimer = this.#channel.clock.after(lifetime, () => {
      this.#idleTimer = undefined;
      this.#dropIdle(this.#channel.clock.now() - lifetime);
      if (this.#transfers.size > 0) this.#watch();
    });
  }

  #dropIdle(before: number): void {
    const reason = new Error("the peer went silent");
    for (const transfer of this.#transfers.values()) {
      if (transfer.busy === 0 && transfer.touched <= before) this.#drop(transfer, reason);
    }
  }

  #faultOf(transfer: Transfer, error: unknown): Response {
    return faultResponse(error, this.#channel.log, { peer: transfer.peer.key, transfer: transfer.key });
  }
}
