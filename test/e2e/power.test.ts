/** Devices as processes that are killed without warning, while the servers go on. */
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startFirmwareServer } from "../../agent/simulation/firmware-server.js";
import type { JobRecord } from "../../jobs/job.js";
import { createJobService, type JobService } from "../../jobs/job-service.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { type Program, start, withFolder } from "./program.js";

const device = "simulated-1";
let server: ManagementServer;
let jobs: JobService;
let firmware: Awaited<ReturnType<typeof startFirmwareServer>>;

beforeEach(async () => {
  const clock = createSystemClock();
  const log = createRecordingLog();
  server = await createManagementServer({ clock, random: systemRandom, log, port: 0 });
  jobs = createJobService({ gateway: server, clock, log });
  firmware = await startFirmwareServer({
    image: createSimulatedImage({ name: "test", version: "9.9", size: 2_000_000, seed: 3 }),
    rate: 1_000_000,
  });
});
afterEach(async () => {
  await jobs.close();
  await firmware.close();
  await server.close();
});

const registered = () =>
  new Promise<void>((resolve) => {
    const stop = server.onDeviceEvent(({ type }) => {
      if (type !== "registered") return;
      stop();
      resolve();
    });
  });

/** Resolves when the job of the device says so. */
const reached = (message: string) =>
  new Promise<void>((resolve) => {
    const stop = jobs.onChange(({ deviceId, statusMessage }) => {
      if (deviceId !== device || statusMessage !== message) return;
      stop();
      resolve();
    });
  });

const moments = [
  { moment: "in the middle of a download", after: "Downloading", pause: 700 },
  { moment: "before the installation begins", after: "Updating", pause: 50 },
  { moment: "in the middle of the installation", after: "Updating", pause: 1500 },
];

test.each(moments)(
  "a device that loses power $moment goes on and ends with the new version",
  { timeout: 60_000 },
  ({ after, pause }) =>
    withFolder(async (folder) => {
      const switchOn = (): Program =>
        start("simulate", "--devices", "1", "--state", join(folder, "state"), "--server", server.uri);
      const first = registered();
      const before = switchOn();
      await first;
      const moment = reached(after);
      await jobs.scheduleFirmwareUpdate("update", device, firmware.packageUri);
      await moment;
      await new Promise((resolve) => setTimeout(resolve, pause));
      before.kill("SIGKILL");
      await before.ended;
      const again = switchOn();
      try {
        const parent: JobRecord = await jobs.waitForJob("update");
        const child = await jobs.getJob("update.1");
        expect(child).toMatchObject({
          status: "completed",
          statusMessage: "Updated to firmware version 9.9",
        });
        expect(parent.statusMessage).toBe("Devices: 1; Succeeded: 1; Failed: 0;");
      } finally {
        again.kill("SIGTERM");
        expect(await again.ended).toMatchObject({ exitCode: 0 });
      }
    }),
);
