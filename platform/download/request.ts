import type * as http from "node:http";
import { TLSSocket } from "node:tls";
import type { DownloadLimits } from "../../agent/download/options.js";
import { TemporaryError } from "../../agent/download/retry.js";
import { type Clock, PackageError } from "../../agent/ports.js";
import { errorCode } from "../system-error.js";
import { type ConnectionOptions, createRequest } from "./connection.js";
import { display, redirectTarget } from "./package-url.js";
import { meaningOf } from "./response.js";
import { describeConnectionError } from "./tls.js";

export interface RequestOptions extends ConnectionOptions {
  readonly limits: DownloadLimits;
  readonly clock: Clock;
}

/** Informational responses (1xx) that may come before the real one. */
const informationLimit = 16;

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

async function send(url: URL, options: RequestOptions): Promise<http.IncomingMessage> {
  const { limits, clock, signal } = options;
  const impatience = new AbortController();
  const giveUp = (message: string) => impatience.abort(new TemporaryError(message));
  let timer = clock.after(limits.connectTimeout, () => giveUp(`${url.host} cannot be reached: no answer`));
  const connected = () => {
    timer.cancel();
    timer = clock.after(limits.stallTimeout, () =>
      giveUp(`${url.host} has sent nothing for ${limits.stallTimeout / 1000} s`),
    );
  };
  try {
    const ended = AbortSignal.any([signal, impatience.signal]);
    const request = await createRequest(url, { ...options, signal: ended });
    return await responseTo(request, url, connected);
  } catch (cause) {
    throw impatience.signal.aborted ? impatience.signal.reason : requestFailure(url, cause, options);
  } finally {
    timer.cancel();
  }
}

function responseTo(
  request: http.ClientRequest,
  url: URL,
  connected: () => void,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    let informations = 0;
    request.on("socket", (socket) =>
      socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", connected),
    );
    request.on("information", () => {
      informations++;
      if (informations <= informationLimit) return;
      request.destroy(new TemporaryError(`${url.host} does not come to an answer: too many responses 1xx`));
    });
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      reject(new TemporaryError(`${url.host} speaks another protocol than HTTP all at once`));
    });
    request.on("response", resolve);
    request.on("error", reject);
    request.end();
  });
}

function requestFailure(url: URL, cause: unknown, { proxyFor, clock }: RequestOptions): Error {
  if (cause instanceof TemporaryError || cause instanceof PackageError) return cause;
  const proxy = proxyFor(url);
  const via = proxy === undefined ? "" : ` by the proxy ${proxy.host}`;
  const message = `${url.host} cannot be reached${via}: ${describeConnectionError(cause, clock.date())}`;
  // EAI_AGAIN is different: the name service is away, which says nothing about the name.
  return errorCode(cause) === "ENOTFOUND" && proxy === undefined
    ? new PackageError("invalid-uri", message, { cause })
    : new TemporaryError(message, { cause });
}
