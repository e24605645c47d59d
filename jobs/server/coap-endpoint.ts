/**
 * One UDP socket on which a server receives registrations and from which it asks its devices: CoAP by the `coap` package,
 * without a word of LwM2M. An LwM2M client drops requests that do not come from the address it registered at, so both
 * halves of the package, its Server and its Agent, must live on the same socket; what each of them cannot bear from a
 * shared socket, or from a hostile one, is kept away from it here.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { type Clock, type Log, TransportError } from "../../agent/ports.js";
import { DeviceAgent, type DeviceRequest, type DeviceResponse, type Notified } from "./device-agent.js";
import { RequestListener, type Serve } from "./request-listener.js";

export interface CoapEndpointOptions {
  /** Numeric address to listen on. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly serve: Serve;
}

export interface CoapEndpoint {
  readonly address: string;
  readonly port: number;
  /** Resolves with whatever the device answers; rejects with the reason of `signal`. */
  request(request: DeviceRequest, signal: AbortSignal): Promise<DeviceResponse>;
  /** As `request`. When the device agrees, `notified` is called for what follows, until `forget`. */
  observe(request: DeviceRequest, signal: AbortSignal, notified: Notified): Promise<DeviceResponse>;
  /** What still comes for the observation with this token is rejected. */
  forget(token: Uint8Array): void;
  /** Requests that are under way must have been aborted. */
  close(): Promise<void>;
}

/**
 * Resolves when the socket is bound.
 * @throws TransportError naming the address, when it cannot be
 */
export async function openCoapEndpoint(options: CoapEndpointOptions): Promise<CoapEndpoint> {
  const { host, port, clock, log, serve } = options;
  const socket = await bind(host, port);
  forgiveFailedSends(socket, log);
  const agent = new DeviceAgent(socket, clock, log);
  const listener = new RequestListener(serve, log);
  listener.listen(socket);
  const bound = socket.address();
  return {
    address: bound.address,
    port: bound.port,
    request: (request, signal) => agent.ask(request, signal),
    observe: (request, signal, notified) => agent.observe(request, signal, notified),
    forget: (token) => agent.forgetObservation(token),
    async close() {
      const gone = once(socket, "close");
      listener.close();
      socket.close();
      await gone;
    },
  };
}

async function bind(host: string, port: number): Promise<Socket> {
  const family = isIPv6(host) ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    // Devices are numeric addresses: there is nothing to look up.
    lookup: (address, _options, found) => found(null, address, family),
  });
  try {
    const listening = once(socket, "listening"); // it may be so at once, as the lookup takes no time
    socket.bind(port, host);
    await listening;
    return socket;
  } catch (cause) {
    socket.close();
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const reason = isTaken ? "it is in use; choose another one" : String(cause);
    throw new TransportError(`cannot listen for devices on ${host} port ${port}: ${reason}`, { cause });
  }
}

type Send = (
  message: Uint8Array,
  offset: number,
  length: number,
  port: number,
  address: string,
  done?: (fault: Error | null, bytes: number) => void,
) => void;

/**
 * A datagram that cannot be sent is as good as lost, and CoAP knows what to do about those. The package instead raises
 * an 'error' event where nobody listens, and what `send` throws (for port 0, which a sender may forge, and once the
 * socket is closed) would come out of its timers.
 */
function forgiveFailedSends(socket: Socket, log: Log): void {
  const send: Send = socket.send.bind(socket);
  const forgiving: Send = (message, offset, length, port, address, done) => {
    const sent = (fault: unknown) => {
      if (fault) log.debug("a datagram was not sent", { address, port, fault: String(fault) });
      done?.(null, length);
    };
    try {
      send(message, offset, length, port, address, sent);
    } catch (fault) {
      sent(fault);
    }
  };
  socket.send = forgiving as Socket["send"]; // the package uses this overload only
}
