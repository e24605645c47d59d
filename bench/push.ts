/** A package pushed by Block1 in blocks of 1024 bytes: how much memory it takes, and how long. */
import { createEndpoint } from "../agent/coap/endpoint.js";
import type { Peer } from "../agent/ports.js";
import { createSimulatedImage } from "../platform/boards/simulated-image.js";
import { createSystemClock } from "../platform/clock.js";
import { createLog } from "../platform/log.js";
import { openUdpSocket } from "../platform/net/udp.js";
import { systemRandom } from "../platform/random.js";
import { type Figure, residentMegabytes, startChild } from "./child.js";
import { runMeasuredAgent } from "./measured-agent.js";

const packageSize = 5_000_000;
const opaque = 42;

export async function benchPush(): Promise<Figure[]> {
  const image = createSimulatedImage({ name: "bench", version: "2.0", size: packageSize, seed: 1 });
  const log = createLog({ level: "error", pretty: false });
  let onRegistered: (peer: Peer) => void;
  const registered = new Promise<Peer>((resolve) => {
    onRegistered = resolve;
  });
  const endpoint = createEndpoint({
    clock: createSystemClock(),
    random: systemRandom,
    log,
    send: (datagram, to) => socket.send(datagram, to),
    handler: {
      accepts: () => true,
      handle: ({ peer }) => {
        onRegistered(peer);
        return { code: "2.01", location: ["rd", "1"] };
      },
    },
  });
  const socket = await openUdpSocket(
    { family: "udp4", address: "127.0.0.1" },
    {
      onDatagram: (datagram, from) => endpoint.receive(datagram, from),
      onError: (error) => log.error(error.message),
    },
  );
  const agent = await startChild(import.meta.url, ["push-agent", `${socket.local.port}`]);
  try {
    const peer = await registered;
    const before = residentMegabytes(agent.pid);
    let peak = before;
    const sampling = setInterval(() => {
      peak = Math.max(peak, residentMegabytes(agent.pid));
    }, 20);
    const start = process.hrtime.bigint();
    const answer = await endpoint.request(peer, {
      method: "PUT",
      path: ["5", "0", "0"],
      contentFormat: opaque,
      payload: image,
    });
    const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
    clearInterval(sampling);
    const state = await endpoint.request(peer, { method: "GET", path: ["5", "0", "3"] });
    const arrived = answer.code === "2.04" && new TextDecoder().decode(state.payload) === "2";
    return [
      {
        text:
          `push of ${packageSize / 1e6} MB by Block1 (1024): ${elapsed.toFixed(2)} s, ${arrived ? "Downloaded" : `answered ${answer.code}`}, ` +
          `RSS ${before.toFixed(0)} MB before, peak ${peak.toFixed(0)} MB: growth ${(peak - before).toFixed(1)} MB (below 16 MB)`,
        holds: arrived && peak - before < 16,
      },
    ];
  } finally {
    endpoint.close();
    await socket.close();
    await agent.stop();
  }
}

const [, , role, port] = process.argv;
if (role === "push-agent") {
  await runMeasuredAgent(Number(port));
  process.send?.({});
}
