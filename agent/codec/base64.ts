import { DecodeError } from "../model/errors.js";

const shared = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** RFC 4648 §4 with padding, as text/plain has it, and §5 without, as SenML has it. */
const alphabets = { standard: `${shared}+/`, url: `${shared}-_` } as const;

const INVALID = 255;
const sextets = new Uint8Array(128).fill(INVALID);
for (const alphabet of Object.values(alphabets)) {
  for (let sextet = 0; sextet < 64; sextet++) sextets[alphabet.charCodeAt(sextet)] = sextet;
}

export function encodeBase64(bytes: Uint8Array, variant: keyof typeof alphabets): string {
  const alphabet = alphabets[variant];
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const group = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    text +=
      alphabet.charAt(group >> 18) +
      alphabet.charAt((group >> 12) & 63) +
      alphabet.charAt((group >> 6) & 63) +
      alphabet.charAt(group & 63);
  }
  const missing = (3 - (bytes.length % 3)) % 3;
  if (missing === 0) return text;
  return text.slice(0, -missing) + (variant === "standard" ? "=".repeat(missing) : "");
}

/**
 * Reads either alphabet, padded or not: peers differ in both.
 * @throws DecodeError for other characters, wrong padding, and bits that belong to no byte
 */
export function decodeBase64(text: string): Uint8Array {
  const length = text.length - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);
  if (length % 4 === 1 || (length < text.length && text.length % 4 !== 0)) {
    throw new DecodeError("this Base64 has an impossible length");
  }
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0; // those that wait to fill a byte, in the low end of `buffer`
  let buffer = 0;
  let filled = 0;
  for (let index = 0; index < length; index++) {
    const sextet = sextets[text.charCodeAt(index)] ?? INVALID;
    if (sextet === INVALID) throw new DecodeError("this is not Base64", { offset: index });
    buffer = ((buffer << 6) | sextet) & 0xfff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[filled++] = buffer >> bits;
    }
  }
  if ((buffer & ((1 << bits) - 1)) !== 0) throw new DecodeError("this Base64 has bits beyond its last byte");
  return bytes;
}
