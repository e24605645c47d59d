import { DecodeError } from "../model/errors.js";

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF: it is part of the value, and a Read must return what was written.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);

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
