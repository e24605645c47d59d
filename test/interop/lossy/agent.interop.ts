/** A whole agent and a management server on the `coap` package, over a way that loses a fifth of everything. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createAgent } from "../../../agent/main.js";
import type { ResourcePath } from "../../../agent/model/path.js";
import { defineObject, definePlugin, singleInstance } from "../../../agent/plugin.js";
import { resourceContent, resourceIn } from "../../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../../jobs/server/management-server.js";
import { createSimulatedBoard } from "../../../platform/boards/simulated.js";
import { createSimulatedImage } from "../../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../../platform/clock.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";
import { type RelayOptions, startRelay } from "./relay.js";
import { scaleCoapPackage, transmission } from "./timing.js";

/** What can be executed again and again: of two reboots that were asked for, one would be seen. */
const Bell = defineObject({
  id: 40001,
  name: "Bell",
  version: "1.0",
  instances: "single",
  resources: { ring: { id: 0, operations: "E", mandatory: true } },
});

test("registers, is read and written, and executes exactly once, in order", async () => {
  await withAgent({ seed: 21 }, async ({ server, read, rung }) => {
    for (let count = 0; count < 20; count++) expect(await read([3, 0, 3])).toBe("1.0");
    await server.write("board", [1, 0, 1], resourceContent([1, 0, 1], 400), "replace");
    expect(await read([1, 0, 1])).toBe(400);
    const times = Array.from({ length: 20 }, (_, number) => number);
    for (const number of times) await server.execute("board", [40001, 0, 0], `0='${number}'`);
    // Longer than any duplicate is under way.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(rung).toEqual(times);
  });
});

test("takes a package of 64 KiB in blocks, whole", async () => {
  const image = createSimulatedImage({ name: "pushed", version: "2.0", size: 64 * 1024, seed: 1 });
  await withAgent({ seed: 22 }, async ({ server, read }) => {
    await server.write("board", [5, 0, 0], resourceContent([5, 0, 0], image), "replace");
    // Downloaded: the hash in the image is that of what has arrived.
    await expect.poll(() => read([5, 0, 3]), { timeout: 20_000 }).toBe(2);
    expect(await read([5, 0, 7])).toBe("2.0");
  });
});

interface Scene {
  readonly server: ManagementServer;
  readonly read: (path: ResourcePath) => Promise<unknown>;
  readonly rung: readonly number[];
}

/** Plays with a device that is registered. */
async function withAgent(way: Omit<RelayOptions, "target">, play: (scene: Scene) => Promise<void>) {
  scaleCoapPackage();
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-lossy-"));
  const clock = createSystemClock();
  const random = systemRandom;
  const log = createRecordingLog();
  const server = await createManagementServer({ host: "127.0.0.1", port: 0, clock, random, log });
  const relay = await startRelay({ ...way, target: server.port });
  const rung: number[] = [];
  const bell = definePlugin({
    name: "bell",
    start: (agent) =>
      agent.addObject(
        singleInstance(Bell, { ring: { execute: (args) => void rung.push(Number(args.get(0))) } }),
      ),
  });
  const board = createSimulatedBoard({
    directory: join(directory, "board"),
    firmwareVersion: "1.0",
    clock,
    random,
    onRestart: () => {},
  });
  await board.boot();
  const agent = await createAgent({
    endpointName: "board",
    servers: [{ uri: `coap://127.0.0.1:${relay.port}`, shortServerId: 1, lifetime: 300 }],
    board,
    plugins: [bell],
    stateDirectory: join(directory, "state"),
    cacheDirectory: join(directory, "cache"),
    log,
    coap: { transmission },
  });
  try {
    const registered = new Promise<void>((resolve) => server.onDeviceEvent(() => resolve()));
    await agent.start();
    await registered;
    const read = async (path: ResourcePath) => resourceIn(await server.read("board", path), path);
    await play({ server, read, rung });
    expect(relay.counts.lost).toBeGreaterThan(0);
  } finally {
    await agent.stop();
    await relay.close();
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}
