/**
 * LwM2M over CoAP over UDP: the one place where operations and CoAP messages meet. It owns the socket and the endpoint
 * of one client; registrations, observations and what operations do live in `agent/lwm2m`.
 */
import {
  createEndpoint,
  type Endpoint,
  type EndpointLimits,
  type TransmissionParameters,
} from "../coap/endpoint.js";
import type {
  BodySink,
  IncomingHead,
  IncomingRequest,
  Relation,
  RequestHandler,
  Response,
} from "../coap/exchange-types.js";
import { whenReady } from "../lwm2m/awaitable.js";
import type { BootstrapConnection } from "../lwm2m/bootstrap/connection.js";
import type { Client } from "../lwm2m/client.js";
import type { ObservedOperation } from "../lwm2m/observation.js";
import type { CompositeOperation, Operation, Origin } from "../lwm2m/operations.js";
import type { ServerConnection } from "../lwm2m/server-connection.js";
import type { ValueSink } from "../model/definition.js";
import { RequestError, responseCodeOf } from "../model/errors.js";
import {
  type Clock,
  type DatagramHandlers,
  type DatagramSocket,
  type Log,
  type Peer,
  type Random,
  TransportError,
} from "../ports.js";
import { type BootstrapOperations, CoapBootstrap } from "./coap-bootstrap.js";
import { createCoapObserver, restoreCoapObserver } from "./coap-observer.js";
import { operationOf, responseOf } from "./coap-operations.js";
import { createCoapServerConnection, type SendRequest } from "./coap-registration.js";
import type { ServerUri } from "./server-uri.js";

/** What a deployment may want to be different. */
export interface CoapSettings {
  /** Slow networks need longer timeouts: 4 to 15 s of ACK_TIMEOUT over NB-IoT. */
  readonly transmission?: Partial<TransmissionParameters>;
  /** Bytes of a block: 16, 32 … 1024. */
  readonly blockSize?: number;
  /** Say the name of a Server that has one in requests to it (Uri-Host, RFC 7252 §5.10.1). True when it is not given. */
  readonly sendsUriHost?: boolean;
}

export interface CoapBindingOptions extends CoapSettings {
  readonly client: Client;
  /** Absent: no Bootstrap-Server is ever spoken to. */
  readonly bootstrap?: BootstrapOperations;
  /** Is there still an account of that Server? Absent: accounts never go. */
  readonly hasAccount?: (shortServerId: number) => boolean;
  /** Opens the socket that reaches peers of this family; rejects with TransportError. */
  readonly openSocket: (family: AddressFamily, handlers: DatagramHandlers) => Promise<DatagramSocket>;
  /** Finds the address of a Server; rejects with TransportError. */
  readonly resolve: (host: string, port: number) => Promise<Peer>;
  /** Where what goes to that peer comes from, when the socket listens on all addresses. That of the socket unless given. */
  readonly sourceAddress?: (peer: Peer) => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<EndpointLimits>;
}

export type AddressFamily = "udp4" | "udp6";

const familyOf = (peer: Peer): AddressFamily => (peer.address.includes(":") ? "udp6" : "udp4");

export class CoapBinding {
  readonly #options: CoapBindingOptions;
  readonly #endpoint: Endpoint;
  /** Short Server IDs by the address that they were last found at: requests from elsewhere are not theirs. */
  readonly #servers = new Map<string, number>();
  /** Opened when a Server of that family is first spoken to. */
  readonly #sockets = new Map<AddressFamily, Promise<DatagramSocket>>();
  readonly #openSockets = new Map<AddressFamily, DatagramSocket>();
  readonly #bootstrap: CoapBootstrap;
  #closed = false;

  constructor(options: CoapBindingOptions) {
    this.#options = options;
    const { client, clock, random, log, transmission, limits, blockSize } = options;
    this.#bootstrap = new CoapBootstrap(options.bootstrap);
    this.#endpoint = createEndpoint({
      clock,
      random,
      log,
      send: (datagram, to) => {
        this.#openSockets.get(familyOf(to))?.send(datagram, to);
        if (client.usesQueueMode) this.#note("sent", to);
      },
      handler: this.#handler(),
      ...(transmission && { transmission }),
      limits: { ...limits, ...(blockSize !== undefined && { blockSize }) },
    });
  }

  /** The registration interface of one Server, to be given to the client. */
  connection(shortServerId: number, uri: ServerUri): ServerConnection {
    const registration = createCoapServerConnection(async () => {
      const peer = await this.#options.resolve(uri.host, uri.port);
      const transport = familyOf(peer);
      const { local } = await this.#openSocket(transport);
      this.#take(peer, shortServerId);
      const address = (await this.#options.sourceAddress?.(peer)) ?? local.address;
      return { send: this.#wayTo(peer, uri), local: { transport, address, port: local.port } };
    }, uri.path);
    return {
      ...registration,
      restoreObserver: (record) =>
        restoreCoapObserver(record, {
          endpoint: this.#endpoint,
          log: this.#options.log,
          isStill: (peer) => this.#servers.get(peer.key) === shortServerId,
        }),
    };
  }

  /** The bootstrap interface, to be given to the bootstrap. */
  bootstrapConnection(uri: ServerUri): BootstrapConnection {
    return this.#bootstrap.connection(async () => {
      const peer = await this.#options.resolve(uri.host, uri.port);
      await this.#openSocket(familyOf(peer));
      return { peer, send: this.#wayTo(peer, uri) };
    }, uri.path);
  }

  #wayTo(peer: Peer, { host }: ServerUri): SendRequest {
    const names = this.#options.sendsUriHost !== false && isName(host);
    return (request, options) =>
      this.#endpoint.request(peer, names ? { ...request, host } : request, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endpoint.close();
    const sockets = await Promise.allSettled(this.#sockets.values());
    await Promise.all(sockets.map((socket) => socket.status === "fulfilled" && socket.value.close()));
  }

  /** Requests from this address are those of this Server, and of no other: nothing else tells Servers apart. */
  #take(peer: Peer, shortServerId: number): void {
    for (const [key, holder] of this.#servers) if (holder === shortServerId) this.#servers.delete(key);
    const holder = this.#servers.get(peer.key);
    // A bootstrap may give the same Server another number: one whose account is gone holds nothing.
    if (holder !== undefined && this.#options.hasAccount?.(holder) !== false) {
      throw new TransportError(`${peer.key} is the address of Server ${holder} already`);
    }
    this.#servers.set(peer.key, shortServerId);
  }

  async #openSocket(family: AddressFamily): Promise<DatagramSocket> {
    if (this.#closed) throw new TransportError("the transport is closed");
    const { client } = this.#options;
    const opening =
      this.#sockets.get(family) ??
      this.#options.openSocket(family, {
        onDatagram: (datagram, from) => {
          if (client.usesQueueMode) this.#note("received", from);
          this.#endpoint.receive(datagram, from);
        },
        onError: (error) => this.#options.log.warn("network error", { reason: error.message }),
      });
    this.#sockets.set(family, opening);
    try {
      const socket = await opening;
      this.#openSockets.set(family, socket);
      return socket;
    } catch (error) {
      this.#sockets.delete(family);
      throw error;
    }
  }

  #handler(): RequestHandler {
    return {
      accepts: (peer) => this.#isBootstrapServer(peer) || this.#originOf(peer) !== undefined,
      handle: (request) => this.#serve(request),
      open: (head) => this.#open(head),
      relationEnded: (relation) => this.#options.client.endObservation(relation.key),
    };
  }

  #serve(request: IncomingRequest): Response | Promise<Response> {
    try {
      if (this.#isBootstrapServer(request.peer)) {
        return this.#bootstrap.serve(request).catch((error: unknown) => this.#refusal(request, error));
      }
      const origin = this.#knownOrigin(request.peer);
      const operation = operationOf(request);
      const reply =
        isObserved(operation) && request.observe?.kind === "register"
          ? this.#observe(origin, operation, request, request.observe.relation)
          : whenReady(this.#options.client.perform(origin, operation), responseOf);
      return reply instanceof Promise
        ? reply.catch((error: unknown) => this.#refusal(request, error))
        : reply;
    } catch (error) {
      return this.#refusal(request, error);
    }
  }

  async #observe(
    origin: Origin,
    operation: ObservedOperation,
    request: IncomingRequest,
    relation: Relation,
  ): Promise<Response> {
    const { client, log } = this.#options;
    const first = await client.observe(origin, operation, {
      parameters: request.query,
      observer: createCoapObserver(relation, request, log),
    });
    return { ...responseOf(first), observe: true };
  }

  /** A body that comes in blocks: streamed when the Resource takes it so, else collected and served as a whole. */
  async #open(head: IncomingHead): Promise<BodySink | Response | undefined> {
    if (this.#isBootstrapServer(head.peer)) return undefined;
    try {
      const origin = this.#knownOrigin(head.peer);
      const sink = await this.#options.client.receive(origin, operationOf(head), head.size);
      return sink && this.#bodySink(head, sink);
    } catch (error) {
      return this.#refusal(head, error);
    }
  }

  #bodySink(head: IncomingHead, sink: ValueSink): BodySink {
    return {
      write: (block) => sink.write(block),
      end: async () => {
        try {
          await sink.end();
          return { code: "2.04" };
        } catch (error) {
          return this.#refusal(head, error);
        }
      },
      abort: (reason) => sink.abort(reason),
    };
  }

  #refusal(request: IncomingHead | IncomingRequest, error: unknown): Response {
    const code = responseCodeOf(error);
    const fields = { method: request.method, path: `/${request.path.join("/")}`, code };
    if (code === "5.00") this.#options.log.error("operation failed", { ...fields, error });
    else this.#options.log.debug("operation refused", { ...fields, reason: (error as Error).message });
    return { code };
  }

  #isBootstrapServer(peer: Peer): boolean {
    return this.#bootstrap.speaksFrom(peer, this.#originOf(peer) !== undefined);
  }

  #note(direction: "sent" | "received", peer: Peer): void {
    const shortServerId = this.#servers.get(peer.key);
    if (shortServerId !== undefined) this.#options.client.traffic(shortServerId, direction);
  }

  /** Who speaks from there; undefined when we are not registered with a Server there. */
  #originOf(peer: Peer): Origin | undefined {
    const shortServerId = this.#servers.get(peer.key);
    return shortServerId === undefined ? undefined : this.#options.client.origin(shortServerId);
  }

  #knownOrigin(peer: Peer): Origin {
    const origin = this.#originOf(peer);
    if (origin === undefined) throw new RequestError("4.01", "not a Server of this client");
    return origin;
  }
}

/** RFC 7252 §6.4: a numeric address says nothing that the destination of the datagram does not. */
const isName = (host: string): boolean => !host.includes(":") && !/^[\d.]+$/.test(host);

const isObserved = (operation: Operation | CompositeOperation): operation is ObservedOperation =>
  operation.kind === "read" || operation.kind === "readComposite";
