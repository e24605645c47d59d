import { afterEach, describe, expect, test } from "vitest";
import type { DatagramSocket, Peer, TransportError } from "../../../agent/ports.js";
import { resolvePeer } from "../../../platform/net/resolve.js";
import { openUdpSocket, type UdpSocketOptions } from "../../../platform/net/udp.js";

const opened: DatagramSocket[] = [];
afterEach(() => Promise.all(opened.splice(0).map((socket) => socket.close())));

interface Received {
  readonly datagram: Uint8Array;
  readonly from: Peer;
}

/** A socket whose datagrams and errors are awaited one by one. */
async function open(options: Partial<UdpSocketOptions> = {}) {
  const received = createQueue<Received>();
  const errors = createQueue<TransportError>();
  const socket = await openUdpSocket(
    { family: "udp4", address: options.family === "udp6" ? "::1" : "127.0.0.1", ...options },
    { onDatagram: (datagram, from) => received.put({ datagram, from }), onError: errors.put },
  );
  opened.push(socket);
  return {
    socket,
    next: received.take,
    nextError: errors.take,
    peer: await resolvePeer(socket.local.address, socket.local.port),
  };
}

function createQueue<T>() {
  const items: T[] = [];
  let wake = () => {};
  return {
    put(item: T) {
      items.push(item);
      wake();
    },
    async take(): Promise<T> {
      for (;;) {
        const item = items.shift();
        if (item !== undefined) return item;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

describe.each(["udp4", "udp6"] as const)("%s", (family) => {
  test("a datagram arrives with the peer that sent it, and the answer finds the way back", async () => {
    const [a, b] = [await open({ family }), await open({ family })];
    a.socket.send(bytes("ping"), b.peer);
    const { datagram, from } = await b.next();
    expect(text(datagram)).toBe("ping");
    expect(from).toEqual(a.peer);
    b.socket.send(bytes("pong"), from);
    expect(text((await a.next()).datagram)).toBe("pong");
  });

  test("an empty datagram is a datagram", async () => {
    const [a, b] = [await open({ family }), await open({ family })];
    a.socket.send(new Uint8Array(0), b.peer);
    expect((await b.next()).datagram).toHaveLength(0);
  });

  test("received bytes stay what they were when the next datagram comes", async () => {
    const [a, b] = [await open({ family }), await open({ family })];
    a.socket.send(bytes("first"), b.peer);
    a.socket.send(bytes("other"), b.peer);
    const [first, second] = [await b.next(), await b.next()];
    expect([text(first.datagram), text(second.datagram)]).toEqual(["first", "other"]);
  });

  test("a port that is taken is named in the error", async () => {
    const { socket } = await open({ family });
    const host = family === "udp6" ? "[::1]" : "127.0.0.1";
    await expect(open({ family, port: socket.local.port })).rejects.toMatchObject({
      name: "TransportError",
      message: `cannot listen on UDP ${host}:${socket.local.port}: the address is already in use (EADDRINUSE)`,
    });
  });
});

test("an address that this machine does not have is named in the error", async () => {
  await expect(open({ address: "192.0.2.77", port: 5683 })).rejects.toThrow(
    "cannot listen on UDP 192.0.2.77:5683: this machine does not have that address (EADDRNOTAVAIL)",
  );
});

test("both families may listen on one port", async () => {
  const { socket } = await open({ family: "udp4", address: "0.0.0.0" });
  const other = await open({ family: "udp6", address: "::", port: socket.local.port });
  expect(other.socket.local.port).toBe(socket.local.port);
});

test("a datagram that is too large is reported, and the socket goes on", async () => {
  const [a, b] = [await open(), await open()];
  a.socket.send(new Uint8Array(70_000), b.peer);
  expect((await a.nextError()).message).toBe(
    `cannot send to ${b.peer.key}: the datagram is too large (EMSGSIZE)`,
  );
  a.socket.send(bytes("small"), b.peer);
  expect(text((await b.next()).datagram)).toBe("small");
});

test("port 0, which a forged datagram may claim as its source, is an error and no crash", async () => {
  const { socket, nextError } = await open();
  socket.send(bytes("x"), { address: "127.0.0.1", port: 0, key: "127.0.0.1:0" });
  expect((await nextError()).message).toMatch(/^cannot send to 127\.0\.0\.1:0: /);
});

test("a closed socket swallows what is sent, and closing again is harmless", async () => {
  const [a, b] = [await open(), await open()];
  await Promise.all([a.socket.close(), a.socket.close()]);
  await a.socket.close();
  a.socket.send(bytes("lost"), b.peer);
  const again = await open({ port: a.socket.local.port });
  again.socket.send(bytes("seen"), b.peer);
  expect(text((await b.next()).datagram)).toBe("seen");
});
