/** The options that we understand (RFC 7252 §5.10, 7641, 7959, 9175), and what an option is worth when it is not as defined. */
import type { Option, OutgoingOption } from "./message.js";

export const optionNumber = {
  ifMatch: 1,
  uriHost: 3,
  eTag: 4,
  ifNoneMatch: 5,
  observe: 6,
  uriPort: 7,
  locationPath: 8,
  uriPath: 11,
  contentFormat: 12,
  maxAge: 14,
  uriQuery: 15,
  accept: 17,
  block2: 23,
  block1: 27,
  size2: 28,
  proxyUri: 35,
  proxyScheme: 39,
  size1: 60,
  echo: 252,
  requestTag: 292,
} as const;

interface OptionDefinition {
  /** Bytes: least and most. */
  readonly length: readonly [number, number];
  readonly repeatable?: true;
}
export type OptionDefinitions = ReadonlyMap<number, OptionDefinition>;

/** What a request may carry. Anything else in it is an option that we do not know. */
export const requestOptionDefinitions: OptionDefinitions = new Map<number, OptionDefinition>([
  [optionNumber.ifMatch, { length: [0, 8], repeatable: true }],
  [optionNumber.uriHost, { length: [1, 255] }],
  [optionNumber.ifNoneMatch, { length: [0, 0] }],
  [optionNumber.observe, { length: [0, 3] }],
  [optionNumber.uriPort, { length: [0, 2] }],
  [optionNumber.uriPath, { length: [0, 255], repeatable: true }],
  [optionNumber.contentFormat, { length: [0, 2] }],
  [optionNumber.uriQuery, { length: [0, 255], repeatable: true }],
  [optionNumber.accept, { length: [0, 2] }],
  [optionNumber.block2, { length: [0, 3] }],
  [optionNumber.block1, { length: [0, 3] }],
  [optionNumber.proxyUri, { length: [0, 65_804], repeatable: true }],
  [optionNumber.proxyScheme, { length: [0, 65_804], repeatable: true }],
  [optionNumber.size1, { length: [0, 4] }],
  [optionNumber.echo, { length: [1, 40] }],
  [optionNumber.requestTag, { length: [0, 8], repeatable: true }],
]);

/** What a response may carry. */
export const responseOptionDefinitions: OptionDefinitions = new Map<number, OptionDefinition>([
  [optionNumber.eTag, { length: [1, 8] }],
  [optionNumber.locationPath, { length: [0, 255], repeatable: true }],
  [optionNumber.contentFormat, { length: [0, 2] }],
  [optionNumber.maxAge, { length: [0, 4] }],
  [optionNumber.block2, { length: [0, 3] }],
  [optionNumber.block1, { length: [0, 3] }],
  [optionNumber.size2, { length: [0, 4] }],
  [optionNumber.size1, { length: [0, 4] }],
  [optionNumber.echo, { length: [1, 40] }],
]);

/**
 * RFC 7252 §5.4.1, §5.4.3, §5.4.5: unknown, of a wrong length, or once too often is all the same; the oddness of the
 * number decides whether the message may be understood without it.
 * @param previous number of the option before, as repetitions are neighbours
 */
export function judgeOption(
  option: Option,
  previous: number,
  definitions: OptionDefinitions,
): "use" | "ignore" | "refuse" {
  const definition = definitions.get(option.number);
  if (
    definition !== undefined &&
    option.value.length >= definition.length[0] &&
    option.value.length <= definition.length[1] &&
    (option.number !== previous || definition.repeatable === true)
  ) {
    return "use";
  }
  return option.number & 1 ? "refuse" : "ignore";
}

/** At most 4 bytes; leading zeros are allowed (RFC 7252 §3.2). */
export function decodeUint(value: Uint8Array): number {
  let result = 0;
  for (const byte of value) result = result * 256 + byte;
  return result;
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** undefined when the bytes are no UTF-8. */
export function decodeText(value: Uint8Array): string | undefined {
  let text = "";
  for (let index = 0; index < value.length; index++) {
    const byte = value[index] as number;
    // A TextDecoder costs more than the whole rest of a request: it is for what is really not ASCII.
    if (byte > 0x7f) return decodeUtf8(value);
    text += String.fromCharCode(byte);
  }
  return text;
}

function decodeUtf8(value: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(value);
  } catch {
    return undefined;
  }
}

const utf8 = new TextEncoder();
export const encodeText = (text: string): Uint8Array => utf8.encode(text);

/** @throws RangeError for more text than a segment of a path or a query can be (RFC 7252 §5.10) */
export function textOption(number: number, text: string): OutgoingOption {
  const value = encodeText(text);
  if (value.length > 255) throw new RangeError(`${value.length} bytes do not fit in option ${number}`);
  return { number, value };
}

/** Bytes as lower-case hexadecimal: for keys and log lines. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += hexOfByte[byte];
  return text;
}
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
