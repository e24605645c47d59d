/** What becomes of signed packages: a whole agent with keys, real CoAP, real HTTP. */

import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FirmwareOptions } from "../../agent/main.js";
import { millis } from "../../agent/ports.js";
import { resourceContent } from "../../jobs/device-gateway.js";
import { createManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { parsePrivateKey } from "../../platform/package/keys.js";
import { createKeyFiles, writeReleaseBundle, writeSignatureFile } from "../../platform/package/release.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";
import { startRestartingDevice } from "./restarting-device.js";

const firmware = {
  package: [5, 0, 0],
  uri: [5, 0, 1],
  update: [5, 0, 2],
  state: [5, 0, 3],
  result: [5, 0, 5],
} as const;
const packageName = [5, 0, 6] as const;
const packageVersion = [5, 0, 7] as const;

let folder: string;
let http: Server;
let origin: string;
/** What the server was asked for. */
const asked: string[] = [];
const at = (name: string) => join(folder, name);

interface Made {
  readonly key?: string;
  readonly version?: string;
  readonly compatible?: string;
  readonly bundle?: boolean;
}

/** Puts a package on the server: `NAME` and `NAME.sig`, or a bundle `NAME`. */
async function make(
  name: string,
  { key = "release", version = "2.0", compatible = "Simulated board", bundle = true }: Made,
) {
  const image = createSimulatedImage({ name: "image", version: "9.9", size: 50_000, seed: 7 });
  const path = at(bundle ? `${name}.img` : name);
  writeFileSync(path, image);
  const privateKey = await parsePrivateKey(readFileSync(at(`${key}.key`), "utf8"), key, async () => "");
  const release = { name: "gateway", version, compatible: [compatible], paths: [path], privateKey };
  if (bundle) await writeReleaseBundle(release, at(name));
  else await writeSignatureFile(release, at(`${name}.sig`));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-signed-"));
  for (const name of ["release", "foreign"]) await createKeyFiles(at(name), undefined);
  await make("good.bundle", {});
  await make("foreign.bundle", { key: "foreign" });
  await make("for-edison.bundle", { compatible: "edison" });
  await make("older.bundle", { version: "0.9" });
  await make("same.bundle", { version: "1.0" });
  await make("beside", { bundle: false });
  await make("foreign", { bundle: false, key: "foreign" });
  await make("changed", { bundle: false });
  writeFileSync(at("changed"), readFileSync(at("beside")).subarray(0, -1));
  writeFileSync(at("unsigned"), readFileSync(at("beside")));
  writeFileSync(at("endless"), readFileSync(at("beside")));
  writeFileSync(at("endless.sig"), Buffer.alloc(100_000));
  http = createServer(({ url = "" }, response) => {
    asked.push(url);
    try {
      response.end(readFileSync(at(new URL(url, origin).pathname.slice(1))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterAll(async () => {
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const withKeys = (): FirmwareOptions => ({ verification: { keys: [at("release.pub")] } });

async function outcome(managed: ManagedAgent): Promise<{ state: unknown; result: unknown }> {
  for (;;) {
    const now = { state: await managed.read(firmware.state), result: await managed.read(firmware.result) };
    if (now.state !== 1) return now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("with a key", () => {
  let managed: ManagedAgent;
  beforeAll(async () => {
    managed = await startManagedAgent({ firmware: withKeys(), downloads: { retryDelay: millis(10) } });
  });
  afterAll(() => managed.close());

  test.each([
    ["/good.bundle", 2, 0, ""],
    ["/beside?token=secret", 2, 0, ""],
    ["/same.bundle", 2, 0, ""],
    ["/foreign.bundle", 0, 5, "which is not trusted here"],
    ["/foreign", 0, 5, "which is not trusted here"],
    ["/changed", 0, 5, "the package is not the one that was signed"],
    ["/unsigned", 0, 5, "the package is not signed"],
    ["/endless", 0, 2, "the signature of the package cannot be had"],
    [
      "/for-edison.bundle",
      0,
      6,
      'the package is made for "edison", and this device is "Simulated board", "simulated"',
    ],
    ["/older.bundle", 0, 6, "version 0.9 is older than 1.0, which runs here"],
  ])("%s ends in State %i and Result %i", async (uri, state, result, reason) => {
    await managed.write(firmware.uri, `${origin}${uri}`);
    expect(await outcome(managed)).toEqual({ state, result });
    const { lastOutcome, package: verified } = managed.agent.status().firmware;
    if (state === 2) expect(verified).toEqual({ name: "gateway", version: expect.any(String) });
    else expect(lastOutcome?.reason).toContain(reason);
    await managed.write(firmware.uri, "");
    expect(await outcome(managed)).toEqual({ state: 0, result: 0 });
  });

  test("the signature is asked for with the query of the package, and name and version are those it vouches for", async () => {
    asked.length = 0;
    await managed.write(firmware.uri, `${origin}/beside?token=secret`);
    await outcome(managed);
    expect(asked).toEqual(["/beside?token=secret", "/beside.sig?token=secret"]);
    expect(await managed.read(packageName)).toBe("gateway");
    expect(await managed.read(packageVersion)).toBe("2.0");
    await managed.write(firmware.uri, "");
  });

  test("a bundle may be pushed, another package not", async () => {
    await managed.write(firmware.package, readFileSync(at("good.bundle")));
    expect(await outcome(managed)).toEqual({ state: 2, result: 0 });
    await managed.write(firmware.package, Uint8Array.of(0));
    await managed.write(firmware.package, readFileSync(at("beside")));
    expect(await outcome(managed)).toEqual({ state: 0, result: 5 });
    expect(managed.agent.status().firmware.lastOutcome?.reason).toContain(
      "it was pushed, and it is no bundle",
    );
  });
});

test("a downgrade is taken where the operator allows it, and the version that runs refused where they forbid it", async () => {
  const versions = { downgrade: true, reinstall: false };
  const managed = await startManagedAgent({ firmware: { ...withKeys(), versions } });
  try {
    await managed.write(firmware.uri, `${origin}/older.bundle`);
    expect(await outcome(managed)).toEqual({ state: 2, result: 0 });
    await managed.write(firmware.uri, "");
    await managed.write(firmware.uri, `${origin}/same.bundle`);
    expect(await outcome(managed)).toEqual({ state: 0, result: 6 });
  } finally {
    await managed.close();
  }
});

test("a device without keys takes bundles and bare packages, and knows both versions", async () => {
  const managed = await startManagedAgent({
    firmware: { verification: { compatible: ["Simulated board"] } },
  });
  try {
    for (const [name, version] of [
      ["foreign.bundle", "2.0"],
      ["unsigned", "9.9"],
    ]) {
      await managed.write(firmware.uri, `${origin}/${name}`);
      expect(await outcome(managed)).toEqual({ state: 2, result: 0 });
      expect(await managed.read(packageVersion)).toBe(version);
      await managed.write(firmware.uri, "");
    }
  } finally {
    await managed.close();
  }
});

test("a signed bundle is installed, restarted into and reported", async () => {
  const log = createRecordingLog();
  const server = await createManagementServer({
    host: "127.0.0.1",
    clock: createSystemClock(),
    random: systemRandom,
    log,
    port: 0,
  });
  const device = await startRestartingDevice({
    endpointName: "board",
    agent: { servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }], firmware: withKeys() },
  });
  try {
    const { agent } = device;
    await expect.poll(() => agent().status().registrations[0]?.state).toBe("registered");
    await server.write(
      "board",
      firmware.uri,
      resourceContent(firmware.uri, `${origin}/good.bundle`),
      "replace",
    );
    await expect.poll(() => agent().status().firmware.state, { timeout: 10_000 }).toBe(2);
    await server.execute("board", firmware.update);
    await expect.poll(device.restarts, { timeout: 10_000 }).toBe(1);
    await expect.poll(() => agentResult(device), { timeout: 10_000 }).toBe(1);
    expect(device.agent().status().firmware.lastOutcome).toMatchObject({
      package: { name: "gateway", version: "2.0" },
    });
  } finally {
    await device.close();
    await server.close();
  }
});

/** undefined while the board restarts. */
function agentResult({ agent }: Awaited<ReturnType<typeof startRestartingDevice>>): number | undefined {
  try {
    return agent().status().firmware.result;
  } catch {
    return undefined;
  }
}
