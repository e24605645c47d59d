/** Codes of CoAP as RFC 7252 §12.1 writes them; the byte is known here alone. */
export const methods = ["GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"] as const;
export type Method = (typeof methods)[number];

export const responseCodes = [
  "2.01",
  "2.02",
  "2.03",
  "2.04",
  "2.05",
  "2.31",
  "4.00",
  "4.01",
  "4.02",
  "4.03",
  "4.04",
  "4.05",
  "4.06",
  "4.08",
  "4.09",
  "4.12",
  "4.13",
  "4.15",
  "4.22",
  "4.29",
  "5.00",
  "5.01",
  "5.02",
  "5.03",
  "5.04",
  "5.05",
] as const;
export type ResponseCode = (typeof responseCodes)[number];

/** The code of a message without meaning beyond its type: ping, empty ACK, RST. */
export const emptyCode = 0;

const byteOfResponse = new Map(
  responseCodes.map((code) => [code, (Number(code[0]) << 5) | Number(code.slice(2))] as const),
);
const responseOfByte = new Map([...byteOfResponse].map(([code, byte]) => [byte, code] as const));

export const encodeMethod = (method: Method): number => methods.indexOf(method) + 1;

/** undefined when it is no method that has a name. */
export const decodeMethod = (byte: number): Method | undefined => methods[byte - 1];

export const encodeResponseCode = (code: ResponseCode): number => byteOfResponse.get(code) ?? 0xa0;

/**
 * A code that has no name counts as the x.00 of its class (RFC 7252 §5.9). There is no 2.00 to fall back on: a success
 * of a kind that we cannot know is undefined, as is everything that is no response.
 */
export function decodeResponseCode(byte: number): ResponseCode | undefined {
  const known = responseOfByte.get(byte);
  if (known !== undefined) return known;
  if (codeClass(byte) === 4) return "4.00";
  return codeClass(byte) === 5 ? "5.00" : undefined;
}

export const isResponseCode = (value: unknown): value is ResponseCode =>
  (responseCodes as readonly unknown[]).includes(value);

export const isSuccess = (code: ResponseCode): boolean => code.startsWith("2");

/** 0 request or empty, 2 success, 4 client error, 5 server error. */
export const codeClass = (byte: number): number => byte >> 5;
