/** The half of the CoAP endpoint that serves what devices ask of us. */
import { type IncomingMessage, type OutgoingMessage, Server } from "coap";
import type { Log } from "../../agent/ports.js";
import { contentFormatOf, textOptions } from "./coap-message.js";

/** A request of a device, such as its registration. */
export interface ServerRequest {
  readonly address: string;
  readonly port: number;
  readonly method: string;
  readonly path: readonly string[];
  /** As they came: `ep=lamp`, `Q`. */
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly payload: Uint8Array;
}

export interface ServerResponse {
  readonly code: string;
  /** Location-Path segments. */
  readonly location?: readonly string[];
}

export type Serve = (request: ServerRequest) => ServerResponse;

/** Bytes of the responses kept for requests that come again; the package's own 32 MiB would hold a million of ours. */
const rememberedBytes = 256 * 1024;

/** The largest request that is put together from blocks. A list of a thousand Objects has about 10 kB. */
const maxRequestBytes = 64 * 1024;

type Packet = Parameters<Server["_handle"]>[0];
type Source = Parameters<Server["_handle"]>[1];

/** The Server of the package, less what it must not see of a socket that is shared with an Agent, or of a hostile peer. */
export class RequestListener extends Server {
  readonly #serve: Serve;
  readonly #log: Log;

  constructor(serve: Serve, log: Log) {
    super({ cacheSize: rememberedBytes });
    this.#serve = serve;
    this.#log = log;
    this.on("request", (request: IncomingMessage, response: OutgoingMessage) =>
      this.#answer(request, response),
    );
    this.on("error", (fault: Error) => log.warn("the server's socket failed", { fault: fault.message }));
  }

  override _handle(packet: Packet, from: Source): void {
    if (packet.ack === true || packet.reset === true) return; // answers to the Agent: we send no separate responses
    if (packet.code === "0.00" || !packet.code?.startsWith("0.")) return; // so are these
    if (!fits(packet)) return;
    // Nothing here can be observed, and a request to do so would get a stream for an answer.
    packet.options = packet.options?.filter(({ name }) => name !== "Observe") ?? [];
    super._handle(packet, from);
  }

  /**
   * Blocks of one request share peer, method and URI, and each may have a token of its own (RFC 7959 §2.2): the package
   * goes by the token, and would take every block for a request that lacks its beginning.
   */
  override _toCacheKey({ method, url, rsinfo }: IncomingMessage): string {
    return `${method} ${url} ${rsinfo.address} ${rsinfo.port}`;
  }

  /** The package would send this to our own host, whoever sent the faulty datagram. RFC 7252 §4.2 lets us ignore it. */
  override _sendError(): void {}

  #answer(request: IncomingMessage, response: OutgoingMessage): void {
    response.on("error", (fault: Error) =>
      this.#log.warn("a response was not sent", { fault: fault.message }),
    );
    const { code, location } = this.#respond(request);
    response.code = code;
    if (location !== undefined)
      response.setOption(
        "Location-Path",
        location.map((segment) => Buffer.from(segment)),
      );
    // RFC 7959 §2.3: the last block's response carries the option too; the package leaves it out.
    const block1 = request._packet.options?.find(({ name }) => name === "Block1");
    if (block1 !== undefined) response.setOption("Block1", block1.value);
    response.end();
  }

  #respond(request: IncomingMessage): ServerResponse {
    try {
      return this.#serve({
        address: request.rsinfo.address,
        port: request.rsinfo.port,
        method: request.method,
        path: textOptions(request, "Uri-Path").filter((segment) => segment !== ""),
        query: textOptions(request, "Uri-Query"),
        contentFormat: contentFormatOf(request),
        payload: request.payload,
      });
    } catch (fault) {
      this.#log.error("a request could not be served", { fault });
      return { code: "5.00" };
    }
  }
}

/** A block with a high number would make the package allocate all that should have come before it, up to a gigabyte. */
function fits({ options = [] }: Packet): boolean {
  return options.every(({ name, value }) => {
    if (name !== "Block1" && name !== "Block2") return true;
    if (value.length < 1 || value.length > 3) return false;
    const block = value.readUIntBE(0, value.length);
    return (block >> 4) * 2 ** ((block & 7) + 4) < maxRequestBytes;
  });
}
