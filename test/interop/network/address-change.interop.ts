/**
 * A device in a network of its own whose address changes: a network namespace and a pair of virtual interfaces. What a
 * Server without security knows the device by is another one then, so it has to register anew.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DeviceEvent } from "../../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../../jobs/server/management-server.js";
import { createSystemClock } from "../../../platform/clock.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";

const namespace = `lwm2m-${process.pid}`;
/** At our end, and in the namespace; a name has at most 15 characters. */
const [here, there] = [`lw${process.pid}a`, `lw${process.pid}b`];
const program = resolve(import.meta.dirname, "../../../dist/agent/cli/main.js");

/** @throws Error with what `ip` says, and what it takes */
function ip(...argv: string[]): void {
  const { status, stderr, error } = spawnSync("ip", argv, { encoding: "utf8" });
  if (error !== undefined) throw new Error("ip is not installed: apt-get install iproute2", { cause: error });
  if (status !== 0) throw new Error(`ip ${argv.join(" ")}: ${stderr.trim()}; this takes root`);
}
const inNamespace = (...argv: string[]) => ip("-n", namespace, ...argv);

let directory: string;
let server: ManagementServer;
let device: ChildProcess;
const events: DeviceEvent[] = [];

beforeAll(async () => {
  ip("netns", "add", namespace);
  ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace);
  ip("address", "add", "198.18.7.1/24", "dev", here);
  ip("link", "set", here, "up");
  inNamespace("link", "set", "lo", "up");
  inNamespace("address", "add", "198.18.7.2/24", "dev", there);
  inNamespace("link", "set", there, "up");
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-network-"));
  server = await createManagementServer({
    host: "198.18.7.1",
    port: 0,
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
  });
  server.onDeviceEvent((event) => events.push(event));
});

afterAll(async () => {
  if (device?.exitCode === null) {
    const gone = once(device, "close");
    device.kill("SIGTERM");
    await gone;
  }
  await server?.close();
  spawnSync("ip", ["netns", "delete", namespace]); // takes both interfaces along
  if (directory) await rm(directory, { recursive: true, force: true });
});

/** By the address that it has then. */
const registeredFrom = (address: string) =>
  expect
    .poll(
      () =>
        events
          .filter(({ type }) => type === "registered")
          .map(({ device: { address } }) => address)
          .at(-1),
      { timeout: 30_000 },
    )
    .toBe(address);

test("a device registers anew, from its new address, and serves there", async () => {
  const argv = ["simulate", "--devices", "1", "--server", server.uri, "--state", join(directory, "state")];
  device = spawn("ip", ["netns", "exec", namespace, process.execPath, program, ...argv], { stdio: "ignore" });
  await registeredFrom("198.18.7.2");
  const [endpointName = ""] = server.devices().map((one) => one.endpointName);
  inNamespace("address", "add", "198.18.7.3/24", "dev", there);
  inNamespace("address", "delete", "198.18.7.2/24", "dev", there);
  // The second address of a network goes with its first.
  spawnSync("ip", ["-n", namespace, "address", "add", "198.18.7.3/24", "dev", there]);
  await registeredFrom("198.18.7.3");
  expect(events.at(-1)?.isReregistration).toBe(true);
  expect((await server.read(endpointName, [3, 0, 16])).size).toBeGreaterThan(0);
});
