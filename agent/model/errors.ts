/** The response codes that LwM2M knows, written as in RFC 7252 §12.1.2. Only the CoAP codec knows `0x84`. */
export type ResponseCode =
  | "2.01"
  | "2.02"
  | "2.03"
  | "2.04"
  | "2.05"
  | "2.31"
  | "4.00"
  | "4.01"
  | "4.02"
  | "4.03"
  | "4.04"
  | "4.05"
  | "4.06"
  | "4.08"
  | "4.09"
  | "4.12"
  | "4.13"
  | "4.15"
  | "4.29"
  | "5.00"
  | "5.01"
  | "5.02"
  | "5.03"
  | "5.04"
  | "5.05";

/** Bytes or text that do not mean what they should. The sender is at fault; over the wire this is 4.00. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  /** Where in the input the fault lies: bytes from its start (characters in text), undefined when it is the whole. */
  readonly offset: number | undefined;
  constructor(message: string, options: ErrorOptions & { offset?: number } = {}) {
    super(options.offset === undefined ? message : `${message} (at offset ${options.offset})`, options);
    this.offset = options.offset;
  }
}

/** A request that cannot be served. `code` goes into the response; the message stays in our log. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: ResponseCode;
  constructor(code: ResponseCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What the operator asked for cannot be done as asked: the message names the key or flag and the remedy. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The one place where a fault becomes a response code. */
export function responseCodeOf(error: unknown): ResponseCode {
  if (error instanceof RequestError) return error.code;
  if (error instanceof DecodeError) return "4.00";
  return "5.00";
}
