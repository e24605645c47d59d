import { describe, expect, test } from "vitest";
import { type AddressFamily, CoapBinding, type CoapSettings } from "../../../agent/binding/coap.js";
import { parseServerUri } from "../../../agent/binding/server-uri.js";
import { decodeMessage } from "../../../agent/coap/message.js";
import { decodeText, optionNumber } from "../../../agent/coap/option.js";
import { Client } from "../../../agent/lwm2m/client.js";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import { ConfigError } from "../../../agent/model/errors.js";
import { type DatagramSocket, type Peer, TransportError } from "../../../agent/ports.js";
import { createSimulatedAccounts } from "../../simulated/accounts.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { optionOf } from "../coap/scripted-peer.js";

const register = {
  endpointName: "board",
  lifetime: 300,
  version: "1.1",
  binding: "U",
  queueMode: false,
  objects: "</3/0>",
} as const;
const options = { signal: new AbortController().signal };
const accepted = { kind: "accepted", location: ["7"] };
const location7 = [0x81, 0x37];

/** A binding on sockets that note what they are told; a Server answers each request with 2.01. */
function createWorld(options: { locationPath?: readonly number[]; settings?: CoapSettings } = {}) {
  const { locationPath = location7, settings } = options;
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const opened: AddressFamily[] = [];
  const closed: AddressFamily[] = [];
  const sentTo: string[] = [];
  const sent: Uint8Array[] = [];
  /** Names and where they lead. */
  const names = new Map<string, string>();
  let openSocket: () => Promise<void> = async () => undefined;
  let resolve = async (host: string, port: number): Promise<Peer> => {
    const address = names.get(host) ?? host;
    return { address, port, key: `${address}:${port}` };
  };
  const client = new Client({
    endpointName: "board",
    version: "1.1",
    binding: "U",
    tree: new ObjectTree(),
    accounts: createSimulatedAccounts([]),
    clock,
    log,
  });
  const binding = new CoapBinding({
    ...settings,
    client,
    clock,
    random: createSeededRandom(1),
    log,
    resolve: (host, port) => resolve(host, port),
    openSocket: async (family, { onDatagram }): Promise<DatagramSocket> => {
      opened.push(family);
      await openSocket();
      return {
        local: { address: "192.0.2.7", port: 40000 },
        send: (datagram, to) => {
          sentTo.push(to.key);
          sent.push(datagram);
          const [first = 0, , ...rest] = datagram;
          const tokenLength = first & 0x0f;
          const answer = [0x60 | tokenLength, 0x41, ...rest.slice(0, 2 + tokenLength), ...locationPath];
          queueMicrotask(() => onDatagram(Uint8Array.from(answer), to));
        },
        close: async () => void closed.push(family),
      };
    },
  });
  const connect = (shortServerId: number, uri: string) =>
    binding.connection(shortServerId, parseServerUri(uri));
  return {
    binding,
    connect,
    names,
    opened,
    closed,
    sentTo,
    sent,
    onOpen: (open: typeof openSocket) => void (openSocket = open),
    onResolve: (find: typeof resolve) => void (resolve = find),
  };
}

describe("sockets", () => {
  test("of one family are opened once, however many Servers are registered with at a time", async () => {
    const { binding, connect, opened, closed } = createWorld();
    const answers = await Promise.all([
      connect(1, "coap://192.0.2.1").register(register, options),
      connect(2, "coap://192.0.2.2").register(register, options),
      connect(3, "coap://[2001:db8::3]").register(register, options),
    ]);
    expect(answers).toEqual([accepted, accepted, accepted]);
    expect(opened).toEqual(["udp4", "udp6"]);
    await binding.close();
    expect(closed).toEqual(["udp4", "udp6"]);
  });

  test("that cannot be opened are tried again with the next Register", async () => {
    const { connect, onOpen, opened } = createWorld();
    const connection = connect(1, "coap://192.0.2.1");
    onOpen(() => Promise.reject(new TransportError("no network")));
    expect(await connection.register(register, options)).toEqual({
      kind: "failed",
      failure: { reason: "no network" },
    });
    onOpen(async () => undefined);
    expect(await connection.register(register, options)).toEqual(accepted);
    expect(opened).toHaveLength(2);
  });

  test("are not opened any more after the end, even for a Server whose name was being looked up", async () => {
    const { binding, connect, onResolve, opened } = createWorld();
    let found: (peer: Peer) => void = () => undefined;
    onResolve(() => new Promise((resolve) => (found = resolve)));
    const answer = connect(1, "coap://server.example").register(register, options);
    await settle();
    await binding.close();
    found({ address: "192.0.2.1", port: 5683, key: "192.0.2.1:5683" });
    expect((await answer).kind).toBe("failed");
    expect(opened).toEqual([]);
  });
});

describe("a request", () => {
  const uriHostOf = (datagram: Uint8Array | undefined) => {
    const value = datagram && optionOf(decodeMessage(datagram), optionNumber.uriHost);
    return value && decodeText(value);
  };

  test.each([
    ["coap://server.example:5683", "server.example"],
    ["coap://192.0.2.1", undefined],
    ["coap://[2001:db8::3]", undefined],
  ])("to %s has the Uri-Host %s", async (uri, host) => {
    const { connect, sent, names } = createWorld();
    names.set("server.example", "192.0.2.1");
    await connect(1, uri).register(register, options);
    expect(uriHostOf(sent[0])).toBe(host);
  });

  test("has no Uri-Host when it is not to have one, and comes in blocks as small as they are to be", async () => {
    const settings = { sendsUriHost: false, blockSize: 16 };
    const { connect, sent } = createWorld({ settings });
    await connect(1, "coap://server.example").register(
      { ...register, objects: "</3/0>,</5/0>,</1/0>" },
      options,
    );
    expect(uriHostOf(sent[0])).toBeUndefined();
    expect(sent[0] && decodeMessage(sent[0]).payload).toHaveLength(16);
  });
});

describe("a Server", () => {
  test("that moved is found by the next Register, while an Update stays with the registration", async () => {
    const { connect, names, sentTo } = createWorld();
    const connection = connect(1, "coap://server.example");
    names.set("server.example", "192.0.2.1");
    await connection.register(register, options);
    names.set("server.example", "192.0.2.2");
    await connection.update(["rd"], {}, options);
    await connection.register(register, options);
    await connection.deregister(["rd"], options);
    expect(sentTo).toEqual(["192.0.2.1:5683", "192.0.2.1:5683", "192.0.2.2:5683", "192.0.2.2:5683"]);
  });

  test("cannot have the address of another: nothing would tell their requests apart", async () => {
    const { connect, sentTo } = createWorld();
    await connect(1, "coap://192.0.2.1").register(register, options);
    expect(await connect(2, "coap://192.0.2.1:5683").register(register, options)).toEqual({
      kind: "failed",
      failure: { reason: "192.0.2.1:5683 is the address of Server 1 already" },
    });
    expect(sentTo).toHaveLength(1);
  });

  test("that does not say where the registration is has not registered us", async () => {
    const { connect } = createWorld({ locationPath: [] });
    expect((await connect(1, "coap://192.0.2.1").register(register, options)).kind).toBe("failed");
  });
});

describe("the address of a Server", () => {
  test.each([
    { uri: "coap://server.example", host: "server.example", port: 5683, path: [] },
    { uri: "coap://192.0.2.1:5693/", host: "192.0.2.1", port: 5693, path: [] },
    { uri: "coap://[2001:DB8:0::1]:1234", host: "2001:db8::1", port: 1234, path: [] },
    { uri: "coap://server.example/a/b%2Fc/", host: "server.example", port: 5683, path: ["a", "b/c"] },
  ])("$uri", ({ uri, ...parts }) => {
    expect(parseServerUri(uri)).toEqual(parts);
  });

  test.each([
    "server.example",
    "coaps://server.example",
    "coap:",
    "coap://:5683",
    "coap://server.example:0",
    "coap://server.example:65536",
    "coap://user@server.example",
    "coap://:password@server.example",
    "coap://server.example?a=b",
    "coap://server.example/#a",
    "coap://server.example/%zz",
    "coap://server.example/%ff",
  ])("%s is refused with a word to the operator", (uri) => {
    expect(() => parseServerUri(uri)).toThrow(ConfigError);
  });
});
