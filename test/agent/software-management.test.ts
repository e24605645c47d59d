/** Software from a Package URI until it is active: a whole agent, real CoAP, real HTTP. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createAgent } from "../../agent/main.js";
import { ConfigError } from "../../agent/model/errors.js";
import { millis } from "../../agent/ports.js";
import { type FirmwareServer, startFirmwareServer } from "../../agent/simulation/firmware-server.js";
import { SoftwareManagement } from "../../objects/software-management/definition.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSimulatedSoftware, type SimulatedSoftware } from "../../platform/boards/simulated-software.js";
import { createSystemClock } from "../../platform/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";

let directory: string;
let packages: FirmwareServer;
let app: SimulatedSoftware;
let managed: ManagedAgent;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-software-"));
  packages = await startFirmwareServer({
    image: createSimulatedImage({ name: "app", version: "1.7", size: 50_000, seed: 3 }),
  });
  const software = (name: string) =>
    createSimulatedSoftware({
      directory: join(directory, name),
      clock: createSystemClock(),
      installDuration: millis(10),
    });
  app = software("app");
  managed = await startManagedAgent({
    definitions: [SoftwareManagement],
    software: [
      { name: "app", installer: app },
      { name: "other", installer: software("other") },
    ],
  });
});

afterAll(async () => {
  await managed.close();
  await packages.close();
  await rm(directory, { recursive: true, force: true });
});

const status = async (instance: number) => [
  await managed.read([9, instance, 7]),
  await managed.read([9, instance, 9]),
  await managed.read([9, instance, 12]),
];

test("pull, DELIVERED, Install, INSTALLED, Activate, active", async () => {
  await expect(managed.execute([9, 0, 4])).rejects.toMatchObject({ code: "4.05" });
  await managed.write([9, 0, 3], packages.packageUri);
  await vi.waitFor(async () => expect(await status(0)).toEqual([3, 3, false]), 5000);
  expect(await managed.read([9, 0, 0])).toBe("app");
  expect(await managed.read([9, 0, 1])).toBe("1.7");
  expect(await app.installed()).toBeUndefined();

  await managed.execute([9, 0, 4]);
  await vi.waitFor(async () => expect(await status(0)).toEqual([4, 2, false]), 5000);
  await managed.execute([9, 0, 10]);
  await vi.waitFor(async () => expect(await status(0)).toEqual([4, 2, true]), 5000);
  expect(await app.installed()).toEqual({ name: "app", version: "1.7", active: true });

  expect(await status(1)).toEqual([0, 0, false]);
  expect(await managed.read([5, 0, 3])).toBe(0);

  await managed.execute([9, 0, 6]);
  await vi.waitFor(async () => expect(await status(0)).toEqual([0, 0, false]), 5000);
  expect(await app.installed()).toBeUndefined();
});

test("a pushed package is DELIVERED when it is answered; with Update Supported Objects, Updates follow", async () => {
  let updates = 0;
  const stopListening = managed.server.onDeviceEvent(
    ({ type }) => void (updates += type === "updated" ? 1 : 0),
  );
  await managed.write([9, 1, 8], true);
  await managed.write(
    [9, 1, 2],
    createSimulatedImage({ name: "other", version: "2.1", size: 5000, seed: 4 }),
  );
  expect(await status(1)).toEqual([3, 3, false]);
  expect(updates).toBe(0);
  await managed.execute([9, 1, 4]);
  await vi.waitFor(() => expect(updates).toBe(1), 5000);
  expect(await status(1)).toEqual([4, 2, false]);
  expect(await managed.read([9, 1, 0])).toBe("other");
  stopListening();
});

test.each([[["a", "a"]], [["../state"]], [[""]]])("software named %j is refused", async (names) => {
  const made = createAgent({
    endpointName: "board",
    servers: [{ uri: "coap://127.0.0.1:9", shortServerId: 1, lifetime: 300 }],
    board: { name: "none" } as never, // nobody asks it anything before `start`
    stateDirectory: join(directory, "state"),
    cacheDirectory: join(directory, "cache"),
    log: createRecordingLog(),
    software: names.map((name) => ({ name, installer: app })),
  });
  await expect(made).rejects.toBeInstanceOf(ConfigError);
});
