/**
 * CoAP (RFC 7252, 7641, 7959) without a socket, a clock or a word of LwM2M: bytes go in and out, requests and
 * responses come and go. This file is what the layer above sees; `endpoint.ts` does it.
 */
import type { Peer } from "../ports.js";
import type { Block } from "./block.js";
import type { Method, ResponseCode } from "./code.js";

/** A request to send, or one that came in. */
export interface Request {
  readonly method: Method;
  /** Uri-Host of a request of ours: the name that its URI has. What comes in does not say it: every name is ours. */
  readonly host?: string;
  /** Decoded Uri-Path segments, without a trailing empty one. */
  readonly path: readonly string[];
  /** Decoded Uri-Query options, each `name` or `name=value`. */
  readonly query?: readonly string[];
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly payload?: Uint8Array;
}

export interface Response {
  readonly code: ResponseCode;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
  /** Location-Path segments. */
  readonly location?: readonly string[];
  /** Max-Age in seconds: with 5.03 when to try again. */
  readonly maxAge?: number;
  /** Size1 in bytes: with 4.13 what would have been accepted. */
  readonly size?: number;
  /** Only in an answer to an Observe registration: keep the relation. */
  readonly observe?: true;
  /** Called once this response has been handed to the network; its errors are logged. */
  readonly afterSent?: () => void;
}

/** The answer to a request of ours, its blocks put together. */
export interface IncomingResponse {
  readonly code: ResponseCode;
  readonly contentFormat?: number;
  readonly payload: Uint8Array;
  /** Location-Path segments. */
  readonly location?: readonly string[];
  /** Max-Age in seconds: with 5.03 when to try again. */
  readonly maxAge?: number;
  /** Size1 in bytes: with 4.13 what would have been accepted. */
  readonly size?: number;
}

/** One block of the answer to a request of ours, for one who puts them together himself. */
export interface BlockResponse extends Omit<IncomingResponse, "location" | "size"> {
  /** Which block it is; undefined when this is the whole. */
  readonly block?: Block;
  /** Of the representation that it is a block of. */
  readonly eTag?: Uint8Array;
  /** Size2: bytes of the whole, as far as the peer said. */
  readonly bodySize?: number;
}

/** A request as a handler sees it. */
export interface IncomingRequest extends Request {
  readonly query: readonly string[];
  readonly payload: Uint8Array;
  readonly peer: Peer;
  /**
   * `register`: the client asks to observe; answer with `observe: true` to accept, and keep the relation to notify.
   * `cancel`: it asks to end the observation of this token, which has ended already when the handler is called.
   */
  readonly observe?: { readonly kind: "register" | "cancel"; readonly relation: Relation };
}

/** The first block of a body: the request without its payload. */
export type IncomingHead = Omit<IncomingRequest, "payload"> & {
  /** Size1 in bytes, if the peer announced it. */
  readonly size: number | undefined;
};

/** One observation by one peer. Equal key: same peer and same token. */
export interface Relation {
  readonly key: string;
  readonly peer: Peer;
  /** Of all its notifications. */
  readonly token: Uint8Array;
  readonly active: boolean;
  /** Value of the last Observe option: 24 bits that begin anew at their end. */
  readonly sequence: number;
  /**
   * Sends a notification. While a confirmable one is unacknowledged or waits for its turn with this peer (NSTART), a newer
   * one takes its place. One that is not confirmable becomes so when the peer has been silent for long: PROBING_RATE.
   * A code other than 2.xx ends the relation after sending.
   * @returns `sent` (non-confirmable), `acknowledged`, `superseded` by a newer one, `unanswered` after all
   *   retransmissions (the relation stays), `ended` when the relation was cancelled
   */
  notify(response: Response, options: { readonly confirmable: boolean }): Promise<NotificationFate>;
  /** Ends the relation without a word to the peer. */
  end(): void;
}

export type NotificationFate = "sent" | "acknowledged" | "superseded" | "unanswered" | "ended";

/** What has to be kept of a relation so that it survives a restart of ours. */
export interface RelationRecord {
  readonly peer: Peer;
  readonly token: Uint8Array;
  /** Not less than that of the last notification: the observer drops what looks older (RFC 7641 §3.4). */
  readonly sequence: number;
  /** What is observed. Later blocks of a notification are asked for by the same request. */
  readonly request: Request;
  /** Bytes of a block, where the observer asked for blocks of a size. */
  readonly blockSize?: number;
}

/** Takes a body block by block. */
export interface BodySink {
  /** One block, in order; the next is asked for when this resolves. The bytes are to be read, never changed. */
  write(block: Uint8Array): void | Promise<void>;
  /** The body is complete; what this answers goes to the peer. */
  end(): Response | Promise<Response>;
  /** The transfer was given up, replaced or timed out. Never after `end`. */
  abort(reason: Error): void;
}

/**
 * The layer above. Whatever it (or a sink of its) throws becomes a response: an error whose `code` is a ResponseCode
 * says which, any other is 5.00 and a log line.
 */
export interface RequestHandler {
  /** May this peer speak to us? Requests from others are dropped without an answer. */
  accepts(peer: Peer): boolean;
  handle(request: IncomingRequest): Response | Promise<Response>;
  /**
   * A body that comes in blocks begins. Answer a sink to take it as a stream, a Response to refuse it, undefined to
   * have it collected in memory (bounded) and given to `handle`.
   */
  open?(head: IncomingHead): BodySink | Response | undefined | Promise<BodySink | Response | undefined>;
  /** Has the peer to show that this request is not an old one that was held back (RFC 9175 §2)? Asked once for each body. */
  needsFreshness?(head: IncomingHead): boolean;
  /** The peer ended an observation: by RST, by Observe 1, or by a new one with the same token. */
  relationEnded?(relation: Relation): void;
}

/** Why a request of ours got no response. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  /**
   * `timeout`: no answer after all retransmissions, or none after the ACK · `reset`: the peer refused the message ·
   * `closed`: we stopped · `protocol`: what came back makes no sense or is larger than we take
   */
  readonly reason: "timeout" | "reset" | "closed" | "protocol";
  constructor(reason: ExchangeError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
