import * as http from "node:http";
import * as https from "node:https";
import { type SecureContextOptions, TLSSocket } from "node:tls";
import { TemporaryError } from "../../agent/download/retry.js";
import { type Clock, type Millis, PackageError } from "../../agent/ports.js";
import { describeError, errorCode } from "../system-error.js";
import { display, redirectTarget } from "./package-url.js";
import { meaningOf } from "./response.js";

export interface RequestLimits {
  /** Until the connection stands, TLS included. */
  readonly connectTimeout: Millis;
  /** Without a byte from the server. */
  readonly stallTimeout: Millis;
  readonly redirects: number;
}

export interface RequestOptions {
  readonly headers: http.OutgoingHttpHeaders;
  readonly limits: RequestLimits;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly tls: SecureContextOptions;
}

/** Milliseconds before the other family is tried. Node.js waits 250, which a cellular network needs for one round trip. */
const familyTimeout = 2500;

/**
 * Sends a GET and follows redirections. The caller destroys the response, whose body has not been read.
 * @throws PackageError when the address is at fault, TemporaryError when the way to it is
 */
export async function get(start: URL, options: RequestOptions): Promise<http.IncomingMessage> {
  const visited: string[] = [];
  let url = start;
  for (;;) {
    visited.push(url.href);
    const response = await send(url, options);
    if (meaningOf(response.statusCode ?? 0) !== "redirect") return response;
    response.destroy();
    if (visited.length > options.limits.redirects) {
      throw new PackageError(
        "invalid-uri",
        `${display(start)} is redirected more than ${options.limits.redirects} times`,
      );
    }
    url = redirectTarget(url, response.headers.location, visited);
  }
}

function send(
  url: URL,
  { headers, limits, clock, signal, tls }: RequestOptions,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = createRequest(url, {
      ...tls,
      autoSelectFamilyAttemptTimeout: familyTimeout,
      agent: false,
      signal,
      headers,
    });
    const giveUp = (message: string) => request.destroy(new TemporaryError(message));
    let timer = clock.after(limits.connectTimeout, () => giveUp(`${url.host} cannot be reached: no answer`));
    const connected = () => {
      timer.cancel();
      timer = clock.after(limits.stallTimeout, () => giveUp(stalled(url, limits)));
    };
    request.on("socket", (socket) =>
      socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", connected),
    );
    request.on("response", (response) => {
      timer.cancel();
      resolve(response);
    });
    request.on("error", (error) => {
      timer.cancel();
      reject(requestFailure(url, error));
    });
    request.end();
  });
}

/** On a connection of its own (`agent: false`), of which nothing is left when the download ends. */
function createRequest(
  url: URL,
  options: https.RequestOptions & { autoSelectFamilyAttemptTimeout: number },
): http.ClientRequest {
  try {
    return url.protocol === "https:" ? https.request(url, options) : http.request(url, options);
  } catch (cause) {
    throw new PackageError("invalid-uri", `${display(url)} cannot be asked: ${describeError(cause)}`, {
      cause,
    });
  }
}

export const stalled = (url: URL, { stallTimeout }: RequestLimits): string =>
  `${url.host} has sent nothing for ${stallTimeout / 1000} s`;

function requestFailure(url: URL, cause: Error): Error {
  if (cause instanceof TemporaryError) return cause;
  const message = `${url.host} cannot be reached: ${describeError(cause)}`;
  // EAI_AGAIN is different: the name service is away, which says nothing about the name.
  return errorCode(cause) === "ENOTFOUND"
    ? new PackageError("invalid-uri", message, { cause })
    : new TemporaryError(message, { cause });
}
