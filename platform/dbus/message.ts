/** Messages of D-Bus and their bytes. @see D-Bus Specification, "Message Protocol" */
import { DecodeError } from "../../agent/model/errors.js";
import { Reader } from "./reader.js";
import { parseSignature, parseSingleType } from "./type.js";
import { type Value, Variant } from "./value.js";
import { Writer } from "./writer.js";

export type MessageType = "call" | "return" | "error" | "signal";

export interface Message {
  readonly type: MessageType;
  readonly serial: number;
  readonly noReplyExpected?: boolean;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  /** Of the body; empty when there is none. */
  readonly signature: string;
  readonly body: readonly Value[];
}

const typeCodes: Readonly<Record<MessageType, number>> = { call: 1, return: 2, error: 3, signal: 4 };
const fixedSize = 16;
const noReplyExpected = 1;
/** The protocol allows 128 MiB; nobody whom we ask has so much to say. */
export const maximumMessageSize = 1024 * 1024;

/** Header fields by code: their type and the name that they have here. */
const fields = {
  1: ["o", "path"],
  2: ["s", "interface"],
  3: ["s", "member"],
  4: ["s", "errorName"],
  5: ["u", "replySerial"],
  6: ["s", "destination"],
  7: ["s", "sender"],
  8: ["g", "signature"],
} as const;
const fieldsType = parseSingleType("a(yv)");

/** @throws TypeError when the body does not fit its signature */
export function encodeMessage(message: Message): Buffer {
  const body = new Writer();
  const types = parseSignature(message.signature);
  if (types.length !== message.body.length) throw new TypeError("the body has another number of values");
  for (const [index, type] of types.entries()) body.value(type, message.body[index] as Value);
  const header = Object.entries(fields).flatMap(([code, [type, name]]) => {
    const value = message[name];
    return value === undefined || value === "" ? [] : [[Number(code), new Variant(type, value)]];
  });
  return new Writer()
    .uint8("l".charCodeAt(0))
    .uint8(typeCodes[message.type])
    .uint8(message.noReplyExpected === true ? noReplyExpected : 0)
    .uint8(1)
    .uint32(body.length)
    .uint32(message.serial)
    .value(fieldsType, header)
    .align(8)
    .append(body.bytes())
    .bytes();
}

/**
 * How many bytes the message has that begins here; undefined when too few are there to tell.
 * @throws DecodeError when no message begins here, or one that is too large
 */
export function messageSize(bytes: Uint8Array): number | undefined {
  if (bytes.length < fixedSize) return undefined;
  const reader = new Reader(bytes, isLittleEndian(bytes), 4);
  const bodySize = reader.uint32();
  reader.uint32();
  const size = Math.ceil((fixedSize + reader.uint32()) / 8) * 8 + bodySize;
  if (size > maximumMessageSize)
    throw new DecodeError(`a message of ${size} bytes is too large`, { offset: 4 });
  return size;
}

/**
 * Decodes one whole message. A type that we do not know is undefined: such messages are to be ignored.
 * @throws DecodeError when the bytes are not one message
 */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  if (messageSize(bytes) !== bytes.length)
    throw new DecodeError("this is not one whole message", { offset: 0 });
  const reader = new Reader(bytes, isLittleEndian(bytes), 8);
  const serial = reader.uint32();
  const header = decodeFields(reader.value(fieldsType) as readonly (readonly [number, Variant])[]);
  reader.align(8);
  const { signature = "" } = header;
  const body = parseSignature(signature).map((type) => reader.value(type));
  if (reader.offset !== bytes.length) {
    throw new DecodeError("the body is longer than its signature says", { offset: reader.offset });
  }
  const type = (Object.keys(typeCodes) as MessageType[]).find((name) => typeCodes[name] === bytes[1]);
  if (type === undefined) return undefined;
  return {
    type,
    serial,
    ...header,
    signature,
    body,
    ...((Number(bytes[2]) & noReplyExpected) !== 0 && { noReplyExpected: true }),
  };
}

type HeaderFields = Pick<Message, (typeof fields)[keyof typeof fields][1]>;

/** Fields that we do not know are ignored, as the specification wants it. */
function decodeFields(entries: readonly (readonly [number, Variant])[]): Partial<HeaderFields> {
  const header: Record<string, Value> = {};
  for (const [code, { signature, value }] of entries) {
    if (!isKnownField(code)) continue;
    const [type, name] = fields[code];
    if (signature !== type)
      throw new DecodeError(`the header field ${name} is of type "${signature}"`, { offset: fixedSize });
    header[name] = value;
  }
  return header as Partial<HeaderFields>;
}

const isKnownField = (code: number): code is keyof typeof fields => code in fields;

function isLittleEndian(bytes: Uint8Array): boolean {
  const [order, , , version] = bytes;
  if (version !== 1) throw new DecodeError(`version ${version} of the protocol is not known`, { offset: 3 });
  if (order === 0x6c) return true;
  if (order === 0x42) return false;
  throw new DecodeError("neither byte order", { offset: 0 });
}
