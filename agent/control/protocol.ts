/**
 * What goes over the control socket of the service. One line of JSON is one message. A request has a version and an id,
 * each answer to it carries that id.
 */
import { ConfigError } from "../model/errors.js";
import {
  integer,
  nullable,
  oneOf,
  optional,
  type Parser,
  shape,
  text,
  variant,
} from "../persistence/record-format.js";

/** Programs of another version than the service have to say so before they misunderstand each other. */
export const controlVersion = 1;

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export type ControlRequest =
  | { readonly method: "status" }
  | { readonly method: "metrics" }
  /** The last lines of the log. */
  | { readonly method: "log" }
  | { readonly method: "logLevel"; readonly level: (typeof logLevels)[number] }
  /** `until`: ISO 8601; null: until it is released. */
  | { readonly method: "hold"; readonly reason: string; readonly until: string | null }
  | { readonly method: "release" }
  | { readonly method: "reload" }
  /** Sends an Update to one Server, or to all. */
  | { readonly method: "triggerUpdate"; readonly shortServerId?: number };

export type ControlAnswer = { readonly id: number } & (
  | { readonly result: unknown }
  | { readonly error: ControlFault }
);

export interface ControlFault {
  /** `version`: the other end speaks another one · `request`: not understood · `refused`: cannot be done · `failed`: our fault */
  readonly code: "version" | "request" | "refused" | "failed";
  readonly message: string;
}

/** The service says no, in a sentence for the person who asked. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

const named =
  <const M extends ControlRequest["method"]>(name: M): Parser<M> =>
  () =>
    name;

export const parseRequest: Parser<ControlRequest> = variant("method", {
  status: shape({ method: named("status") }),
  metrics: shape({ method: named("metrics") }),
  log: shape({ method: named("log") }),
  logLevel: shape({ method: named("logLevel"), level: oneOf(...logLevels) }),
  hold: shape({ method: named("hold"), reason: text, until: nullable(text) }),
  release: shape({ method: named("release") }),
  reload: shape({ method: named("reload") }),
  triggerUpdate: shape({ method: named("triggerUpdate"), shortServerId: optional(integer(1, 65_534)) }),
});

export const parseEnvelope = shape({
  v: integer(1, Number.MAX_SAFE_INTEGER),
  id: integer(1, Number.MAX_SAFE_INTEGER),
});

/** Requests are short; whoever sends more is no client of ours. */
export const maximumRequestLength = 8 * 1024;
export const maximumAnswerLength = 1024 * 1024;

/**
 * Cuts a stream of text into lines.
 * @returns what takes the next piece; it answers false when a line is too long, and wants no more then
 */
export function createLineReader(
  maximum: number,
  onLine: (line: string) => void,
): (piece: string) => boolean {
  let rest = "";
  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.length > maximum) return false;
      if (line !== "") onLine(line);
    }
    return rest.length <= maximum;
  };
}

/** sockaddr_un holds 108 bytes, the last of them a zero; beyond that the path would be cut off in silence. */
const maximumPathBytes = 107;

/** @throws ConfigError when the path is too long for a socket */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= maximumPathBytes) return;
  throw new ConfigError(
    `${path} is too long for a socket, at most ${maximumPathBytes} bytes: give a shorter one in control.socket`,
  );
}
