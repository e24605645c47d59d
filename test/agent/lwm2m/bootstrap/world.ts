import { CoapBinding } from "../../../../agent/binding/coap.js";
import { parseServerUri } from "../../../../agent/binding/server-uri.js";
import { createEndpoint, type Endpoint } from "../../../../agent/coap/endpoint.js";
import type {
  IncomingRequest,
  IncomingResponse,
  Request,
  Response,
} from "../../../../agent/coap/exchange-types.js";
import { payloadCodec } from "../../../../agent/codec/payload.js";
import { Bootstrap } from "../../../../agent/lwm2m/bootstrap/bootstrap.js";
import { performDeletions } from "../../../../agent/lwm2m/bootstrap/deletions.js";
import { Client } from "../../../../agent/lwm2m/client.js";
import { ObjectTree } from "../../../../agent/lwm2m/object-tree.js";
import type { LwM2mVersion } from "../../../../agent/lwm2m/operations.js";
import {
  type AnyHandlers,
  defineObject,
  multipleInstances,
  type ObjectImplementation,
} from "../../../../agent/model/definition.js";
import type { Path } from "../../../../agent/model/path.js";
import type { ObjectContent, ResourceContent } from "../../../../agent/model/value.js";
import { type DatagramHandlers, type Peer, type Store, seconds } from "../../../../agent/ports.js";
import { createAccessControl } from "../../../../objects/access-control.js";
import { createAccounts } from "../../../../objects/accounts/accounts.js";
import { type FactoryAccounts, factoryContent } from "../../../../objects/accounts/factory.js";
import { openAccountStore } from "../../../../objects/accounts/store.js";
import { createAccountTransactions } from "../../../../objects/accounts/transaction.js";
import { createDevice } from "../../../../objects/device.js";
import { createOscore } from "../../../../objects/oscore.js";
import { createSecurity } from "../../../../objects/security.js";
import { createServerObject } from "../../../../objects/server.js";
import { createFailableStore } from "../../../objects/doubles.js";
import { createSimulatedClock, settle } from "../../../simulated/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { createSeededRandom } from "../../../simulated/random.js";

const peer = (address: string, port: number): Peer => ({ address, port, key: `${address}:${port}` });
export const bootstrapPeer = peer("192.0.2.5", 5783);
export const serverPeer = peer("192.0.2.1", 5683);
export const clientPeer = peer("192.0.2.7", 40000);

/** Portfolio without its executable: an Object whose instances the Bootstrap-Server may create and delete. */
export const Folder = defineObject({
  id: 16,
  name: "Portfolio",
  version: "1.0",
  instances: "multiple",
  resources: {
    identity: { id: 0, operations: "RW", type: "string", multiple: true, mandatory: true },
    authStatus: { id: 3, operations: "R", type: "integer" },
  },
});

export interface BootstrapWorldOptions {
  readonly factory?: FactoryAccounts;
  readonly version?: LwM2mVersion;
  readonly store?: Store;
  readonly oscore?: boolean;
  readonly objects?: readonly ObjectImplementation[];
  /** What Servers answer to a request of the client. */
  readonly serve?: (request: IncomingRequest) => Response;
  /** What the Bootstrap-Server answers to a request of the client. */
  readonly answer?: (request: IncomingRequest) => Response;
}

/** A Bootstrap-Server that takes every Bootstrap-Request and knows no packs. */
export const acceptsRequests = ({ path }: IncomingRequest): Response =>
  path[0] === "bs" ? { code: "2.04" } : { code: "4.04" };

/** A Server that takes every registration. */
export const acceptsRegistrations = ({ path, method }: IncomingRequest): Response => {
  if (method === "POST" && path.length === 1) return { code: "2.01", location: ["rd", "1"] };
  return { code: method === "DELETE" ? "2.02" : "2.04" };
};

/** A client with a Bootstrap-Server at the other end of a line without loss, both on the simulated clock. */
export async function createBootstrapWorld({
  factory = { bootstrapServer: { uri: "coap://bootstrap.example:5783" } },
  version = "1.1",
  store = createFailableStore(),
  oscore = false,
  objects = [createFolder()],
  answer = acceptsRequests,
  serve = acceptsRegistrations,
}: BootstrapWorldOptions = {}) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const tree = new ObjectTree();
  const accountStore = await openAccountStore({ store, log, clock, factory: factoryContent(factory) });
  const accounts = createAccounts(accountStore);
  const device = createDevice({
    clock,
    log,
    store,
    describe: () => ({
      manufacturer: "Acme",
      modelNumber: "M1",
      serialNumber: "1",
      hardwareVersion: "",
      firmwareVersion: "1.0",
    }),
    onReboot: () => undefined,
    onFactoryReset: () => undefined,
    supportedBinding: "U",
  });
  const serverObject = createServerObject(accountStore, {
    disable: () => undefined,
    updateTrigger: () => undefined,
    canBootstrap: () => bootstrap.available,
    bootstrapTrigger: () => client.triggerBootstrap(),
  });
  for (const object of [
    createSecurity(accountStore),
    serverObject,
    createAccessControl(accountStore),
    device,
    createOscore(accountStore),
    ...objects,
  ]) {
    tree.add(object);
  }
  const accountTransactions = createAccountTransactions(accountStore, clock, {
    unsupported: (uri, mode) =>
      uri.startsWith("coap://") && mode === 3 ? undefined : `no way to ${uri} with mode ${mode}`,
    oscore,
  });
  const bootstrap = new Bootstrap({
    endpointName: "board",
    version,
    tree,
    accounts,
    accountTransactions,
    connect: ({ uri }) => binding.bootstrapConnection(parseServerUri(uri)),
    clock,
    random: createSeededRandom(3),
    log,
  });
  const client = new Client({
    endpointName: "board",
    version: "1.1",
    binding: "U",
    tree,
    accounts,
    clock,
    log,
  });
  let handlers: DatagramHandlers | undefined;
  const requests: IncomingRequest[] = [];
  const sent: Uint8Array[] = [];
  const endpointAt = (from: Peer, onRequest: (request: IncomingRequest) => Response): Endpoint =>
    createEndpoint({
      clock,
      random: createSeededRandom(from.port),
      log,
      send: (datagram) => queueMicrotask(() => handlers?.onDatagram(datagram, from)),
      handler: {
        accepts: () => true,
        handle: (request) => {
          requests.push(request);
          return onRequest(request);
        },
      },
    });
  const bootstrapServer = endpointAt(bootstrapPeer, (request) => answer(request));
  const server = endpointAt(serverPeer, (request) => serve(request));
  const binding = new CoapBinding({
    client,
    bootstrap,
    hasAccount: (shortServerId) => accounts.server(shortServerId) !== undefined,
    openSocket: async (_family, given) => {
      handlers = given;
      return {
        local: clientPeer,
        send: (datagram, to) => {
          sent.push(datagram);
          const at = to.key === bootstrapPeer.key ? bootstrapServer : server;
          queueMicrotask(() => at.receive(datagram, clientPeer));
        },
        close: async () => undefined,
      };
    },
    resolve: async (host) => (host === "bootstrap.example" ? bootstrapPeer : serverPeer),
    clock,
    random: createSeededRandom(1),
    log,
  });
  await tree.start();
  await performDeletions(tree, accountTransactions, log);
  const stopping = new AbortController();
  const ask = async (request: Request): Promise<IncomingResponse> => {
    const response = bootstrapServer.request(clientPeer, request);
    await settle();
    return response;
  };
  return {
    clock,
    log,
    tree,
    store,
    accounts,
    accountStore,
    bootstrap,
    client,
    binding,
    stopping,
    /** What the client asked of either server, as it came. */
    requests,
    /** Every datagram that the client sent. */
    sent,
    /** A request of the Bootstrap-Server, with its answer. */
    ask,
    /** The client as it is from the start: it registers, and bootstraps when it has to. */
    async switchOn(): Promise<void> {
      await client.start(
        ({ shortServerId, uri }) => binding.connection(shortServerId, parseServerUri(uri)),
        bootstrap,
      );
      await clock.advance(seconds(0));
    },
    /** A request of the Server, with its answer. */
    async askAsServer(request: Request): Promise<IncomingResponse> {
      const response = server.request(clientPeer, request);
      await settle();
      return response;
    },
    /** Begins a bootstrap, and lets the Bootstrap-Request through. */
    async start(): Promise<{ outcome: Promise<"done" | "failed"> }> {
      const outcome = bootstrap.run(stopping.signal);
      await clock.advance(seconds(0));
      return { outcome };
    },
    /** Bytes from somewhere, as the socket would bring them. */
    async receive(datagram: Uint8Array, from: Peer): Promise<void> {
      handlers?.onDatagram(datagram, from);
      await settle();
    },
    /** A Bootstrap-Write in TLV. */
    async write(path: Path, content: ObjectContent): Promise<string> {
      const definition = tree.definition(path[0]);
      const tlv = payloadCodec(11542);
      if (definition === undefined || tlv === undefined) throw new Error("there is no such Object");
      const payload = tlv.encode(definition, path, content);
      return (await ask({ method: "PUT", path: path.map(String), contentFormat: 11542, payload })).code;
    },
    async read(path: Path): Promise<ObjectContent> {
      const definition = tree.definition(path[0]);
      const { code, payload } = await ask({ method: "GET", path: path.map(String), accept: 11542 });
      if (code !== "2.05" || definition === undefined) throw new Error(`Read answered ${code}`);
      return payloadCodec(11542)?.decode(definition, path, payload) ?? new Map();
    },
    delete: async (...path: readonly number[]) =>
      (await ask({ method: "DELETE", path: path.map(String) })).code,
    async discover(...path: readonly number[]): Promise<string> {
      const { payload } = await ask({ method: "GET", path: path.map(String), accept: 40 });
      return new TextDecoder().decode(payload);
    },
    finish: async () => (await ask({ method: "POST", path: ["bs"] })).code,
  };
}

export type BootstrapWorld = Awaited<ReturnType<typeof createBootstrapWorld>>;

export const instance = (...resources: readonly (readonly [number, ResourceContent])[]) => new Map(resources);

const none = new Uint8Array();

/** What a Bootstrap-Server writes to /0 for a Server without keys. */
export const securityOf = (shortServerId: number, uri = "coap://server.example") =>
  instance([0, uri], [1, false], [2, 3], [3, none], [4, none], [5, none], [10, shortServerId]);

/** What it writes to /1. */
export const serverOf = (shortServerId: number, lifetime = 86400) =>
  instance([0, shortServerId], [1, lifetime], [6, false], [7, "U"]);

/** Writes one Server account and finishes, as most Bootstrap-Servers do. */
export async function provision(world: BootstrapWorld, shortServerId = 101): Promise<string[]> {
  return [
    await world.write([0], new Map([[1, securityOf(shortServerId)]])),
    await world.write([1], new Map([[0, serverOf(shortServerId)]])),
    await world.finish(),
  ];
}

/** Folders that live in memory. */
export function createFolder(
  folders = new Map<number, ReadonlyMap<number, string>>(),
): ObjectImplementation & { readonly folders: Map<number, ReadonlyMap<number, string>> } {
  const handlersOf = (id: number) => ({
    identity: {
      read: () => folders.get(id) ?? new Map(),
      write: (value: ReadonlyMap<number, string>) => void folders.set(id, value),
    },
  });
  const object = multipleInstances(Folder, {
    instances: new Map([...folders.keys()].map((id) => [id, handlersOf(id)])),
    create: (id, { identity = new Map() }) => {
      folders.set(id, identity);
      return handlersOf(id);
    },
    delete: (id) => void folders.delete(id),
  });
  return { ...object, instances: object.instances as ReadonlyMap<number, AnyHandlers>, folders };
}
