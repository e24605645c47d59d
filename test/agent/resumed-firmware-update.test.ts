/** A firmware update over the restart of a device whose registration goes on: what its Server hears by old observations. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { resourceContent, resourceIn } from "../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { type RestartingDevice, startRestartingDevice } from "./restarting-device.js";

let server: ManagementServer;
let device: RestartingDevice;
const happened: string[] = [];

beforeEach(async () => {
  happened.length = 0;
  server = await createManagementServer({
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
    port: 0,
  });
  const registered = new Promise<void>((resolve) => {
    server.onDeviceEvent(({ type }) => {
      happened.push(type);
      resolve();
    });
  });
  const servers = [{ uri: server.uri, shortServerId: 1, lifetime: 300 }];
  device = await startRestartingDevice({ endpointName: "board", agent: { servers } });
  await registered;
});

afterEach(async () => {
  await device.close();
  await server.close();
});

test("the result and the new version come by observations from before the restart", async () => {
  const observe = async (path: readonly [number, number, number]) => {
    const values: unknown[] = [];
    await server.observe("board", path, (content) => values.push(resourceIn(content, path)));
    return values;
  };
  const state = await observe([5, 0, 3]);
  const result = await observe([5, 0, 5]);
  const version = await observe([3, 0, 3]);
  const image = createSimulatedImage({ name: "pushed", version: "2.0", size: 5000, seed: 1 });
  await server.write("board", [5, 0, 0], resourceContent([5, 0, 0], image), "replace");
  await vi.waitFor(() => expect(state.at(-1)).toBe(2), 5000);
  await server.execute("board", [5, 0, 2]);
  await vi.waitFor(() => expect(result.at(-1)).toBe(1), 10_000);
  await vi.waitFor(() => expect([state.at(-1), version.at(-1)]).toEqual([0, "2.0"]), 5000);
  expect(device.restarts()).toBe(1);
  expect(happened.filter((type) => type !== "updated")).toEqual(["registered"]); // once, before the update
  expect(happened).toContain("updated");
});
