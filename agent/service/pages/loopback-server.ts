/** A small HTTP server for this device alone: fixed pages, by GET, bounded in connections and time. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { describeError } from "../../../platform/system-error.js";
import type { LocalPort } from "../../config/service-config.js";
import type { Log } from "../../ports.js";

export interface Page {
  readonly contentType: string;
  /** Beside those of every page. */
  readonly headers?: Readonly<Record<string, string>>;
  content(): string | Promise<string>;
}

/** By path. */
export type Pages = ReadonlyMap<string, Page>;

export interface LoopbackServer {
  /** Ends all connections. */
  close(): Promise<void>;
}

/** A browser opens six; monitoring one. */
const maximumConnections = 16;
const silenceLimit = 10_000;
/** Headers of a request, bytes. A browser sends less than one KiB. */
const maximumHeaderSize = 8 * 1024;

/** @throws Error when nothing can listen there */
export async function createLoopbackServer({
  address,
  port,
  pages,
  log,
}: LocalPort & { readonly pages: Pages; readonly log: Log }): Promise<LoopbackServer> {
  const server = createServer(
    {
      maxHeaderSize: maximumHeaderSize,
      headersTimeout: silenceLimit,
      requestTimeout: silenceLimit,
      keepAliveTimeout: silenceLimit,
    },
    (request, response) => void answer({ request, response, pages, log }),
  );
  server.maxConnections = maximumConnections;
  server.setTimeout(silenceLimit);
  await listen(server, { address, port });
  server.on("error", (error) => log.error("local page failed", { error }));
  return {
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, { address, port }: LocalPort): Promise<void> {
  server.listen({ host: address, port, exclusive: true });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new Error(`cannot listen on ${address} port ${port}: ${describeError(cause)}`, { cause });
  }
}

/** Nobody may embed it, store it, guess its type or run anything in it; a page that runs a script says so itself. */
const headersOfAll = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly pages: Pages;
  readonly log: Log;
}

async function answer({ request, response, pages, log }: Exchange): Promise<void> {
  const say = (code: number, text: string, headers: Readonly<Record<string, string>> = {}) => {
    const length = `${Buffer.byteLength(text)}`;
    response.writeHead(code, {
      ...headersOfAll,
      "Content-Type": "text/plain; charset=utf-8",
      ...headers,
      "Content-Length": length,
    });
    response.end(request.method === "HEAD" ? undefined : text);
  };
  if (!isLocalHost(request.headers.host)) {
    return say(421, "This is for this device alone: ask for http://localhost or http://127.0.0.1.\n");
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return say(405, "Nothing can be changed here.\n", { Allow: "GET, HEAD" });
  }
  const page = pages.get(request.url?.split("?")[0] ?? "");
  if (page === undefined) return say(404, `There is ${[...pages.keys()].join(", ")}.\n`);
  try {
    const content = await page.content();
    say(200, content, { ...page.headers, "Content-Type": page.contentType });
  } catch (error) {
    log.error("local page failed", { path: request.url?.slice(0, 100), error });
    say(500, "The agent could not say; its log says why.\n");
  }
}

/**
 * A browser that was lured to a name which resolves to 127.0.0.1 sends that name (DNS rebinding). The port may be another
 * one: that of a tunnel.
 */
const isLocalHost = (host: string | undefined): boolean =>
  /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host ?? "");
