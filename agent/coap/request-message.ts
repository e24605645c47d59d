/** Requests as options: read from a message that came in, and written for one that goes out. */
import type { Peer } from "../ports.js";
import { type Block, decodeBlock, encodeBlock } from "./block.js";
import { decodeMethod, type Method, type ResponseCode } from "./code.js";
import type { IncomingHead, IncomingRequest, Request } from "./exchange-types.js";
import type { Message, OutgoingOption } from "./message.js";
import {
  decodeText,
  decodeUint,
  judgeOption,
  optionNumber,
  requestOptionDefinitions,
  textOption,
  toHex,
} from "./option.js";

/** What the options of a request say. */
export interface RequestParts {
  readonly method: Method;
  readonly path: string[];
  readonly query: string[];
  contentFormat: number | undefined;
  accept: number | undefined;
  /** 0 register, 1 cancel; other values mean nothing in a request. */
  observe: number | undefined;
  block1: Block | undefined;
  block2: Block | undefined;
  /** Size1 in bytes. */
  size: number | undefined;
  echo: Uint8Array | undefined;
  /** All Request-Tags, so that they can be compared. */
  requestTag: string;
}

/** Why the options of a request keep it from being served. */
export interface OptionRefusal {
  readonly refusal: ResponseCode;
  /** For the peer: names the option. */
  readonly diagnostic: string;
}

export function readRequest(message: Message): RequestParts | OptionRefusal {
  const method = decodeMethod(message.code);
  if (method === undefined) return { refusal: "4.05", diagnostic: "unknown method" };
  const parts: RequestParts = {
    method,
    path: [],
    query: [],
    contentFormat: undefined,
    accept: undefined,
    observe: undefined,
    block1: undefined,
    block2: undefined,
    size: undefined,
    echo: undefined,
    requestTag: "",
  };
  let previous = 0;
  for (const option of message.options) {
    const verdict = judgeOption(option, previous, requestOptionDefinitions);
    previous = option.number;
    if (verdict === "ignore") continue;
    const refusal = verdict === "refuse" ? "4.02" : takeOption(parts, option.number, option.value);
    if (refusal !== undefined) return { refusal, diagnostic: `option ${option.number}` };
  }
  // `/3/` is `/3`: some clients end the path with an empty segment.
  if (parts.path.at(-1) === "") parts.path.pop();
  return parts;
}

/** Stores what one well-formed option says; answers a code when that is the end of the request. */
function takeOption(parts: RequestParts, number: number, value: Uint8Array): ResponseCode | undefined {
  switch (number) {
    case optionNumber.uriPath:
      return takeText(parts.path, value);
    case optionNumber.uriQuery:
      return takeText(parts.query, value);
    case optionNumber.contentFormat:
      parts.contentFormat = decodeUint(value);
      return undefined;
    case optionNumber.accept:
      parts.accept = decodeUint(value);
      return undefined;
    case optionNumber.observe:
      parts.observe = decodeUint(value);
      return undefined;
    case optionNumber.block1:
      parts.block1 = decodeBlock(decodeUint(value));
      return parts.block1 ? undefined : "4.00";
    case optionNumber.block2:
      parts.block2 = decodeBlock(decodeUint(value));
      return parts.block2 ? undefined : "4.00";
    case optionNumber.size1:
      parts.size = decodeUint(value);
      return undefined;
    case optionNumber.echo:
      parts.echo = value;
      return undefined;
    case optionNumber.requestTag:
      parts.requestTag += `.${toHex(value)}`;
      return undefined;
    case optionNumber.ifMatch:
    case optionNumber.ifNoneMatch:
      // No ETags are kept, so no condition can be found true; to act regardless would be worse than to refuse.
      return "4.12";
    case optionNumber.proxyUri:
    case optionNumber.proxyScheme:
      return "5.05";
    default:
      // Uri-Host and Uri-Port: every name is ours.
      return undefined;
  }
}

function takeText(texts: string[], value: Uint8Array): ResponseCode | undefined {
  const text = decodeText(value);
  if (text === undefined) return "4.02";
  texts.push(text);
  return undefined;
}

export interface TransferParts extends Pick<RequestParts, "method" | "accept" | "requestTag"> {
  readonly path: readonly string[];
  readonly query: readonly string[];
}

/**
 * What makes blocks belong together (RFC 7959 §2.5). Never the token: Californium takes a new one for each block. The
 * Content-Format is compared apart, as a change of it amid a body has its own answer.
 */
export const transferKey = (peer: Peer, parts: TransferParts): string =>
  JSON.stringify([peer.key, parts.method, parts.path, parts.query, parts.accept, parts.requestTag]);

/** What a handler sees of a request whose body is not there yet. */
export function incomingHead(peer: Peer, parts: RequestParts): IncomingHead {
  const { method, path, query, contentFormat, accept, size } = parts;
  return {
    method,
    path,
    query,
    peer,
    size,
    ...(contentFormat !== undefined && { contentFormat }),
    ...(accept !== undefined && { accept }),
  };
}

/** What a handler sees of a whole request. */
export function incomingRequest(
  peer: Peer,
  { method, path, query, contentFormat, accept }: RequestParts,
  payload: Uint8Array,
  observe: IncomingRequest["observe"],
): IncomingRequest {
  const request: { -readonly [Key in keyof IncomingRequest]: IncomingRequest[Key] } = {
    method,
    path,
    query,
    payload,
    peer,
  };
  if (contentFormat !== undefined) request.contentFormat = contentFormat;
  if (accept !== undefined) request.accept = accept;
  if (observe !== undefined) request.observe = observe;
  return request;
}

/** What a request of ours carries beside itself. */
export interface RequestExtras {
  readonly block1?: Block | undefined;
  readonly block2?: Block | undefined;
  /** Size1 in bytes. */
  readonly size?: number | undefined;
  /** Ask for Size2, the bytes of the whole body (RFC 7959 §4). */
  readonly asksSize?: boolean | undefined;
  readonly echo?: Uint8Array | undefined;
  readonly requestTag?: Uint8Array | undefined;
}

/** In ascending order. */
export function requestOptions(request: Request, extras: RequestExtras): OutgoingOption[] {
  const { host, path, query = [], contentFormat, accept } = request;
  const { block1, block2, size, asksSize, echo, requestTag } = extras;
  const options: OutgoingOption[] = host === undefined ? [] : [textOption(optionNumber.uriHost, host)];
  for (const segment of path) options.push(textOption(optionNumber.uriPath, segment));
  if (contentFormat !== undefined) options.push({ number: optionNumber.contentFormat, value: contentFormat });
  for (const item of query) options.push(textOption(optionNumber.uriQuery, item));
  if (accept !== undefined) options.push({ number: optionNumber.accept, value: accept });
  if (block2) options.push({ number: optionNumber.block2, value: encodeBlock(block2) });
  if (block1) options.push({ number: optionNumber.block1, value: encodeBlock(block1) });
  if (asksSize) options.push({ number: optionNumber.size2, value: 0 });
  if (size !== undefined) options.push({ number: optionNumber.size1, value: size });
  if (echo) options.push({ number: optionNumber.echo, value: echo });
  if (requestTag) options.push({ number: optionNumber.requestTag, value: requestTag });
  return options;
}
