import { afterEach, beforeEach, expect, test } from "vitest";
import { createEndpoint, type Endpoint } from "../../../agent/coap/endpoint.js";
import type { DatagramSocket } from "../../../agent/ports.js";
import { createManagementServer, type ManagementServer } from "../../../jobs/server/management-server.js";
import { createSystemClock } from "../../../platform/clock.js";
import { resolvePeer } from "../../../platform/net/resolve.js";
import { openUdpSocket } from "../../../platform/net/udp.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";

let server: ManagementServer;
let endpoint: Endpoint;
let socket: DatagramSocket;

beforeEach(async () => {
  const clock = createSystemClock();
  const log = createRecordingLog();
  server = await createManagementServer({ clock, random: createSeededRandom(1), log, port: 0 });
  endpoint = createEndpoint({
    clock,
    random: createSeededRandom(2),
    log,
    send: (datagram, to) => socket.send(datagram, to),
    handler: { accepts: () => false, handle: () => ({ code: "5.00" }) },
  });
  socket = await openUdpSocket(
    { family: "udp4", address: "127.0.0.1" },
    { onDatagram: (datagram, from) => endpoint.receive(datagram, from), onError: () => undefined },
  );
});

afterEach(async () => {
  endpoint.close();
  await socket.close();
  await server.close();
});

test("a Register of several blocks, each with a token of its own, is put together", async () => {
  const instances = Array.from({ length: 500 }, (_, id) => `</40000/${id}>`);
  const answer = await endpoint.request(await resolvePeer("127.0.0.1", server.port), {
    method: "POST",
    path: ["rd"],
    query: ["ep=many", "lt=300", "lwm2m=1.1", "b=U"],
    contentFormat: 40,
    payload: new TextEncoder().encode(["</1/0>", "</3/0>", ...instances].join(",")),
  });
  expect(answer.code).toBe("2.01");
  expect(server.device("many")?.objects.get(40000)?.instances).toHaveLength(500);
});
