import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent } from "../agent/main.js";
import { createSimulatedBoard } from "../platform/boards/simulated.js";
import { createSystemClock } from "../platform/clock.js";
import { createLog } from "../platform/log.js";
import { systemRandom } from "../platform/random.js";
import { keepHeapSmall } from "../platform/small-heap.js";

/** A whole agent, as a board would run it, registered with the server at `port` on loopback. */
export async function runMeasuredAgent(port: number): Promise<void> {
  keepHeapSmall(); // as the command line does
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-bench-"));
  const board = await createSimulatedBoard({
    directory: join(directory, "board"),
    firmwareVersion: "1.0",
    clock: createSystemClock(),
    random: systemRandom,
    onRestart: () => undefined,
  });
  await board.boot();
  const agent = await createAgent({
    endpointName: "measured",
    servers: [{ uri: `coap://127.0.0.1:${port}`, shortServerId: 1, lifetime: 86400 }],
    board,
    stateDirectory: join(directory, "state"),
    cacheDirectory: join(directory, "cache"),
    log: createLog({ level: "error", pretty: false }),
  });
  await agent.start();
}
