import { request as ask, createServer, type IncomingMessage, type Server } from "node:http";
import * as https from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Identity } from "./authority.js";

export interface ProxyServer {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Methods and targets, in the order of arrival, with the credentials that came along. */
  readonly requests: { readonly target: string; readonly authorization: string | undefined }[];
}

/**
 * A proxy on loopback. Names that it is asked for it finds on this machine, so that they need not exist.
 * @param refuse the status that it answers to everything
 */
export async function startProxy({
  identity,
  refuse,
}: {
  identity?: Identity;
  refuse?: number;
} = {}): Promise<ProxyServer> {
  const requests: ProxyServer["requests"] = [];
  const sockets = new Set<Socket>();
  const note = ({ method, url, headers }: IncomingMessage) =>
    requests.push({ target: `${method} ${url}`, authorization: headers["proxy-authorization"] });
  const server: Server = identity ? https.createServer(identity) : createServer();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("request", (request: IncomingMessage, response) => {
    note(request);
    if (refuse !== undefined) return void response.writeHead(refuse).end();
    const { port, pathname, search } = new URL(request.url ?? "");
    const headers = { ...request.headers, "proxy-authorization": "" };
    ask({ host: "127.0.0.1", port, path: `${pathname}${search}`, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    note(request);
    socket.on("error", () => {});
    if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
    const [, port] = request.url?.split(":") ?? [];
    const onward = connect(Number(port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}
