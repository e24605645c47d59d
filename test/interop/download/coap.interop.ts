/** Packages from the example server of libcoap, straight and over a way that loses a fifth of everything. */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCoapDownloader } from "../../../agent/binding/coap-download.js";
import { createCoapUdpTransport } from "../../../agent/binding/coap-udp.js";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { type DownloadProgress, millis } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { resolvePeer } from "../../../platform/net/resolve.js";
import { openUdpSocket } from "../../../platform/net/udp.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { keepRunning, requirePrograms, run } from "../lossy/programs.js";
import { type Relay, startRelay } from "../lossy/relay.js";

const transmission = { ackTimeout: millis(100) };
const image = createSeededRandom(17).bytes(120_000);
const other = createSeededRandom(18).bytes(60_000);
const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let directory: string;
let port: number;
let server: ReturnType<typeof keepRunning>;
let relay: Relay;

const put = async (path: string, body: Uint8Array) => {
  const file = join(directory, "to-store");
  await writeFile(file, body);
  const { stderr } = await run("coap-client-notls", [
    "-m",
    "put",
    "-t",
    "42",
    "-f",
    file,
    `coap://127.0.0.1:${port}/${path}`,
  ]);
  expect(stderr).toBe("");
};

beforeAll(async () => {
  requirePrograms("coap-client-notls", "coap-server-notls", "faketime");
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-pull-"));
  const probe = createSocket("udp4").bind(0, "127.0.0.1");
  await once(probe, "listening");
  ({ port } = probe.address());
  probe.close();
  server = keepRunning("coap-server-notls", ["-A", "127.0.0.1", "-p", `${port}`, "-d", "50"]);
  await put("fw", image);
  relay = await startRelay({ target: port, seed: 6, does: "loss" });
});
afterAll(async () => {
  await relay?.close();
  await server?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
});

let devices = 0;

function createDevice(cache = join(directory, `cache-${devices++}`)) {
  const [clock, random, log] = [createSystemClock(), systemRandom, createRecordingLog()];
  const transport = createCoapUdpTransport({
    openSocket: (_, handlers) => openUdpSocket({ family: "udp4" }, handlers),
    resolve: resolvePeer,
    transmission,
    clock,
    random,
    log,
  });
  const storage = createPackageStorage({ directory: cache });
  const settings = createTransferSettings({ retryDelay: millis(10) }, { storage, clock, random, log });
  const abort = new AbortController();
  const progress: DownloadProgress[] = [];
  const { download } = createCoapDownloader({ ...settings, transports: { coap: transport } });
  return {
    cache,
    abort,
    progress,
    log,
    download: (uri: string, onProgress: (state: DownloadProgress) => void = () => {}) =>
      download(uri, {
        signal: abort.signal,
        progress: (state) => {
          progress.push(state);
          onProgress(state);
        },
      }),
  };
}

test("a package arrives, with its size known from the first block on", async () => {
  const { download, progress } = createDevice();
  expect(await download(`coap://127.0.0.1:${port}/fw`)).toMatchObject({
    size: image.length,
    sha256: sha256Of(image),
  });
  expect(progress[0]?.total).toBe(image.length);
});

test("a package arrives over a way that loses a fifth of everything", async () => {
  const { download } = createDevice();
  expect(await download(`coap://127.0.0.1:${relay.port}/fw`)).toMatchObject({ sha256: sha256Of(image) });
  expect(relay.counts.lost).toBeGreaterThan(20);
});

test("a package that is not there is said to be at fault", async () => {
  await expect(createDevice().download(`coap://127.0.0.1:${port}/nothing`)).rejects.toMatchObject({
    failure: "invalid-uri",
  });
});

/** Half of it has come when the agent stops. */
async function interrupt(uri: string) {
  const device = createDevice();
  const reason = new Error("the agent stops");
  const stop = ({ received }: DownloadProgress) => received >= 50_000 && device.abort.abort(reason);
  await expect(device.download(uri, stop)).rejects.toBe(reason);
  return device.cache;
}

test("a package is taken up after a restart, from the block that comes next", async () => {
  const uri = `coap://127.0.0.1:${relay.port}/fw`;
  const { download, log } = createDevice(await interrupt(uri));
  expect(await download(uri)).toMatchObject({ sha256: sha256Of(image) });
  expect(log.lines[0]).toMatchObject({ event: "download taken up" });
  expect(log.lines[0]?.fields["received"]).toBeGreaterThanOrEqual(50_000);
});

test("a package that was replaced meanwhile is fetched anew", async () => {
  await put("changing", image);
  const uri = `coap://127.0.0.1:${relay.port}/changing`;
  const cache = await interrupt(uri);
  await put("changing", other);
  expect(await createDevice(cache).download(uri)).toMatchObject({ sha256: sha256Of(other) });
});
