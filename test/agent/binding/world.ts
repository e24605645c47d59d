import { CoapBinding } from "../../../agent/binding/coap.js";
import { parseServerUri } from "../../../agent/binding/server-uri.js";
import { createEndpoint, type Endpoint } from "../../../agent/coap/endpoint.js";
import type {
  IncomingRequest,
  IncomingResponse,
  Request,
  Response,
} from "../../../agent/coap/exchange-types.js";
import { Client } from "../../../agent/lwm2m/client.js";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import type { LwM2mVersion } from "../../../agent/lwm2m/operations.js";
import type { ObjectImplementation } from "../../../agent/model/definition.js";
import type { DatagramHandlers, Peer } from "../../../agent/ports.js";
import { createSimulatedAccounts } from "../../simulated/accounts.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";

const peer = (address: string, port: number): Peer => ({ address, port, key: `${address}:${port}` });
export const serverPeer = peer("192.0.2.1", 5683);
export const clientPeer = peer("192.0.2.7", 40000);
export const strangerPeer = peer("192.0.2.66", 5683);

/**
 * A client with the given Objects, registered with a Server at the other end of a line without loss, both on the
 * simulated clock. The Server is a bare CoAP endpoint that answers what `onRequest` says.
 */
export async function createWorld(
  objects: readonly ObjectImplementation[],
  onRequest: (request: IncomingRequest) => Response = answerRegistration,
  version: LwM2mVersion = "1.1",
) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const tree = new ObjectTree();
  for (const object of objects) tree.add(object);
  const accounts = createSimulatedAccounts();
  const client = new Client({
    endpointName: "board",
    version,
    binding: "U",
    tree,
    accounts,
    clock,
    log,
  });
  let handlers: DatagramHandlers | undefined;
  const server: Endpoint = createEndpoint({
    clock,
    random: createSeededRandom(2),
    log,
    send: (datagram) => queueMicrotask(() => handlers?.onDatagram(datagram, serverPeer)),
    handler: {
      accepts: () => true,
      handle: (request) => {
        received.push(request);
        return onRequest(request);
      },
    },
  });
  const received: IncomingRequest[] = [];
  const observed: (datagram: Uint8Array) => void = (datagram) => void sent.push(datagram);
  const sent: Uint8Array[] = [];
  const binding = new CoapBinding({
    client,
    openSocket: async (_family, given) => {
      handlers = given;
      return {
        local: clientPeer,
        send: (datagram) => {
          observed(datagram);
          queueMicrotask(() => server.receive(datagram, clientPeer));
        },
        close: async () => undefined,
      };
    },
    resolve: async () => serverPeer,
    clock,
    random: createSeededRandom(1),
    log,
  });
  await tree.start();
  await client.start(({ shortServerId, uri }) => binding.connection(shortServerId, parseServerUri(uri)));
  await settle();
  return {
    clock,
    log,
    tree,
    client,
    binding,
    /** Of the Server, as it may write them. */
    settings: accounts.settings(1),
    /** What the Server received. */
    received,
    /** Every datagram that the client sent. */
    sent,
    /** A request of the Server, with its answer. */
    async ask(request: Request): Promise<IncomingResponse> {
      const answer = server.request(clientPeer, request);
      await settle();
      return answer;
    },
    /** Bytes from somewhere, as the socket would bring them. */
    async receive(datagram: Uint8Array, from: Peer): Promise<void> {
      handlers?.onDatagram(datagram, from);
      await settle();
    },
  };
}

export const answerRegistration = (request: IncomingRequest): Response =>
  request.method === "POST" && request.path[0] === "rd" && request.path.length === 1
    ? { code: "2.01", location: ["rd", "5a3f"] }
    : { code: request.method === "DELETE" ? "2.02" : "2.04" };

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);
