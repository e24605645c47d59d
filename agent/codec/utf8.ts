import { DecodeError } from "../model/errors.js";

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF: it is part of the value, and a Read must return what was written.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The encoder costs more than a whole message around a short value: it is for what is long, or really not ASCII. */
export function encodeUtf8(text: string): Uint8Array {
  if (text.length > 64) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return encoder.encode(text);
    bytes[index] = code;
  }
  return bytes;
}

/**
 * @param offset where `bytes` lie in the payload, for the error
 * @throws DecodeError when `bytes` are not UTF-8
 */
export function decodeUtf8(bytes: Uint8Array, offset = 0): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new DecodeError("this text is not UTF-8", { offset, cause });
  }
}
