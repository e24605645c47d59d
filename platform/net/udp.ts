/**
 * UDP sockets: datagrams in and out, nothing else. What they mean is known in agent/coap; names are resolved in resolve.ts.
 */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { type DatagramHandlers, type DatagramSocket, type Peer, TransportError } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { type DatagramFamily, formatEndpoint } from "./resolve.js";

export interface UdpSocketOptions {
  readonly family: DatagramFamily;
  /** Numeric address to listen on; all of this machine's when it is not given. */
  readonly address?: string;
  /** A free port when it is not given. */
  readonly port?: number;
}

/** Measured with 16 requests outstanding on two cores: 2 and 8 are slower, and so is the whole turn at once. */
const groupSize = 4;

/**
 * Resolves when the socket is bound.
 * @throws TransportError naming the address, when it cannot be bound
 */
export async function openUdpSocket(
  { family, address = family === "udp4" ? "0.0.0.0" : "::", port = 0 }: UdpSocketOptions,
  handlers: DatagramHandlers,
): Promise<DatagramSocket> {
  const socket = createSocket({
    type: family,
    // An IPv4 peer would have a second name on a dual socket, `::ffff:192.0.2.1`; and both families may share a port.
    ipv6Only: family === "udp6",
    // Peers are numeric. The default asks `dns.lookup` for each datagram, which answers one turn later at best.
    lookup: (host, _options, callback) => callback(null, host, family === "udp4" ? 4 : 6),
  });
  try {
    // Before `bind`, which with this lookup emits "listening" or "error" while it runs.
    const listening = once(socket, "listening");
    socket.bind(port, address);
    await listening;
  } catch (cause) {
    socket.close();
    const endpoint = formatEndpoint(address, port);
    throw new TransportError(`cannot listen on UDP ${endpoint}: ${describeError(cause)}`, { cause });
  }
  const bound = socket.address();
  const closed = new Promise<void>((resolve) => socket.once("close", resolve));
  let open = true;

  const fail = (doing: string, cause: unknown) =>
    handlers.onError(new TransportError(`cannot ${doing}: ${describeError(cause)}`, { cause }));
  const sent = (error: (Error & { address?: string; port?: number }) | null) => {
    if (error === null || !open) return;
    fail(`send to ${formatEndpoint(error.address ?? "?", error.port ?? 0)}`, error);
  };

  socket.on("error", (cause) => {
    if (!open) return;
    open = false;
    socket.close();
    const error = new TransportError(`cannot receive: ${describeError(cause)}`, { cause });
    if (handlers.onLost) handlers.onLost(error);
    else handlers.onError(error);
  });
  socket.on("message", (datagram, { address, port }: RemoteInfo) =>
    handlers.onDatagram(datagram, { address, port, key: formatEndpoint(address, port) }),
  );

  /**
   * What one turn of the event loop has to send leaves in groups, the last at its end. A datagram to a peer that sleeps
   * wakes it up, which costs several times the sending; and a peer that is awake works on one group while we make the
   * next.
   */
  let waiting: { readonly datagram: Uint8Array; readonly to: Peer }[] = [];
  let flushesAtEnd = false;
  const flush = () => {
    const leaving = waiting;
    waiting = [];
    if (!open) return;
    for (const { datagram, to } of leaving) {
      try {
        socket.send(datagram, to.port, to.address, sent);
      } catch (cause) {
        // Port 0, which any sender can write into a datagram, is refused by a throw.
        fail(`send to ${to.key}`, cause);
      }
    }
  };

  return {
    local: { address: bound.address, port: bound.port },
    send(datagram, to) {
      if (!open) return;
      waiting.push({ datagram, to });
      if (waiting.length >= groupSize) flush();
      if (flushesAtEnd) return;
      flushesAtEnd = true;
      setImmediate(() => {
        flushesAtEnd = false;
        flush();
      });
    },
    close() {
      if (open) {
        flush();
        open = false;
        socket.close();
      }
      return closed;
    },
  };
}
