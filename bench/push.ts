/**
 * A package pushed by Block1 in blocks of 1024 bytes: how much memory the agent takes for it, and how long, against a bare
 * responder that writes each block.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEndpoint } from "../agent/coap/endpoint.js";
import type { Peer } from "../agent/ports.js";
import { createSimulatedImage } from "../platform/boards/simulated-image.js";
import { createSystemClock } from "../platform/clock.js";
import { createLog } from "../platform/log.js";
import { openUdpSocket } from "../platform/net/udp.js";
import { systemRandom } from "../platform/random.js";
import { startBareResponder } from "./blocks.js";
import { type Figure, median, residentMegabytes, startChild } from "./child.js";
import { runMeasuredAgent } from "./measured-agent.js";

const packageSize = 5_000_000;
const rounds = 3;
const opaque = 42;
/** Write of the Package. */
const whole = { method: "PUT", path: ["5", "0", "0"], contentFormat: opaque } as const;

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
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-bench-"));
  const responder = await startChild(import.meta.url, ["bare-responder", join(directory, "bare")]);
  const { port } = responder.ready as { port: number };
  const bare: Peer = { address: "127.0.0.1", port, key: `127.0.0.1:${port}` };
  const pushTo = async (peer: Peer) => {
    const start = process.hrtime.bigint();
    const answer = await endpoint.request(peer, {
      ...whole,
      payload: image,
    });
    return { answer, elapsed: Number(process.hrtime.bigint() - start) / 1e9 };
  };
  try {
    const peer = await registered;
    const before = residentMegabytes(agent.pid);
    let peak = before;
    const sampling = setInterval(() => {
      peak = Math.max(peak, residentMegabytes(agent.pid));
    }, 20);
    const times: Record<"ours" | "bare", number[]> = { ours: [], bare: [] };
    let { answer, elapsed } = await pushTo(peer);
    for (let round = 0; round < rounds; round++) {
      if (round > 0) {
        // One byte 00 takes the package back: the next one may come.
        await endpoint.request(peer, { ...whole, payload: new Uint8Array(1) });
        ({ answer, elapsed } = await pushTo(peer));
      }
      times.ours.push(elapsed);
      times.bare.push((await pushTo(bare)).elapsed);
    }
    clearInterval(sampling);
    const state = await endpoint.request(peer, { method: "GET", path: ["5", "0", "3"] });
    const [ours, reference] = [median(times.ours), median(times.bare)];
    const arrived = answer.code === "2.04" && new TextDecoder().decode(state.payload) === "2";
    return [
      {
        text:
          `push of ${packageSize / 1e6} MB by Block1 (1024): ${ours.toFixed(2)} s, ${arrived ? "Downloaded" : `answered ${answer.code}`}, ` +
          `RSS ${before.toFixed(0)} MB before, peak ${peak.toFixed(0)} MB: growth ${(peak - before).toFixed(1)} MB (below 16 MB)`,
        holds: arrived && peak - before < 16,
      },
      {
        text:
          `push: ${(packageSize / 1e6 / ours).toFixed(1)} MB/s, a bare responder that writes each block ` +
          `${(packageSize / 1e6 / reference).toFixed(1)} MB/s: ${(reference / ours).toFixed(2)} of its speed (at least 1.2)`,
        holds: arrived && reference / ours >= 1.2,
      },
    ];
  } finally {
    endpoint.close();
    await socket.close();
    await Promise.all([agent.stop(), responder.stop()]);
    await rm(directory, { recursive: true, force: true });
  }
}

const [, , role, port = ""] = process.argv;
if (role === "bare-responder") process.send?.({ port: await startBareResponder(port) });
if (role === "push-agent") {
  await runMeasuredAgent(Number(port));
  process.send?.({});
}
