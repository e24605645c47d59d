import { type AddressInfo, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Answers one request; `asked` counts them from 1. */
export type Behaviour = (socket: Socket, request: string, asked: number) => void;

export interface RawServer {
  /** Without a slash at its end. */
  readonly origin: string;
  /** The heads of the requests, in the order of arrival. */
  readonly requests: readonly string[];
  /** Resolves when no connection is left. */
  idle(): Promise<void>;
}

/** A server on loopback that writes whatever it likes to the wire. */
export async function startRawServer(behaviour: Behaviour): Promise<RawServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    let head = "";
    socket.on("data", (piece) => {
      head += piece.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      requests.push(head);
      behaviour(socket, head, requests.length);
      head = "";
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    async idle() {
      while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}

/** Head and body, and the end of the connection. */
export const says =
  (head: readonly string[], body: string | Uint8Array = ""): Behaviour =>
  (socket) => {
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.end(body);
  };

/** The same, and then the connection is reset. */
export const saysAndBreaks =
  (head: readonly string[], body: string | Uint8Array = ""): Behaviour =>
  (socket) => {
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.write(body, () => setTimeout(() => socket.resetAndDestroy(), 2));
  };

/** Head and body, and then bits of the same every few milliseconds, without end. */
export const drips =
  (beginning: string, drop: string, interval: number): Behaviour =>
  (socket) => {
    socket.write(beginning);
    const timer = setInterval(() => socket.write(drop), interval);
    socket.on("close", () => clearInterval(timer));
  };

/** One after the other, and the last one ever after. */
export const inTurn =
  (...behaviours: readonly [Behaviour, ...Behaviour[]]): Behaviour =>
  (socket, request, asked) =>
    (behaviours[asked - 1] ?? behaviours.at(-1) ?? behaviours[0])(socket, request, asked);
