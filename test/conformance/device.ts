import { CoapBinding } from "../../agent/binding/coap.js";
import { parseServerUri } from "../../agent/binding/server-uri.js";
import { createEndpoint, type Endpoint } from "../../agent/coap/endpoint.js";
import type {
  IncomingRequest,
  IncomingResponse,
  Request,
  Response,
} from "../../agent/coap/exchange-types.js";
import { Client } from "../../agent/lwm2m/client.js";
import { ObjectTree } from "../../agent/lwm2m/object-tree.js";
import type { LwM2mVersion } from "../../agent/lwm2m/operations.js";
import type { RegistrationPolicy } from "../../agent/lwm2m/registration-policy.js";
import { type DatagramHandlers, type Peer, seconds } from "../../agent/ports.js";
import { createAccessControl } from "../../objects/access-control.js";
import { createAccessControlEntries, createAccounts } from "../../objects/accounts/accounts.js";
import {
  type AccessControlOptions,
  factoryContent,
  type ServerAccountOptions,
} from "../../objects/accounts/factory.js";
import { openAccountStore } from "../../objects/accounts/store.js";
import { createDevice } from "../../objects/device.js";
import { Portfolio } from "../../objects/portfolio.js";
import { createSecurity } from "../../objects/security.js";
import { createServerObject } from "../../objects/server.js";
import { createStoredObject } from "../../objects/stored-object.js";
import { createSimulatedClock, settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createSeededRandom } from "../simulated/random.js";
import { createMemoryStore } from "../simulated/store.js";

/** Account 1 of the configurations C1 and C3 of the test specification. */
const firstServer: ServerAccountOptions = {
  uri: "coap://192.0.2.1",
  shortServerId: 1,
  lifetime: 86400,
  defaultMinimumPeriod: 1,
  defaultMaximumPeriod: 10,
  disableTimeout: 86400,
  notificationStoring: false,
};

export interface DeviceUnderTestOptions {
  readonly version?: LwM2mVersion;
  /** Server n is at 192.0.2.n; one when absent. */
  readonly serverCount?: number;
  readonly accessControl?: readonly AccessControlOptions[];
  /** Of every account, beside C3. */
  readonly account?: Partial<ServerAccountOptions>;
  /** How the client registers. */
  readonly registration?: Partial<RegistrationPolicy>;
  /** What Server n answers to a Register, Update or De-register; undefined: what accepts it. */
  readonly onRegistration?: (request: IncomingRequest, server: number) => Response | undefined;
}

const peer = (address: string, port: number): Peer => ({ address, port, key: `${address}:${port}` });
const device = peer("192.0.2.100", 40000);

/**
 * A device with our own Objects as the test specification configures it (C6: everything that Object 3 may have; C12:
 * Portfolio with four identities), registered with test Servers over a simulated line.
 */
export async function createDeviceUnderTest(options: DeviceUnderTestOptions = {}) {
  const { version = "1.1", serverCount = 1, accessControl, account, registration, onRegistration } = options;
  const clock = createSimulatedClock(new Date(0x5182428f * 1000)); // the time in the examples of the specification
  const log = createRecordingLog();
  const store = createMemoryStore();
  const servers = Array.from({ length: serverCount }, (_, index) => ({
    ...firstServer,
    ...account,
    shortServerId: index + 1,
    uri: `coap://192.0.2.${index + 1}`,
  }));
  const accountStore = await openAccountStore({
    store,
    log,
    clock,
    factory: factoryContent({ servers, accessControl }),
  });
  const accounts = createAccounts(accountStore);
  const portfolio = await createStoredObject({ definition: Portfolio, store, log, serversCreate: true });
  portfolio.createInstance(0, { 0: new Map(["ID 1", "Maker", "Model", "1.0"].entries()) });
  const restarts = { count: 0 };
  const tree = new ObjectTree();
  const objects = [
    createSecurity(accountStore),
    createServerObject(accountStore, {
      disable: (shortServerId) =>
        client.disable(
          shortServerId,
          seconds(accounts.server(shortServerId)?.settings().disableTimeoutSeconds ?? 0),
        ),
      updateTrigger: (shortServerId) => client.triggerUpdate(shortServerId),
      canBootstrap: () => false,
      bootstrapTrigger: () => undefined,
    }),
    createAccessControl(accountStore),
    createDevice({
      clock,
      log,
      store,
      describe: () => ({
        manufacturer: "Open Mobile Alliance",
        modelNumber: "Lightweight M2M Client",
        serialNumber: "345000123",
        firmwareVersion: "1.0",
        hardwareVersion: "",
      }),
      onReboot: () => void restarts.count++,
      supportedBinding: "U",
      power: () => ({
        sources: [
          { kind: "internalBattery", millivolts: 3800, milliamps: 125 },
          { kind: "usb", millivolts: 5000, milliamps: 900 },
        ],
        batteryLevel: 100,
      }),
      memory: () => ({ free: 15, total: 32 }),
      place: () => ({ utcOffset: "+02:00" }),
    }),
    portfolio,
  ];
  for (const object of objects) tree.add(object);
  const client = new Client({
    endpointName: "device",
    version,
    binding: "U",
    ...registration,
    tree,
    accounts,
    accessControl: createAccessControlEntries(accountStore),
    clock,
    log,
  });
  const line = createLine();
  const random = createSeededRandom(1);
  const binding = new CoapBinding({
    client,
    openSocket: async (_family, handlers) => line.plugIn(handlers),
    resolve: async (address, port) => peer(address, port),
    clock,
    random,
    log,
  });
  const testServers = servers.map((_, index) => createTestServer(index + 1));
  await tree.start();
  await client.start(({ shortServerId, uri }) => binding.connection(shortServerId, parseServerUri(uri)));
  await settle();

  function createTestServer(number: number) {
    const received: IncomingRequest[] = [];
    const self = peer(`192.0.2.${number}`, 5683);
    const endpoint = createEndpoint({
      clock,
      random: createSeededRandom(100 + number),
      log,
      send: (datagram) => line.toDevice(datagram, self),
      handler: {
        accepts: () => true,
        handle: (request) => {
          received.push(request);
          const answer = onRegistration?.(request, number);
          if (answer !== undefined) return answer;
          if (request.method === "DELETE") return { code: "2.02" };
          const isRegister = request.path.length === 1;
          return isRegister ? { code: "2.01", location: ["rd", `${number}`] } : { code: "2.04" };
        },
      },
    });
    line.connect(self, endpoint);
    return testServer(endpoint, received);
  }

  return {
    clock,
    log,
    tree,
    client,
    accounts,
    restarts,
    servers: testServers,
    server: testServers[0] as TestServer,
  };
}

/** Datagrams arrive, in order, after what is going on. */
function createLine() {
  const endpoints = new Map<string, Endpoint>();
  let handlers: DatagramHandlers | undefined;
  return {
    connect: (at: Peer, endpoint: Endpoint) => void endpoints.set(at.key, endpoint),
    toDevice: (datagram: Uint8Array, from: Peer) =>
      queueMicrotask(() => handlers?.onDatagram(datagram, from)),
    plugIn(given: DatagramHandlers) {
      handlers = given;
      return {
        local: device,
        send: (datagram: Uint8Array, to: Peer) =>
          queueMicrotask(() => endpoints.get(to.key)?.receive(datagram, device)),
        close: async () => undefined,
      };
    },
  };
}

/** What is asked beside method and path. */
type Rest = Omit<Request, "method" | "path">;

export type TestServer = ReturnType<typeof testServer>;

/** The other end: it asks, and keeps what the device sends by itself. */
function testServer(endpoint: Endpoint, received: IncomingRequest[]) {
  const ask =
    (method: Request["method"]) =>
    async (uri: string, rest: Rest = {}): Promise<IncomingResponse> => {
      const answer = endpoint.request(device, { method, path: uri.split("/").slice(1), ...rest });
      await settle();
      return answer;
    };
  const get = ask("GET");
  return {
    /** Register, Update, De-register, in the order they came. */
    received,
    ask: (method: Request["method"], uri: string, rest?: Rest) => ask(method)(uri, rest),
    get,
    put: ask("PUT"),
    post: ask("POST"),
    delete: ask("DELETE"),
    fetch: (rest: Rest) => ask("FETCH")("", rest),
    ipatch: (rest: Rest) => ask("iPATCH")("", rest),
    /** One value, as text. */
    read: async (uri: string): Promise<string> => text((await get(uri, { accept: formats.text })).payload),
    /** The links of a Discover. */
    discover: async (uri: string, query: readonly string[] = []): Promise<string[]> =>
      text((await get(uri, { accept: formats.linkFormat, query })).payload).split(","),
  };
}

export const formats = {
  text: 0,
  linkFormat: 40,
  opaque: 42,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  tlv: 11542,
  json: 11543,
} as const;

export const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);
export const hex = (payload: Uint8Array): string => Buffer.from(payload).toString("hex");
/** Spaces are for the reader. */
export const fromHex = (digits: string): Uint8Array =>
  Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"));
