/** The bootstrap interface as CoAP messages (LwM2M Transport 1.2 §6.4.2). */

import {
  ExchangeError,
  type IncomingHead,
  type IncomingRequest,
  type IncomingResponse,
  type Request,
  type Response,
} from "../coap/exchange-types.js";
import { contentFormats } from "../codec/content-format.js";
import type {
  BootstrapAnswer,
  BootstrapConnection,
  BootstrapPackAnswer,
} from "../lwm2m/bootstrap/connection.js";
import type { BootstrapOperation } from "../lwm2m/bootstrap/operations.js";
import type { Reply } from "../lwm2m/operations.js";
import { RequestError } from "../model/errors.js";
import { pathFromSegments } from "../model/path.js";
import { type Peer, TransportError } from "../ports.js";
import { responseOf } from "./coap-operations.js";
import type { SendRequest } from "./coap-registration.js";

/** What a bootstrap does with the requests of the Bootstrap-Server. */
export interface BootstrapOperations {
  /** Is the Bootstrap-Server at work? */
  readonly isOpen: boolean;
  /** May it speak to us at all? */
  readonly listens: boolean;
  perform(operation: BootstrapOperation): Promise<Reply>;
}

/** Where the Bootstrap-Server is now, and the way to it. */
export interface FoundBootstrapServer {
  readonly peer: Peer;
  readonly send: SendRequest;
}

export class CoapBootstrap {
  readonly #bootstrap: BootstrapOperations | undefined;
  /** Where it was when we last sent a Bootstrap-Request: requests from elsewhere are not its. */
  #peer: Peer | undefined;

  constructor(bootstrap: BootstrapOperations | undefined) {
    this.#bootstrap = bootstrap;
  }

  /** @param isServer a registered Server has the same address; it is heard again once the bootstrap is over */
  speaksFrom(peer: Peer, isServer: boolean): boolean {
    if (this.#bootstrap === undefined || peer.key !== this.#peer?.key) return false;
    return isServer ? this.#bootstrap.isOpen : this.#bootstrap.listens;
  }

  /** Rejects with what `responseCodeOf` understands. */
  async serve(request: IncomingRequest): Promise<Response> {
    if (this.#bootstrap === undefined) throw new RequestError("4.01", "nobody bootstraps");
    return responseOf(await this.#bootstrap.perform(bootstrapOperationOf(request)));
  }

  /**
   * @param find where the Bootstrap-Server is now; rejects with TransportError
   * @param basePath path segments of its URI, which go before `bs`
   */
  connection(find: () => Promise<FoundBootstrapServer>, basePath: readonly string[]): BootstrapConnection {
    const send = async (request: Request): Promise<IncomingResponse> => {
      const found = await find();
      this.#peer = found.peer;
      return found.send(request);
    };
    return {
      request: ({ endpointName, preferredFormat }) =>
        askedFor(async (): Promise<BootstrapAnswer> => {
          const format = preferredFormat === undefined ? [] : [`pct=${preferredFormat}`];
          const response = await send({
            method: "POST",
            path: [...basePath, "bs"],
            query: [`ep=${endpointName}`, ...format],
          });
          return response.code === "2.04" ? { type: "accepted" } : refusal(response);
        }),
      requestPack: ({ endpointName, accountLinks, accept }) =>
        askedFor(async (): Promise<BootstrapPackAnswer> => {
          const response = await send({
            method: "GET",
            path: [...basePath, "bspack"],
            query: [`ep=${endpointName}`, `acc=${accountLinks}`],
            accept,
          });
          const { code, contentFormat, payload } = response;
          return code === "2.05" ? { type: "pack", contentFormat, payload } : refusal(response);
        }),
    };
  }
}

const refusal = ({ code, maxAge }: IncomingResponse) => ({
  type: "refused" as const,
  reason: `the Bootstrap-Server refused with ${code}`,
  clientError: code.startsWith("4."),
  ...(maxAge !== undefined && { retryAfter: maxAge }),
});

/** No answer is an answer as well. */
async function askedFor<T>(ask: () => Promise<T>) {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ExchangeError || error instanceof TransportError) {
      return { type: "unanswered" as const, reason: error.message };
    }
    throw error;
  }
}

/**
 * Tells which operation a request of the Bootstrap-Server asks for.
 * @throws RequestError 4.00 for a path that the operation does not have, 4.05 for a method that means nothing
 */
export function bootstrapOperationOf(request: IncomingHead | IncomingRequest): BootstrapOperation {
  const segments = request.path.filter((segment) => segment !== ""); // some servers send an empty last one
  switch (request.method) {
    case "POST":
      if (segments.length === 1 && segments[0] === "bs") return { kind: "finish" };
      throw badPath(request);
    case "PUT":
      return writeOf(segments, request);
    case "GET":
      return readOrDiscoverOf(segments, request);
    case "DELETE": {
      if (segments.length === 0) return { kind: "delete", path: [] };
      const path = pathFromSegments(segments);
      if (path?.length === 1 || path?.length === 2) return { kind: "delete", path };
      throw badPath(request);
    }
    default:
      throw new RequestError("4.05", `${request.method} is not served`);
  }
}

function writeOf(segments: readonly string[], request: IncomingHead | IncomingRequest): BootstrapOperation {
  const path = pathFromSegments(segments);
  if (path === undefined || path.length === 4) throw badPath(request);
  const payload = "payload" in request ? request.payload : new Uint8Array();
  return { kind: "write", path, contentFormat: request.contentFormat, payload };
}

/** Of the root there is only a Discover, whatever the request accepts. */
function readOrDiscoverOf(
  segments: readonly string[],
  request: IncomingHead | IncomingRequest,
): BootstrapOperation {
  if (segments.length === 0) return { kind: "discover", path: [] };
  const path = pathFromSegments(segments);
  if (request.accept === contentFormats.linkFormat) {
    if (path?.length === 1) return { kind: "discover", path };
  } else if (path?.length === 1 || path?.length === 2) return { kind: "read", path, accept: request.accept };
  throw badPath(request);
}

const badPath = ({ method, path }: IncomingHead | IncomingRequest) =>
  new RequestError("4.00", `${method} /${path.join("/")} means nothing in a bootstrap`);
