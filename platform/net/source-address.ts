import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Peer, TransportError } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { formatEndpoint } from "./resolve.js";

/**
 * The address of this device that a datagram to the peer would come from, as the routes are now. Nothing is sent: the
 * kernel picks it when a socket is connected.
 * @throws TransportError when no route leads there
 */
export async function sourceAddress({ address, port }: Peer): Promise<string> {
  const family = address.includes(":") ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    lookup: (host, _options, found) => found(null, host, family), // numeric already
  });
  try {
    const connected = once(socket, "connect");
    socket.connect(port, address);
    await connected;
    return socket.address().address;
  } catch (cause) {
    throw new TransportError(`no way to ${formatEndpoint(address, port)}: ${describeError(cause)}`, {
      cause,
    });
  } finally {
    socket.close();
  }
}
