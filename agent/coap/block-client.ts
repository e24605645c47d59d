/** Requests of ours and their responses, cut into blocks where they do not fit in one message (RFC 7959 §2.9, §3). */
import type { Peer, Random } from "../ports.js";
import { type Block, blockOffset, joinBlocks, largestBlock } from "./block.js";
import { encodeMethod, isSuccess } from "./code.js";
import { type BlockResponse, ExchangeError, type IncomingResponse, type Request } from "./exchange-types.js";
import { noBytes } from "./message.js";
import type { OutgoingExchanges } from "./outgoing-exchange.js";
import { type RequestExtras, requestOptions } from "./request-message.js";
import type { ResponseParts } from "./response-message.js";

export interface BlockClientOptions {
  readonly exchanges: OutgoingExchanges;
  readonly random: Random;
  /** Bytes: the largest block that we send, and that we ask for. */
  readonly blockSize: number;
  /** Bytes that a response may have in all. */
  readonly maxBody: number;
}

/** Which block of a body: the number counts blocks of this size. */
export type BlockRequest = Omit<Block, "more">;

/** The body of one request on its way. */
interface Upload {
  readonly payload: Uint8Array;
  offset: number;
  size: number;
  requestTag: Uint8Array | undefined;
}

/** Echoes that are kept for the next request to their peers; beyond it the oldest is forgotten, and will be asked for. */
const rememberedEchoes = 16;

export class BlockClient {
  readonly #options: BlockClientOptions;
  readonly #memory: Memory = { echoes: new Map(), uploadBroken: false };
  /** The last body on its way to each target: two at a time could not be told apart there. */
  readonly #uploads = new Map<string, Promise<unknown>>();

  constructor(options: BlockClientOptions) {
    this.#options = options;
  }

  /** Rejects with ExchangeError, with the reason of `signal`, or with RangeError for what no message can carry. */
  async request(peer: Peer, request: Request, signal?: AbortSignal): Promise<IncomingResponse> {
    const conversation = new Conversation(this.#options, this.#memory, peer, request, signal);
    const payload = request.payload ?? noBytes;
    if (payload.length <= this.#options.blockSize) return await conversation.run(payload);
    return await this.#inTurn(peer, request, () => conversation.run(payload));
  }

  /** Asks for one block of a body that is not collected here. Rejects as `request` does. */
  async requestBlock(
    peer: Peer,
    request: Request,
    block: BlockRequest,
    signal?: AbortSignal,
  ): Promise<BlockResponse> {
    const conversation = new Conversation(this.#options, this.#memory, peer, request, signal);
    return blockResponse(await conversation.block({ ...block, more: false }));
  }

  async #inTurn<T>(peer: Peer, { method, path, query }: Request, upload: () => Promise<T>): Promise<T> {
    const target = JSON.stringify([peer.key, method, path, query]);
    const turn = (this.#uploads.get(target) ?? Promise.resolve()).then(upload);
    const over = turn.catch(() => {});
    this.#uploads.set(target, over);
    try {
      return await turn;
    } finally {
      if (this.#uploads.get(target) === over) this.#uploads.delete(target);
    }
  }
}

/** What one request leaves behind for those after it. */
interface Memory {
  /** By peer. RFC 9175 §2.3: an Echo that came with a success is for the next request. */
  readonly echoes: Map<string, Uint8Array>;
  /** A body was given up on its way: the peer may still have a part of it, or meet a block of it later. */
  uploadBroken: boolean;
}

/** All exchanges that one request takes. */
class Conversation {
  readonly #options: BlockClientOptions;
  readonly #memory: Memory;
  readonly #peer: Peer;
  readonly #request: Request;
  readonly #signal: AbortSignal | undefined;

  /** The representation changed between two blocks, and was asked for anew. */
  #begunAnew = false;

  constructor(
    options: BlockClientOptions,
    memory: Memory,
    peer: Peer,
    request: Request,
    signal: AbortSignal | undefined,
  ) {
    this.#options = options;
    this.#memory = memory;
    this.#peer = peer;
    this.#request = request;
    this.#signal = signal;
  }

  async run(payload: Uint8Array): Promise<IncomingResponse> {
    return payload.length <= this.#options.blockSize
      ? await this.#whole(payload)
      : await this.#inBlocks(payload, this.#options.blockSize);
  }

  block(block2: Block): Promise<ResponseParts> {
    return this.#exchange(noBytes, { block2, asksSize: block2.number === 0 });
  }

  async #whole(payload: Uint8Array): Promise<IncomingResponse> {
    const { blockSize } = this.#options;
    const { method } = this.#request;
    // Only who wants less than what everyone sends has to say so (RFC 7959 §2.4).
    const asks = blockSize < largestBlock && (method === "GET" || method === "FETCH");
    const response = await this.#exchange(payload, {
      block2: asks ? { number: 0, more: false, size: blockSize } : undefined,
    });
    const smaller = smallerBlock(response, payload.length);
    return smaller === undefined
      ? await this.#body(response, payload)
      : await this.#inBlocks(payload, smaller);
  }

  async #inBlocks(payload: Uint8Array, size: number): Promise<IncomingResponse> {
    // RFC 9175 §3.3: a Request-Tag keeps apart what the peer may still have of a body that did not get through.
    const requestTag = this.#memory.uploadBroken ? this.#freshTag() : undefined;
    const upload: Upload = { payload, offset: 0, size, requestTag };
    const last = await this.#upload(upload).catch((error: unknown) => {
      this.#memory.uploadBroken = true;
      throw error;
    });
    return await this.#body(last, payload);
  }

  /** Answers what came for the last block, or for one that was refused. */
  async #upload(upload: Upload): Promise<ResponseParts> {
    let begunAnew = false;
    for (;;) {
      const block = nextBlock(upload);
      const response = await this.#sendBlock(upload, block);
      const smaller = block.number === 0 ? smallerBlock(response, block.size) : undefined;
      if (!begunAnew && hasLostTrack(response, block)) {
        begunAnew = true;
        upload.requestTag = this.#freshTag();
        upload.offset = 0;
      } else if (smaller !== undefined) {
        upload.size = smaller;
      } else if (block.more && continues(response, block)) {
        upload.offset += block.size;
        upload.size = Math.min(upload.size, response.block1?.size ?? upload.size);
      } else if (response.code === "2.31") {
        throw new ExchangeError("protocol", "the peer wants another block than the next");
      } else {
        return response;
      }
    }
  }

  #freshTag(): Uint8Array {
    return this.#options.random.bytes(4);
  }

  #sendBlock({ payload, offset, requestTag }: Upload, block1: Block): Promise<ResponseParts> {
    const size = block1.number === 0 ? payload.length : undefined;
    return this.#exchange(payload.subarray(offset, offset + block1.size), { block1, size, requestTag });
  }

  /** Fetches what is missing of the body that this response begins, which `payload` asked for. */
  async #body(first: ResponseParts, payload: Uint8Array): Promise<IncomingResponse> {
    if (first.block2 === undefined || (first.block2.number === 0 && !first.block2.more)) {
      return incomingResponse(first, first.payload);
    }
    const pieces: Uint8Array[] = [];
    let received = 0;
    for (let response = first; ; ) {
      const { block2 } = response;
      if (this.#beginsAnew(first, response)) return await this.run(payload);
      checkBlock(first, response, received);
      pieces.push(response.payload);
      received += response.payload.length;
      if (received > this.#options.maxBody) {
        throw new ExchangeError("protocol", `the response has more than ${this.#options.maxBody} bytes`);
      }
      if (!block2?.more) return incomingResponse(first, joinBlocks(pieces));
      const next: Block = { number: received / block2.size, more: false, size: block2.size };
      response = await this.#exchange(noBytes, { block2: next });
    }
  }

  /** What changes or is forgotten while it is fetched is fetched anew, once, where reading twice does no harm. */
  #beginsAnew(first: ResponseParts, { code, eTag }: ResponseParts): boolean {
    const { method } = this.#request;
    const isLost = code === first.code ? String(eTag) !== String(first.eTag) : code === "4.08";
    if (this.#begunAnew || !isLost) return false;
    this.#begunAnew = method === "GET" || method === "FETCH";
    return this.#begunAnew;
  }

  /** One message there and one back; twice when the peer wants its Echo first (RFC 9175 §2.3). */
  async #exchange(payload: Uint8Array, extras: RequestExtras): Promise<ResponseParts> {
    const response = await this.#send(payload, { ...extras, echo: this.#takeEcho() });
    if (response.echo === undefined) return response;
    // Any other answer than 4.01 says that the request was served: a second one would have it served twice.
    if (response.code === "4.01") return await this.#send(payload, { ...extras, echo: response.echo });
    this.#keepEcho(response.echo);
    return response;
  }

  #takeEcho(): Uint8Array | undefined {
    const { echoes } = this.#memory;
    const echo = echoes.get(this.#peer.key);
    echoes.delete(this.#peer.key);
    return echo;
  }

  #keepEcho(echo: Uint8Array): void {
    const { echoes } = this.#memory;
    echoes.set(this.#peer.key, echo);
    if (echoes.size <= rememberedEchoes) return;
    for (const oldest of echoes.keys()) {
      echoes.delete(oldest);
      return;
    }
  }

  #send(payload: Uint8Array, extras: RequestExtras): Promise<ResponseParts> {
    const { exchanges } = this.#options;
    const code = encodeMethod(this.#request.method);
    const options = requestOptions(this.#request, extras);
    return exchanges.send(this.#peer, { code, options, payload }, this.#signal);
  }
}

function nextBlock({ payload, offset, size }: Upload): Block {
  return { number: offset / size, more: offset + size < payload.length, size };
}

/** The size that a peer asks for which found ours too large (RFC 7959 §2.9.3). */
function smallerBlock({ code, block1 }: ResponseParts, sent: number): number | undefined {
  return code === "4.13" && block1 !== undefined && block1.size < sent ? block1.size : undefined;
}

/** It says so; or it waits for another block than what comes, as libcoap 4.3 does after a duplicate of the last one. */
const hasLostTrack = (response: ResponseParts, sent: Block): boolean =>
  response.code === "4.08" || (response.code === "2.31" && !(sent.more && continues(response, sent)));

/** 2.31, or the success of a peer that acts on each block by itself (RFC 7959 §2.3). */
const continues = ({ code, block1 }: ResponseParts, sent: Block): boolean =>
  isSuccess(code) && block1?.number === sent.number;

/** RFC 7959 §2.4: the same representation, block after block. */
function checkBlock(first: ResponseParts, response: ResponseParts, received: number): void {
  const { block2, payload, code, eTag } = response;
  if (code !== first.code) throw new ExchangeError("protocol", `a block was answered with ${code}`);
  if (block2 === undefined || blockOffset(block2) !== received) {
    throw new ExchangeError("protocol", "the blocks of the response do not follow each other");
  }
  if (block2.more ? payload.length !== block2.size : payload.length > block2.size) {
    throw new ExchangeError("protocol", `a block of ${block2.size} bytes has ${payload.length}`);
  }
  if (String(eTag) !== String(first.eTag)) {
    throw new ExchangeError("protocol", "the representation changed between two blocks");
  }
}

function incomingResponse(
  { code, contentFormat, location, maxAge, size }: ResponseParts,
  payload: Uint8Array,
): IncomingResponse {
  return {
    code,
    payload,
    ...(contentFormat !== undefined && { contentFormat }),
    ...(location !== undefined && { location }),
    ...(maxAge !== undefined && { maxAge }),
    ...(size !== undefined && { size }),
  };
}

function blockResponse(parts: ResponseParts): BlockResponse {
  const { code, payload, contentFormat, maxAge, block2, eTag, bodySize } = parts;
  return {
    code,
    payload,
    ...(contentFormat !== undefined && { contentFormat }),
    ...(maxAge !== undefined && { maxAge }),
    ...(block2 !== undefined && { block: block2 }),
    ...(eTag !== undefined && { eTag }),
    ...(bodySize !== undefined && { bodySize }),
  };
}
