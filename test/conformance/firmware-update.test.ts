/** The firmware cases of the OMA test specification: a whole agent over real sockets, on a board that restarts. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { AgentOptions } from "../../agent/main.js";
import type { ResourcePath } from "../../agent/model/path.js";
import { type Downloader, millis, PackageError } from "../../agent/ports.js";
import {
  type DeviceEvent,
  DeviceResponseError,
  resourceContent,
  resourceIn,
} from "../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import {
  type RestartingDevice,
  type RestartingDeviceOptions,
  startRestartingDevice,
} from "../agent/restarting-device.js";
import { createRecordingLog } from "../simulated/log.js";

const packageResource = [5, 0, 0] as const;
const packageUri = [5, 0, 1] as const;
const update = [5, 0, 2] as const;
const state = [5, 0, 3] as const;
const result = [5, 0, 5] as const;
const deliveryMethod = [5, 0, 9] as const;
const firmwareVersion = [3, 0, 3] as const;
const reboot = [3, 0, 4] as const;

const maximumPackageSize = 100_000;
const image = createSimulatedImage({ name: "conformance", version: "2.0", size: 20_000, seed: 751 });
const tooLarge = createSimulatedImage({ name: "large", version: "2.0", size: 200_000, seed: 773 });
const foreign = Buffer.from("PK\u0003\u0004 an archive, and no package of this board");
const damaged = Uint8Array.from(image);
damaged[10_000] = (damaged[10_000] ?? 0) ^ 1;

/** Misbehaves as its path says. */
const routes: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/image": (response) => void response.end(image),
  "/damaged": (response) => void response.end(damaged),
  "/foreign": (response) => void response.end(foreign),
  "/too-large": (response) => void response.end(tooLarge),
  "/cut": (response) => {
    response.writeHead(200, { "content-length": image.length });
    response.write(image.subarray(0, 5000), () => response.destroy());
  },
};

let web: Server;
let origin: string;
let server: ManagementServer;
beforeAll(async () => {
  web = createServer((request, response) => {
    const route = routes[request.url ?? ""];
    if (route) route(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  server = await createManagementServer({
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
    port: 0,
  });
});
afterAll(async () => {
  await server.close();
  web.closeAllConnections();
  await new Promise((resolve) => web.close(resolve));
});

const board = "board";
let device: RestartingDevice;
beforeEach(() => begin());
afterEach(() => device.close());

/** Starts a device and waits for its registration. */
async function begin(
  options: Pick<RestartingDeviceOptions, "board"> & Omit<Partial<AgentOptions>, "board"> = {},
) {
  const { board: boardOptions = {}, ...agent } = options;
  const registered = registration();
  device = await startRestartingDevice({
    endpointName: board,
    board: boardOptions,
    agent: {
      servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }],
      maximumPackageSize,
      downloads: { retryDelay: millis(10) },
      ...agent,
    },
  });
  await registered;
}

/** Begins anew, as another device. */
async function beginAs(options: Parameters<typeof begin>[0]): Promise<void> {
  await device.close();
  await begin(options);
}

const registration = () => heardOf("registered");
/** After a restart a registration goes on with an Update. */
const resumption = () => heardOf("updated");

const heardOf = (wanted: DeviceEvent["type"]) =>
  new Promise<void>((resolve) => {
    const stop = server.onDeviceEvent(({ type }) => {
      if (type !== wanted) return;
      stop();
      resolve();
    });
  });

const read = async (path: ResourcePath) => resourceIn(await server.read(board, path), path);
const write = (path: ResourcePath, value: string | Uint8Array) =>
  server.write(board, path, resourceContent(path, value), "replace");

const progress = async () => ({ state: await read(state), result: await read(result) });
/** Waits until State and Result are these; a notification may tell any State between. */
const settles = (wanted: { state: number; result: number }) =>
  expect.poll(progress, { timeout: 15_000, interval: 20 }).toEqual(wanted);

/** From State 2 to the new image: Update, restart, registration, outcome. */
async function installs(): Promise<void> {
  const resumed = resumption();
  await server.execute(board, update);
  await resumed;
  await settles({ state: 0, result: 1 });
  expect(await read(firmwareVersion)).toBe("2.0");
  expect(device.restarts()).toBe(1);
}

const hasCode = (code: string) => expect.objectContaining({ code });

test("LightweightM2M-1.1-int-241: Execute Reboot answers, restarts the device and brings its registration", async () => {
  const resumed = resumption();
  await server.execute(board, reboot);
  await resumed;
  expect(device.restarts()).toBe(1);
});

test("LightweightM2M-1.1-int-751: an idle Firmware Update tells State, Result and Delivery Method", async () => {
  expect(await progress()).toEqual({ state: 0, result: 0 });
  expect(await read(deliveryMethod)).toBe(2);
});

test("LightweightM2M-1.1-int-755: a zero byte as Package resets, a valid Package is downloaded", async () => {
  await write(packageResource, Uint8Array.of(0));
  expect(await progress()).toEqual({ state: 0, result: 0 });
  await write(packageResource, image);
  await settles({ state: 2, result: 0 });
  await write(packageResource, Uint8Array.of(0));
  expect(await progress()).toEqual({ state: 0, result: 0 });
});

test("LightweightM2M-1.1-int-756: an empty Package URI resets, a valid one is downloaded", async () => {
  await write(packageUri, "");
  expect(await progress()).toEqual({ state: 0, result: 0 });
  await write(packageUri, `${origin}/image`);
  await settles({ state: 2, result: 0 });
  await write(packageUri, "");
  expect(await progress()).toEqual({ state: 0, result: 0 });
});

test("LightweightM2M-1.1-int-760: an observer of State is told that a pushed Package is there", async () => {
  const seen: unknown[] = [];
  const observation = await server.observe(board, state, (content) => seen.push(resourceIn(content, state)));
  await write(packageResource, image);
  await expect.poll(() => seen.at(-1), { timeout: 10_000 }).toBe(2);
  expect(seen[0]).toBe(0);
  expect(seen.filter((value, index) => index > 0 && Number(value) < Number(seen[index - 1]))).toEqual([]);
  await observation.cancel();
});

test("LightweightM2M-1.1-int-770: a pushed Package is installed and runs", async () => {
  await write(packageResource, image);
  await settles({ state: 2, result: 0 });
  await installs();
});

test("LightweightM2M-1.1-int-771: a pulled Package is installed and runs", async () => {
  await write(packageUri, `${origin}/image`);
  await settles({ state: 2, result: 0 });
  await installs();
});

test("LightweightM2M-1.1-int-772: Update is refused while no Package is downloaded, and changes nothing", async () => {
  await expect(server.execute(board, update)).rejects.toEqual(hasCode("4.05"));
  expect(await progress()).toEqual({ state: 0, result: 0 });
  expect(await read(firmwareVersion)).toBe("1.0");
  expect(device.restarts()).toBe(0);
});

test("LightweightM2M-1.1-int-773: a Package larger than the storage ends in Result 2", async () => {
  await write(packageUri, `${origin}/too-large`);
  await settles({ state: 0, result: 2 });
});

test("LightweightM2M-1.1-int-773: a pushed Package larger than the storage is refused, with Result 2", async () => {
  await expect(write(packageResource, tooLarge)).rejects.toThrow(DeviceResponseError);
  await settles({ state: 0, result: 2 });
});

test("LightweightM2M-1.1-int-774: memory that runs out while downloading ends in Result 3", async () => {
  const outOfMemory = (downloader: Downloader): Downloader => ({
    schemes: downloader.schemes,
    download: () => Promise.reject(new PackageError("memory", "no buffer for the next piece")),
  });
  await beginAs({ wrapDownloader: outOfMemory });
  await write(packageUri, `${origin}/image`);
  await settles({ state: 0, result: 3 });
});

test("LightweightM2M-1.1-int-775: a connection that is cut while downloading ends in Result 4", async () => {
  await write(packageUri, `${origin}/cut`);
  await settles({ state: 0, result: 4 });
}, 60_000);

test("LightweightM2M-1.1-int-776: a Package that arrives damaged ends in Result 5", async () => {
  await write(packageUri, `${origin}/damaged`);
  await settles({ state: 0, result: 5 });
  await write(packageResource, damaged);
  await settles({ state: 0, result: 5 });
});

test("LightweightM2M-1.1-int-777: a Package of another type ends in Result 6", async () => {
  await write(packageUri, `${origin}/foreign`);
  await settles({ state: 0, result: 6 });
});

test("LightweightM2M-1.1-int-778: a URI where there is no Package ends in Result 7", async () => {
  await write(packageUri, `${origin}/no-such-package`);
  await settles({ state: 0, result: 7 });
});

test("LightweightM2M-1.1-int-779: an installation that fails ends in State 2 and Result 8", async () => {
  await beginAs({ board: { fault: "install-failure" } });
  await write(packageUri, `${origin}/image`);
  await settles({ state: 2, result: 0 });
  await server.execute(board, update);
  await settles({ state: 2, result: 8 });
  expect(await read(firmwareVersion)).toBe("1.0");
});

test("LightweightM2M-1.1-int-780: a URI of a protocol that is not supported ends in Result 9", async () => {
  await write(packageUri, "ftp://127.0.0.1/image");
  await settles({ state: 0, result: 9 });
});
