import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { certificate } from "./certificate.js";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface PackageServer {
  /** Without a slash at its end. */
  readonly origin: string;
  /** In the order of arrival. */
  readonly requests: { readonly url: string; readonly headers: IncomingMessage["headers"] }[];
}

/** An HTTP server on loopback that gives one answer after the other, and the last one to all that follow. */
export async function startPackageServer(
  answers: readonly [Answer, ...Answer[]],
  { tls = false } = {},
): Promise<PackageServer> {
  const requests: PackageServer["requests"] = [];
  const [first] = answers;
  const listener: RequestListener = (request, response) => {
    const answer = answers[requests.length] ?? answers.at(-1) ?? first;
    requests.push({ url: request.url ?? "", headers: request.headers });
    answer(request, response);
  };
  const server = tls ? https.createServer(certificate, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `${tls ? "https" : "http"}://127.0.0.1:${port}`, requests };
}

type Headers = Record<string, string | number>;

export const answer =
  (status: number, headers: Headers = {}, body: string | Uint8Array = ""): Answer =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);

export const redirect = (location: string, status = 302): Answer => answer(status, { location });

/** The whole package, with its length and a strong ETag. */
export const whole = (body: Uint8Array, headers: Headers = { etag: '"1"' }): Answer =>
  answer(200, { "content-length": body.length, ...headers }, body);

/** Announces the whole package and breaks the connection after `length` bytes. */
export const cut =
  (body: Uint8Array, length: number, headers: Headers = { etag: '"1"' }): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-length": body.length, ...headers });
    response.flushHeaders();
    response.write(body.subarray(0, length), () => setImmediate(() => response.destroy()));
  };

/** The part that the request asks for, optionally broken off after `length` bytes. */
export const rest =
  (body: Uint8Array, { etag = '"1"', length = body.length } = {}): Answer =>
  ({ headers }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1]);
    response.writeHead(206, {
      "content-range": `bytes ${start}-${body.length - 1}/${body.length}`,
      "content-length": body.length - start,
      etag,
    });
    const part = body.subarray(start, start + length);
    if (part.length === body.length - start) response.end(part);
    else response.write(part, () => setImmediate(() => response.destroy()));
  };

export const silence: Answer = () => {};
