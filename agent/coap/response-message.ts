/** Responses as options: written for one that goes out, and read from a message that came in. */
import { type Block, decodeBlock, encodeBlock } from "./block.js";
import { decodeResponseCode, encodeResponseCode, type ResponseCode } from "./code.js";
import type { Response } from "./exchange-types.js";
import { encodeMessage, type Message, type MessageType, noBytes, type OutgoingOption } from "./message.js";
import {
  decodeText,
  decodeUint,
  judgeOption,
  optionNumber,
  responseOptionDefinitions,
  textOption,
} from "./option.js";

/** Which message a response travels in. */
export interface Envelope {
  readonly type: MessageType;
  readonly messageId: number;
  readonly token: Uint8Array;
}

/** What a response carries beside itself. */
export interface ResponseExtras {
  readonly eTag?: Uint8Array | undefined;
  /** 24 bits. */
  readonly observe?: number | undefined;
  readonly block1?: Block | undefined;
  readonly block2?: Block | undefined;
  /** Size2 in bytes. */
  readonly bodySize?: number | undefined;
  readonly echo?: Uint8Array | undefined;
}

export function encodeResponse(
  { type, messageId, token }: Envelope,
  response: Response,
  extras: ResponseExtras = noExtras,
): Uint8Array {
  return encodeMessage({
    type,
    code: encodeResponseCode(response.code),
    messageId,
    token,
    options: responseOptions(response, extras),
    payload: response.payload ?? noBytes,
  });
}

const noExtras: ResponseExtras = {};

/** In ascending order. */
function responseOptions(response: Response, extras: ResponseExtras): OutgoingOption[] {
  const { location, contentFormat, maxAge, size } = response;
  const { eTag, observe, block1, block2, bodySize, echo } = extras;
  const options: OutgoingOption[] = [];
  if (eTag) options.push({ number: optionNumber.eTag, value: eTag });
  if (observe !== undefined) options.push({ number: optionNumber.observe, value: observe });
  if (location) {
    for (const segment of location) options.push(textOption(optionNumber.locationPath, segment));
  }
  if (contentFormat !== undefined) options.push({ number: optionNumber.contentFormat, value: contentFormat });
  if (maxAge !== undefined) options.push({ number: optionNumber.maxAge, value: maxAge });
  if (block2) options.push({ number: optionNumber.block2, value: encodeBlock(block2) });
  if (block1) options.push({ number: optionNumber.block1, value: encodeBlock(block1) });
  if (bodySize !== undefined) options.push({ number: optionNumber.size2, value: bodySize });
  if (size !== undefined) options.push({ number: optionNumber.size1, value: size });
  if (echo) options.push({ number: optionNumber.echo, value: echo });
  return options;
}

/** What a message says in answer to a request of ours. */
export interface ResponseParts {
  readonly code: ResponseCode;
  readonly payload: Uint8Array;
  contentFormat: number | undefined;
  location: string[] | undefined;
  maxAge: number | undefined;
  /** Size1 in bytes. */
  size: number | undefined;
  /** Size2 in bytes. */
  bodySize: number | undefined;
  eTag: Uint8Array | undefined;
  block1: Block | undefined;
  block2: Block | undefined;
  echo: Uint8Array | undefined;
}

/** A string says why the response has to be rejected. */
export function readResponse(message: Message): ResponseParts | string {
  const code = decodeResponseCode(message.code);
  if (code === undefined) return `the response code 0x${message.code.toString(16)} is unknown`;
  const parts: ResponseParts = {
    code,
    payload: message.payload,
    contentFormat: undefined,
    location: undefined,
    maxAge: undefined,
    size: undefined,
    bodySize: undefined,
    eTag: undefined,
    block1: undefined,
    block2: undefined,
    echo: undefined,
  };
  let previous = 0;
  for (const option of message.options) {
    const verdict = judgeOption(option, previous, responseOptionDefinitions);
    previous = option.number;
    if (verdict === "ignore") continue;
    if (verdict === "refuse" || !takeOption(parts, option.number, option.value)) {
      return `option ${option.number} of the response cannot be understood`;
    }
  }
  return parts;
}

/** Stores what one well-formed option says; false when that means nothing. */
function takeOption(parts: ResponseParts, number: number, value: Uint8Array): boolean {
  switch (number) {
    case optionNumber.eTag:
      parts.eTag = value;
      return true;
    case optionNumber.locationPath: {
      const segment = decodeText(value);
      if (segment === undefined) return false;
      parts.location = [...(parts.location ?? []), segment];
      return true;
    }
    case optionNumber.contentFormat:
      parts.contentFormat = decodeUint(value);
      return true;
    case optionNumber.maxAge:
      parts.maxAge = decodeUint(value);
      return true;
    case optionNumber.block1:
      parts.block1 = decodeBlock(decodeUint(value));
      return parts.block1 !== undefined;
    case optionNumber.block2:
      parts.block2 = decodeBlock(decodeUint(value));
      return parts.block2 !== undefined;
    case optionNumber.size1:
      parts.size = decodeUint(value);
      return true;
    case optionNumber.size2:
      parts.bodySize = decodeUint(value);
      return true;
    default:
      parts.echo = value;
      return true;
  }
}
