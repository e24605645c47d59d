/** A restart amid a download: a whole agent, real CoAP, real HTTP. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { resourceContent, resourceIn } from "../../jobs/device-gateway.js";
import { createManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { startRestartingDevice } from "./restarting-device.js";

const packageUri = [5, 0, 1] as const;
const state = [5, 0, 3] as const;
const image = createSimulatedImage({ name: "test", version: "2.0", size: 400_000, seed: 7 });
const half = 200_000;

/** Sends half of the image and then nothing; to who asks for the rest, the rest. */
async function startPackageServer() {
  const ranges: (string | undefined)[] = [];
  const server = createServer(({ headers }, response) => {
    ranges.push(headers.range);
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const range = start > 0 && { "content-range": `bytes ${start}-${image.length - 1}/${image.length}` };
    const length = { "content-length": image.length - start, etag: '"1"' };
    response.writeHead(start > 0 ? 206 : 200, { ...length, ...range });
    if (start > 0) response.end(image.subarray(start));
    else response.write(image.subarray(0, half));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fw`, ranges };
}

test("an agent that is restarted amid a download asks for the rest of it alone", async () => {
  const packages = await startPackageServer();
  const server = await createManagementServer({
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
  });
  onTestFinished(() => server.close());
  const registered = new Promise<void>((resolve) => {
    server.onDeviceEvent(() => resolve());
  });
  const device = await startRestartingDevice({
    endpointName: "board",
    agent: { servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }] },
  });
  onTestFinished(() => device.close());
  const read = async () => resourceIn(await server.read("board", state), state);
  const received = () => {
    const progress = device.agent().status().firmware.progress;
    return progress?.phase === "downloading" ? progress.received : undefined;
  };
  await registered;
  await server.write("board", packageUri, resourceContent(packageUri, packages.uri), "replace");
  await expect.poll(received, { timeout: 15_000 }).toBeGreaterThan(0);

  await device.board.restart();
  await expect.poll(() => read().catch(() => undefined), { timeout: 15_000 }).toBe(2);
  expect(device.restarts()).toBe(1);
  expect(packages.ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d+-$/)]);
});
