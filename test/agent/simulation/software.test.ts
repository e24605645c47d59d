import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startDevices } from "../../../agent/simulation/simulation.js";
import { resourceContent, resourceIn } from "../../../jobs/device-gateway.js";
import { createManagementServer } from "../../../jobs/server/management-server.js";
import { SoftwareManagement } from "../../../objects/software-management/definition.js";
import { createSystemClock } from "../../../platform/clock.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";

test.each([true, false])(
  "simulated devices have software to manage: %s, as they are told",
  async (managesSoftware) => {
    const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-simulation-"));
    const log = createRecordingLog();
    const server = await createManagementServer({
      port: 0,
      clock: createSystemClock(),
      random: systemRandom,
      log,
      objects: [SoftwareManagement],
    });
    const simulation = await startDevices(
      {
        devices: 1,
        faults: new Map(),
        plugins: [],
        objects: [],
        managesSoftware,
        stateDirectory: directory,
        log,
      },
      { serverUri: server.uri },
    );
    try {
      await vi.waitFor(() => expect(server.devices()).toHaveLength(1), 5000);
      const updateState = async () => resourceIn(await server.read("simulated-1", [9, 0, 7]), [9, 0, 7]);
      if (managesSoftware) {
        expect(await updateState()).toBe(0);
        // Nobody listens at this address: the download waits for a second try.
        const path = [9, 0, 3] as const;
        await server.write("simulated-1", path, resourceContent(path, "http://127.0.0.1:9/app"), "replace");
        expect(await updateState()).toBe(1);
      } else {
        await expect(updateState()).rejects.toMatchObject({ code: "4.04" });
      }
    } finally {
      await simulation.close();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
);
