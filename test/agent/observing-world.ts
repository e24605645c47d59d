import { CoapBinding } from "../../agent/binding/coap.js";
import { parseServerUri } from "../../agent/binding/server-uri.js";
import {
  decodeMessage,
  encodeEmpty,
  encodeMessage,
  type Message,
  type OutgoingMessage,
  type OutgoingOption,
} from "../../agent/coap/message.js";
import { decodeText, decodeUint, optionNumber, textOption, toHex } from "../../agent/coap/option.js";
import { Client } from "../../agent/lwm2m/client.js";
import { ObjectTree } from "../../agent/lwm2m/object-tree.js";
import type { LwM2mVersion } from "../../agent/lwm2m/operations.js";
import { RegistrationMemory } from "../../agent/lwm2m/registration-memory.js";
import type { RegistrationPolicy } from "../../agent/lwm2m/registration-policy.js";
import type { ObjectImplementation } from "../../agent/model/definition.js";
import { type DatagramHandlers, type Peer, TransportError } from "../../agent/ports.js";
import { createAccessControl } from "../../objects/access-control.js";
import { createAccessControlEntries, createAccounts } from "../../objects/accounts/accounts.js";
import {
  type AccessControlOptions,
  factoryContent,
  type ServerAccountOptions,
} from "../../objects/accounts/factory.js";
import { openAccountStore } from "../../objects/accounts/store.js";
import { Device } from "../../objects/device.js";
import { Portfolio } from "../../objects/portfolio.js";
import { createSecurity } from "../../objects/security.js";
import { createServerObject } from "../../objects/server.js";
import { createStoredObject } from "../../objects/stored-object.js";
import { createSimulatedClock, settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createSeededRandom } from "../simulated/random.js";
import { createMemoryStore, type MemoryStore } from "../simulated/store.js";

export interface ObservingWorldOptions {
  readonly version?: LwM2mVersion;
  readonly account?: Partial<ServerAccountOptions>;
  /** Who may do what, which there is only with a second Server: one that cannot be reached. */
  readonly accessControl?: readonly AccessControlOptions[];
  /** Beside Security, Server, Device and Portfolio. */
  readonly objects?: readonly ObjectImplementation[];
  readonly store?: MemoryStore;
  /** How the client registers. */
  readonly registration?: Partial<RegistrationPolicy>;
  /** Answers each request of the client in place of what a Server would say; undefined: silence. */
  readonly serve?: (request: Message, usual: OutgoingMessage) => OutgoingMessage | undefined;
}

/** A request of the Server. */
export interface ServerRequest {
  readonly method: keyof typeof methods;
  readonly path: string;
  readonly query?: readonly string[];
  /** 0 begins an observation, 1 ends it. */
  readonly observe?: number;
  /** The same for an observation and its end. */
  readonly token?: number;
  readonly contentFormat?: number;
  readonly accept?: number;
  /** Beyond those of `accept`, in ascending order. */
  readonly more?: readonly OutgoingOption[];
  readonly payload?: Uint8Array;
}

export interface ServerResponse {
  readonly code: string;
  readonly observe: number | undefined;
  readonly contentFormat: number | undefined;
  readonly payload: Uint8Array;
  readonly text: string;
}

/** A message of the client with the token of an observation, after the answer to the Observe. */
export interface Notification extends ServerResponse {
  /** Seconds since the world began. */
  readonly at: number;
  readonly token: number;
  readonly type: Message["type"];
  readonly messageId: number;
}

const peer = (address: string, port: number): Peer => ({ address, port, key: `${address}:${port}` });
const serverPeer = peer("192.0.2.1", 5683);
const clientPeer = peer("192.0.2.7", 40000);
const methods = { GET: 1, POST: 2, PUT: 3, DELETE: 4, FETCH: 5, iPATCH: 7 } as const;

/**
 * A client with the Objects of the agent and a Server at the other end of a line that can be cut: the Server speaks in raw
 * CoAP messages, acknowledges what is confirmable, and writes down every notification.
 */
export async function createObservingWorld(options: ObservingWorldOptions = {}) {
  const { version = "1.1", account, objects = [], store = createMemoryStore(), registration } = options;
  const { accessControl } = options;
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const tree = new ObjectTree();
  const accountStore = await openAccountStore({
    store,
    log,
    clock,
    factory: factoryContent({
      servers: [
        { uri: "coap://192.0.2.1", shortServerId: 1, lifetime: 86400, ...account },
        ...(accessControl ? [{ uri: "coap://192.0.2.2", shortServerId: 2, lifetime: 86400 }] : []),
      ],
      accessControl,
    }),
  });
  const accounts = createAccounts(accountStore);
  const device = await createStoredObject({ definition: Device, store, log });
  const portfolio = await createStoredObject({ definition: Portfolio, store, log, serversCreate: true });
  tree.add(createSecurity(accountStore));
  tree.add(
    createServerObject(accountStore, {
      disable: () => client.disable(1, clock.now()),
      updateTrigger: () => client.triggerUpdate(1),
      canBootstrap: () => false,
      bootstrapTrigger: () => undefined,
    }),
  );
  if (accessControl) tree.add(createAccessControl(accountStore));
  tree.add(device);
  tree.add(portfolio);
  for (const object of objects) tree.add(object);
  const client = new Client({
    endpointName: "board",
    version,
    binding: "U",
    ...registration,
    tree,
    accounts,
    ...(accessControl && { accessControl: createAccessControlEntries(accountStore) }),
    clock,
    log,
    store,
    registrationMemory: new RegistrationMemory({ store, log }),
  });

  let handlers: DatagramHandlers | undefined;
  let isCut = false;
  let isAcknowledging = true;
  let messageId = 0;
  const answers = new Map<number, ServerResponse>();
  const notifications: Notification[] = [];
  const requests: { code: number; path: string; contentFormat: number | undefined; payload: Uint8Array }[] =
    [];
  const toClient = (datagram: Uint8Array) =>
    queueMicrotask(() => {
      if (!isCut) handlers?.onDatagram(datagram, serverPeer);
    });

  /** What the Server makes of a message of the client. */
  const receive = (datagram: Uint8Array): void => {
    const message = decodeMessage(datagram);
    if (message.code === 0) return;
    if (message.code < 32) {
      answerRequest(message);
      return;
    }
    const response = responseOf(message);
    if (message.type === "ACK") {
      answers.set(message.messageId, response);
      return;
    }
    const { type, messageId: id } = message;
    const token = message.token[0] ?? 0;
    notifications.push({ ...response, at: clock.now() / 1000, token, type, messageId: id });
    if (type === "CON" && isAcknowledging) toClient(encodeEmpty("ACK", id));
  };
  const answerRequest = (request: Message): void => {
    const { code, messageId: id, token, options: given, payload } = request;
    const segments = given.filter(({ number }) => number === optionNumber.uriPath);
    const path = segments.map(({ value }) => decodeText(value)).join("/");
    requests.push({ code, path, contentFormat: optionOf(given, optionNumber.contentFormat), payload });
    const isRegister = path === "rd";
    const location = ["rd", "1"].map((segment) => textOption(optionNumber.locationPath, segment));
    const usual: OutgoingMessage = {
      type: "ACK",
      code: isRegister ? 0x41 : code === methods.DELETE ? 0x42 : 0x44,
      messageId: id,
      token,
      options: isRegister ? location : [],
      payload: new Uint8Array(),
    };
    const answer = options.serve === undefined ? usual : options.serve(request, usual);
    if (answer !== undefined) toClient(encodeMessage(answer));
  };

  const binding = new CoapBinding({
    client,
    openSocket: async (_family, given) => {
      handlers = given;
      return {
        local: clientPeer,
        send: (datagram) =>
          queueMicrotask(() => {
            if (!isCut) receive(datagram);
          }),
        close: async () => undefined,
      };
    },
    resolve: async (host) => {
      if (host !== serverPeer.address) throw new TransportError(`no way to ${host}`);
      return serverPeer;
    },
    clock,
    random: createSeededRandom(1),
    log,
  });
  const start = async () => {
    await tree.start();
    await client.start(({ shortServerId, uri }) => binding.connection(shortServerId, parseServerUri(uri)));
    await settle();
  };

  const ask = async (request: ServerRequest): Promise<ServerResponse> => {
    const { method, path, query = [], observe, token = 0x70, contentFormat, accept } = request;
    const { more = [], payload } = request;
    const id = ++messageId;
    const segments = path.split("/").filter((segment) => segment !== "");
    const numbers: (readonly [number, number | undefined])[] = [[optionNumber.observe, observe]];
    const uint = (number: number, value: number | undefined) =>
      value === undefined ? [] : [{ number, value }];
    toClient(
      encodeMessage({
        type: "CON",
        code: methods[method],
        messageId: id,
        token: Uint8Array.of(token),
        options: [
          ...numbers.flatMap(([number, value]) => uint(number, value)),
          ...segments.map((segment) => textOption(optionNumber.uriPath, segment)),
          ...uint(optionNumber.contentFormat, contentFormat),
          ...query.map((item) => textOption(optionNumber.uriQuery, item)),
          ...uint(optionNumber.accept, accept),
          ...more,
        ],
        payload: payload ?? new Uint8Array(),
      }),
    );
    await settle();
    const answer = answers.get(id);
    if (answer === undefined) throw new Error(`no answer to ${method} ${path}`);
    return answer;
  };

  return {
    clock,
    log,
    store,
    tree,
    client,
    binding,
    accounts,
    device,
    portfolio,
    start,
    ask,
    notifications,
    /** What the client asked of the Server. */
    requests,
    /** Seconds, and what was told then. */
    told: (token = 0x70): [at: number, text: string][] =>
      notifications.filter((one) => one.token === token).map(({ at, text }) => [at, text]),
    /** The Server refuses a notification. */
    reset: async ({ messageId: id }: Notification) => {
      toClient(encodeEmpty("RST", id));
      await settle();
    },
    /** Bytes from the Server. */
    receive: async (datagram: Uint8Array) => {
      toClient(datagram);
      await settle();
    },
    /** Nothing gets through any more; or again. */
    cut: (cut: boolean) => void (isCut = cut),
    /** The Server hears everything and confirms nothing; or does again. */
    acknowledge: (acknowledging: boolean) => void (isAcknowledging = acknowledging),
  };
}

export type ObservingWorld = Awaited<ReturnType<typeof createObservingWorld>>;

function responseOf({ code, options, payload }: Message): ServerResponse {
  return {
    code: `${code >> 5}.${String(code & 31).padStart(2, "0")}`,
    observe: optionOf(options, optionNumber.observe),
    contentFormat: optionOf(options, optionNumber.contentFormat),
    payload: payload.slice(),
    text: decodeText(payload) ?? toHex(payload),
  };
}

function optionOf(options: Message["options"], wanted: number): number | undefined {
  const option = options.find(({ number }) => number === wanted);
  return option && decodeUint(option.value);
}
