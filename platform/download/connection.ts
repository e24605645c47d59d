/** One request on a connection of its own, of which nothing is left when the download ends: directly, or by a proxy. */
import * as http from "node:http";
import * as https from "node:https";
import { isIP, type Socket } from "node:net";
import * as tls from "node:tls";
import { TemporaryError } from "../../agent/download/retry.js";
import { PackageError } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { display } from "./package-url.js";
import { credentialsOf, hostOf, type ProxyFor } from "./proxy.js";
import type { TlsSettings } from "./tls.js";

export interface ConnectionOptions {
  readonly headers: http.OutgoingHttpHeaders;
  readonly signal: AbortSignal;
  readonly tls: TlsSettings;
  readonly proxyFor: ProxyFor;
}

/** Milliseconds before the other family is tried. Node.js waits 250, which a cellular network needs for one round trip. */
const familyTimeout = 2500;

/**
 * A GET that is not sent yet.
 * @throws PackageError when no request can be made of the URL, TemporaryError when the proxy is at fault
 */
export async function createRequest(url: URL, options: ConnectionOptions): Promise<http.ClientRequest> {
  const proxy = options.proxyFor(url);
  const { headers, signal } = options;
  const common = { headers, signal, auth: authOf(url) };
  if (proxy !== undefined && url.protocol === "https:") {
    const socket = await openTunnel(proxy, url, options);
    return sensible(url, () =>
      https.request(url, { ...common, createConnection: () => secure(socket, url, options.tls) }),
    );
  }
  const direct = { ...common, autoSelectFamilyAttemptTimeout: familyTimeout, agent: false };
  return sensible(url, () => {
    if (proxy !== undefined) return askProxy(proxy, url, { ...direct, tls: options.tls });
    return url.protocol === "https:"
      ? https.request(url, { ...direct, ...options.tls })
      : http.request(url, direct);
  });
}

/** RFC 9112 §3.2.2: a proxy is given the whole URL. */
function askProxy(
  proxy: URL,
  url: URL,
  { tls: { ca }, ...options }: http.RequestOptions & { readonly tls: TlsSettings },
): http.ClientRequest {
  const { request, address } = reach(proxy, ca);
  const headers = { ...options.headers, host: url.host, ...proxyAuthorization(proxy) };
  return request({ ...options, ...address, headers, path: `${url.origin}${url.pathname}${url.search}` });
}

/** RFC 9110 §9.3.6: the proxy hands bytes to and fro, and sees none of them in clear. */
function openTunnel(proxy: URL, url: URL, { signal, tls: { ca } }: ConnectionOptions): Promise<Socket> {
  const { request, address } = reach(proxy, ca);
  const target = `${url.hostname}:${url.port === "" ? 443 : url.port}`;
  return new Promise((resolve, reject) => {
    const headers = { host: target, ...proxyAuthorization(proxy) };
    const connect = request({ ...address, method: "CONNECT", path: target, headers, signal, agent: false });
    connect.on("connect", (response, socket, head) => {
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode < 300 && head.length === 0) return resolve(socket as Socket);
      socket.destroy();
      const hint = statusCode === 407 ? ": it wants other credentials" : "";
      reject(new TemporaryError(`the proxy ${proxy.host} answers ${statusCode} for ${url.host}${hint}`));
    });
    connect.on("error", (cause) =>
      reject(
        new TemporaryError(`the proxy ${proxy.host} cannot be used: ${describeError(cause)}`, { cause }),
      ),
    );
    connect.end();
  });
}

/** How a proxy is spoken to: the server behind it has a certificate of its own, and our own is for that one only. */
const reach = (proxy: URL, ca: TlsSettings["ca"]) => ({
  request: (options: http.RequestOptions): http.ClientRequest =>
    proxy.protocol === "https:"
      ? https.request({ ...options, ...(ca !== undefined && { ca }) })
      : http.request(options),
  address: {
    host: hostOf(proxy),
    port: proxy.port === "" ? (proxy.protocol === "https:" ? 443 : 80) : proxy.port,
  },
});

function secure(socket: Socket, url: URL, settings: TlsSettings): tls.TLSSocket {
  const host = hostOf(url);
  // RFC 6066 §3: a numeric address is no server name.
  return tls.connect({ ...settings, socket, host, ...(isIP(host) === 0 && { servername: host }) });
}

function proxyAuthorization(proxy: URL): http.OutgoingHttpHeaders {
  const credentials = authOf(proxy);
  return credentials === null
    ? {}
    : { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
}

const authOf = (url: URL): string | null => sensible(url, () => credentialsOf(url)) ?? null;

/** What Node.js makes no request of is a URL at fault. */
function sensible<T>(url: URL, create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw new PackageError("invalid-uri", `${display(url)} cannot be asked: ${describeError(cause)}`, {
      cause,
    });
  }
}
