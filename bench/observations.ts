/**
 * 1,000 observations whose values change each second, notifications over loopback: the CPU that the agent's process spends.
 * The Server is this process.
 *
 * The bound is a fifth of a core: a notification is a read, a comparison, an encoding and a datagram, which is what a
 * request costs, and the agent answers more than 10,000 of those a second where it has a core to itself. Something that
 * looked at all observations with each change would spend far more, and so would a timer for each.
 */
import { createSocket } from "node:dgram";
import { CoapBinding } from "../agent/binding/coap.js";
import { parseServerUri } from "../agent/binding/server-uri.js";
import { Client } from "../agent/lwm2m/client.js";
import { ObjectTree } from "../agent/lwm2m/object-tree.js";
import { defineObject, type LiveObject, multipleInstances } from "../agent/model/definition.js";
import { createAccounts } from "../objects/accounts/accounts.js";
import { factoryContent } from "../objects/accounts/factory.js";
import { openAccountStore } from "../objects/accounts/store.js";
import { createSystemClock } from "../platform/clock.js";
import { createLog } from "../platform/log.js";
import { resolvePeer } from "../platform/net/resolve.js";
import { openUdpSocket } from "../platform/net/udp.js";
import { systemRandom } from "../platform/random.js";
import { keepHeapSmall } from "../platform/small-heap.js";
import { type Figure, startChild } from "./child.js";

const observations = 1000;
const secondsMeasured = 10;
const host = "127.0.0.1";
const largestShare = 0.2;

export async function benchObservations(): Promise<Figure[]> {
  const server = await createServer();
  const child = await startChild(import.meta.url, ["client", `${server.port}`]);
  try {
    await server.observeAll();
    await pause(2000);
    server.reset();
    child.send({});
    const before = (await child.next()) as { microseconds: number };
    await pause(secondsMeasured * 1000);
    child.send({});
    const after = (await child.next()) as { microseconds: number };
    const share = (after.microseconds - before.microseconds) / (secondsMeasured * 1e6);
    const rate = server.notifications() / secondsMeasured;
    return [
      {
        text: `${observations} observations with a change each second: ${Math.round(rate)} notifications/s, ${(share * 100).toFixed(1)} % of a core (at most ${largestShare * 100} %, and at least 950/s)`,
        holds: share <= largestShare && rate >= 950,
      },
    ];
  } finally {
    await child.stop();
    server.close();
  }
}

const pause = (duration: number) => new Promise((resolve) => setTimeout(resolve, duration));

/** Answers the Register, observes, and counts. */
async function createServer() {
  const socket = createSocket({ type: "udp4" });
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  let notifications = 0;
  const answered = new Set<number>();
  let clientPort = 0;
  socket.on("message", (message, { port }) => {
    const [first = 0, code = 0] = message;
    const tokenLength = first & 0xf;
    const type = (first >> 4) & 3;
    if (code === 0x02) {
      clientPort = port;
      const head = Buffer.from([0x60 | tokenLength, 0x41, message[2] ?? 0, message[3] ?? 0]);
      const token = message.subarray(4, 4 + tokenLength);
      socket.send(Buffer.concat([head, token, Buffer.from("\x82rd\x011", "latin1")]), port, host);
    } else if (type === 2 && code === 0x45) answered.add(message.readUInt16BE(2));
    else if (code === 0x45) {
      notifications++;
      // From time to time the client asks whether anybody is there.
      if (type === 0) socket.send(Buffer.from([0x60, 0, message[2] ?? 0, message[3] ?? 0]), port, host);
    }
  });
  return {
    port: socket.address().port,
    notifications: () => notifications,
    reset: () => {
      notifications = 0;
    },
    close: () => socket.close(),
    async observeAll(): Promise<void> {
      while (clientPort === 0) await pause(20);
      // Loopback drops what comes all at once: what got no answer is asked again, as a confirmable message is.
      for (let attempt = 0; attempt < 20 && answered.size < observations; attempt++) {
        for (let id = 0; id < observations; id++) {
          if (answered.has(id)) continue;
          socket.send(observeRequest(id), clientPort, host);
          if (id % 20 === 19) await pause(10);
        }
        await pause(500);
      }
      if (answered.size < observations) throw new Error(`only ${answered.size} observations were answered`);
    },
  };
}

/** GET /3303/{id}/5700 with Observe 0; Message ID and token are the instance. */
function observeRequest(id: number): Buffer {
  const head = Buffer.from([0x42, 0x01, id >> 8, id & 0xff, id >> 8, id & 0xff, 0x60]);
  const instance = Buffer.from(`${id}`);
  const path = [Buffer.from("\x543303", "latin1"), Buffer.from([instance.length]), instance];
  return Buffer.concat([head, ...path, Buffer.from("\x045700", "latin1")]);
}

// ---- The client, in a process of its own -----------------------------------------------------------------------

const Temperature = defineObject({
  id: 3303,
  name: "Temperature",
  version: "1.0",
  instances: "multiple",
  resources: { sensorValue: { id: 5700, operations: "R", type: "float", mandatory: true } },
});

async function runClient(port: number): Promise<void> {
  keepHeapSmall(); // as the command line does
  const [clock, log] = [createSystemClock(), createLog({ level: "error", pretty: false })];
  let round = 0;
  let live: LiveObject<typeof Temperature> | undefined;
  const tree = new ObjectTree();
  tree.add(
    multipleInstances(Temperature, {
      instances: new Map(
        Array.from({ length: observations }, (_, id) => [
          id,
          { sensorValue: { read: () => round + id / observations } },
        ]),
      ),
      start: (object) => {
        live = object;
      },
    }),
  );
  const nowhere = {
    read: async () => undefined,
    write: async () => undefined,
    remove: async () => undefined,
  };
  const uri = `coap://${host}:${port}`;
  const factory = factoryContent({ servers: [{ uri, shortServerId: 1, lifetime: 86400 }] });
  const accounts = createAccounts(await openAccountStore({ store: nowhere, log, clock, factory }));
  const client = new Client({
    ...{ endpointName: "measured", version: "1.1", binding: "U", tree, accounts, clock, log },
    store: nowhere,
  });
  const binding = new CoapBinding({
    ...{ client, clock, log, random: systemRandom, resolve: resolvePeer },
    openSocket: (family, handlers) => openUdpSocket({ family }, handlers),
    limits: { relationsPerPeer: observations },
  });
  await tree.start();
  await client.start((account) => binding.connection(account.shortServerId, parseServerUri(account.uri)));
  setInterval(() => {
    round++;
    for (let id = 0; id < observations; id++) live?.changed(id, "sensorValue");
  }, 1000);
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ microseconds: user + system });
  });
  process.send?.({});
}

const [, , role, port] = process.argv;
if (role === "client") await runClient(Number(port));
