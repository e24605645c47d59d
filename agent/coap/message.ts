/**
 * The CoAP message over UDP (RFC 7252 §3): bytes to fields and back. What options and codes mean is not known here.
 */
import { codeClass, emptyCode } from "./code.js";

export type MessageType = "CON" | "NON" | "ACK" | "RST";
const messageTypes = ["CON", "NON", "ACK", "RST"] as const;
const typeBits = { CON: 0, NON: 1, ACK: 2, RST: 3 } as const;

export interface Option {
  readonly number: number;
  readonly value: Uint8Array;
}

export interface Message {
  readonly type: MessageType;
  readonly code: number;
  readonly messageId: number;
  /** 0 to 8 bytes. */
  readonly token: Uint8Array;
  /** In ascending order of their numbers. */
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** An option to send: bytes, or an unsigned integer that takes as few bytes as it needs (RFC 7252 §3.2). */
export interface OutgoingOption {
  readonly number: number;
  readonly value: Uint8Array | number;
}

export interface OutgoingMessage extends Omit<Message, "options"> {
  readonly options: readonly OutgoingOption[];
}

/** The bytes are no CoAP message. */
export class MessageFormatError extends Error {
  override readonly name = "MessageFormatError";
  /** Where the fault lies, in bytes from the start. */
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} (at offset ${offset})`);
    this.offset = offset;
  }
}

export const noBytes = new Uint8Array(0);
const noOptions: readonly Option[] = [];
const headerSize = 4;
const maxTokenLength = 8;
const payloadMarker = 0xff;

/** Type and Message ID of a datagram that may be malformed beyond them; undefined when it is not even that much CoAP. */
export function decodeHeader(bytes: Uint8Array): { type: MessageType; messageId: number } | undefined {
  if (bytes.length < headerSize || byteAt(bytes, 0) >> 6 !== 1) return undefined;
  return { type: typeOf(bytes), messageId: (byteAt(bytes, 2) << 8) | byteAt(bytes, 3) };
}

/**
 * Token, option values and payload share memory with `bytes`.
 * @throws MessageFormatError for whatever RFC 7252 §3 calls a message format error
 */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length < headerSize) throw new MessageFormatError("shorter than a header", bytes.length);
  const first = byteAt(bytes, 0);
  if (first >> 6 !== 1) throw new MessageFormatError(`version ${first >> 6}`, 0);
  const code = byteAt(bytes, 1);
  const type = typeOf(bytes);
  const messageId = (byteAt(bytes, 2) << 8) | byteAt(bytes, 3);
  if (code === emptyCode) {
    if (bytes.length > headerSize || first & 15)
      throw new MessageFormatError("an empty message with content", 4);
    return { type, code, messageId, token: noBytes, options: noOptions, payload: noBytes };
  }
  const reserved = codeClass(code);
  if (reserved === 1 || reserved >= 6) throw new MessageFormatError(`reserved code class ${reserved}`, 1);
  const tokenLength = first & 15;
  if (tokenLength > maxTokenLength) throw new MessageFormatError(`a token of length ${tokenLength}`, 0);
  const tokenEnd = headerSize + tokenLength;
  if (tokenEnd > bytes.length) throw new MessageFormatError("the token is cut off", headerSize);
  const options: Option[] = [];
  const payload = decodeOptions(bytes, tokenEnd, options);
  return { type, code, messageId, token: view(bytes, headerSize, tokenEnd), options, payload };
}

/** Appends to `options`; what follows them is the payload. */
function decodeOptions(bytes: Uint8Array, start: number, options: Option[]): Uint8Array {
  let position = start;
  let number = 0;
  while (position < bytes.length) {
    const head = byteAt(bytes, position);
    if (head === payloadMarker) {
      if (position + 1 === bytes.length)
        throw new MessageFormatError("a payload marker without payload", position);
      return view(bytes, position + 1, bytes.length);
    }
    const at = position++;
    number += extended(bytes, position, head >> 4);
    position += extensionSize(head >> 4);
    const length = extended(bytes, position, head & 15);
    position += extensionSize(head & 15);
    if (number > 0xffff) throw new MessageFormatError(`option number ${number}`, at);
    if (position + length > bytes.length) throw new MessageFormatError(`option ${number} is cut off`, at);
    options.push({ number, value: view(bytes, position, position + length) });
    position += length;
  }
  return noBytes;
}

/** RFC 7252 §3.1: 13 and 14 announce one and two more bytes, 15 is reserved for the payload marker. */
function extended(bytes: Uint8Array, position: number, nibble: number): number {
  if (nibble < 13) return nibble;
  if (nibble === 15) throw new MessageFormatError("a reserved option delta or length", position - 1);
  if (position + extensionSize(nibble) > bytes.length) {
    throw new MessageFormatError("an option header is cut off", position);
  }
  if (nibble === 13) return 13 + byteAt(bytes, position);
  return 269 + ((byteAt(bytes, position) << 8) | byteAt(bytes, position + 1));
}

const extensionSize = (nibble: number): number => (nibble < 13 ? 0 : nibble - 12);

/** @throws RangeError for what no message can carry: a fault of ours, never of the peer */
export function encodeMessage(message: OutgoingMessage): Uint8Array {
  const { token, options, payload, messageId } = message;
  if (token.length > maxTokenLength) throw new RangeError(`a token has at most 8 bytes, not ${token.length}`);
  const bytes = new Uint8Array(encodedSize(message));
  bytes[0] = 0x40 | (typeBits[message.type] << 4) | token.length;
  bytes[1] = message.code;
  bytes[2] = messageId >> 8;
  bytes[3] = messageId;
  let position = headerSize;
  for (let index = 0; index < token.length; index++) bytes[position++] = byteAt(token, index);
  let previous = 0;
  for (const { number, value } of options) {
    position = encodeOption(bytes, position, number - previous, value);
    previous = number;
  }
  if (payload.length > 0) {
    bytes[position] = payloadMarker;
    bytes.set(payload, position + 1);
  }
  return bytes;
}

/** Four bytes: an empty ACK or RST answers a Message ID, an empty CON asks for a RST. */
export function encodeEmpty(type: "CON" | "ACK" | "RST", messageId: number): Uint8Array {
  return Uint8Array.of(0x40 | (typeBits[type] << 4), emptyCode, messageId >> 8, messageId);
}

function encodedSize({ token, options, payload }: OutgoingMessage): number {
  let size = headerSize + token.length + (payload.length > 0 ? 1 + payload.length : 0);
  let previous = 0;
  for (const { number, value } of options) {
    if (number < previous) throw new RangeError(`option ${number} after option ${previous}`);
    const length = valueSize(value);
    size += 1 + extensionSize(nibbleOf(number - previous)) + extensionSize(nibbleOf(length)) + length;
    previous = number;
  }
  return size;
}

/** Returns the position after the option. */
function encodeOption(bytes: Uint8Array, at: number, delta: number, value: Uint8Array | number): number {
  const length = valueSize(value);
  bytes[at] = (nibbleOf(delta) << 4) | nibbleOf(length);
  let position = encodeExtension(bytes, at + 1, delta);
  position = encodeExtension(bytes, position, length);
  if (typeof value === "number") {
    for (let shift = 8 * (length - 1); shift >= 0; shift -= 8) bytes[position++] = value >>> shift;
    return position;
  }
  for (let index = 0; index < length; index++) bytes[position++] = byteAt(value, index);
  return position;
}

function encodeExtension(bytes: Uint8Array, position: number, value: number): number {
  if (value < 13) return position;
  if (value < 269) {
    bytes[position] = value - 13;
    return position + 1;
  }
  bytes[position] = (value - 269) >> 8;
  bytes[position + 1] = value - 269;
  return position + 2;
}

const nibbleOf = (value: number): number => (value < 13 ? value : value < 269 ? 13 : 14);

function valueSize(value: Uint8Array | number): number {
  if (typeof value !== "number") return value.length;
  if (value < 0x100) return value === 0 ? 0 : 1;
  return value < 0x10000 ? 2 : value < 0x1000000 ? 3 : 4;
}

const typeOf = (bytes: Uint8Array): MessageType => messageTypes[(byteAt(bytes, 0) >> 4) & 3] ?? "RST";

/** Callers have checked the bounds. */
const byteAt = (bytes: Uint8Array, index: number): number => bytes[index] as number;

/** Not `subarray`: on a Buffer that is several times slower and gives a Buffer again. */
const view = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  start === end ? noBytes : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
