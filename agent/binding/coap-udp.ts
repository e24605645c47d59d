import { createEndpoint, type TransmissionParameters } from "../coap/endpoint.js";
import type { Clock, DatagramHandlers, DatagramSocket, Log, Peer, Random } from "../ports.js";
import type { CoapConnection, CoapTransport } from "./coap-download.js";

export interface CoapUdpOptions {
  /** Opens a socket that reaches this peer, at a free port; rejects with TransportError. */
  readonly openSocket: (peer: Peer, handlers: DatagramHandlers) => Promise<DatagramSocket>;
  /** Finds the address of a host; rejects with TransportError, or with PackageError when there is no such host. */
  readonly resolve: (host: string, port: number) => Promise<Peer>;
  readonly transmission?: Partial<TransmissionParameters>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * A socket and an endpoint for each connection, which ask and serve nobody: a download never delays what we have to say to a
 * Server (NSTART), and its end leaves nothing behind.
 */
export const createCoapUdpTransport = (options: CoapUdpOptions): CoapTransport => ({
  defaultPort: 5683,
  async connect(host, port): Promise<CoapConnection> {
    const { clock, random, log, transmission } = options;
    const peer = await options.resolve(host, port);
    const endpoint = createEndpoint({
      clock,
      random,
      log,
      send: (datagram, to) => socket.send(datagram, to),
      handler: { accepts: () => false, handle: () => ({ code: "4.05" }) },
      ...(transmission && { transmission }),
    });
    const socket = await options.openSocket(peer, {
      onDatagram: (datagram, from) => endpoint.receive(datagram, from),
      onError: (error) => log.warn("network error", { reason: error.message }),
    });
    return {
      requestBlock: (request, block, { signal }) => endpoint.requestBlock(peer, request, block, { signal }),
      async close() {
        endpoint.close();
        await socket.close();
      },
    };
  },
});
