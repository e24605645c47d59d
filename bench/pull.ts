/** A package pulled by Block2 in blocks of 1024 bytes: our downloader against a bare one that writes each block. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { createCoapDownloader } from "../agent/binding/coap-download.js";
import { createCoapUdpTransport } from "../agent/binding/coap-udp.js";
import { createTransferSettings } from "../agent/download/settings.js";
import { createSystemClock } from "../platform/clock.js";
import { createPackageStorage } from "../platform/files/packages.js";
import { createLog } from "../platform/log.js";
import { resolvePeer } from "../platform/net/resolve.js";
import { openUdpSocket } from "../platform/net/udp.js";
import { systemRandom } from "../platform/random.js";
import { pullBare, startPackageServer } from "./blocks.js";
import { type Figure, median, startChild } from "./child.js";

const packageSize = 10_000_000;
const rounds = 3;

interface Run {
  readonly seconds: number;
  readonly size: number;
}

export async function benchPull(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-bench-"));
  const server = await startChild(import.meta.url, ["block-server"]);
  const { port } = server.ready as { port: number };
  const runs: Record<"ours" | "bare", Run[]> = { ours: [], bare: [] };
  try {
    for (let round = 0; round < rounds; round++) {
      for (const role of ["bare", "ours"] as const) {
        const child = await startChild(import.meta.url, [`${role}-pull`, `${port}`, directory]);
        runs[role].push(child.ready as Run);
        await child.stop();
      }
    }
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
  const [ours, bare] = [runs.ours, runs.bare].map((all) => median(all.map(({ seconds }) => seconds)));
  const ratio = (bare ?? Number.NaN) / (ours ?? Number.NaN);
  const arrived = [...runs.ours, ...runs.bare].every(({ size }) => size === packageSize);
  const speed = (seconds: number | undefined) =>
    `${(packageSize / 1e6 / (seconds ?? Number.NaN)).toFixed(1)} MB/s`;
  return [
    {
      text:
        `pull of ${packageSize / 1e6} MB by Block2 (1024): ${speed(ours)}, a bare one that writes each block ` +
        `${speed(bare)}: ${ratio.toFixed(2)} of its speed (at least 1.2)`,
      holds: arrived && ratio >= 1.2,
    },
  ];
}

async function pullOurs(port: number, directory: string): Promise<number> {
  const [clock, log] = [createSystemClock(), createLog({ level: "error", pretty: false })];
  const random = systemRandom;
  const storage = createPackageStorage({ directory });
  const udp = createCoapUdpTransport({
    openSocket: (_, handlers) => openUdpSocket({ family: "udp4" }, handlers),
    resolve: resolvePeer,
    clock,
    random,
    log,
  });
  const settings = createTransferSettings({}, { storage, clock, random, log });
  const downloader = createCoapDownloader({ ...settings, transports: { coap: udp } });
  const { signal } = new AbortController();
  const { size } = await downloader.download(`coap://127.0.0.1:${port}/fw`, { signal, progress: () => {} });
  return size;
}

/** Time from the call to the file, without the start of the process. */
async function report(pull: () => Promise<number>): Promise<void> {
  const start = performance.now();
  const size = await pull();
  process.send?.({ seconds: (performance.now() - start) / 1000, size });
}

const [, , role, port, directory = ""] = process.argv;
if (role === "block-server") {
  process.send?.({ port: await startPackageServer(systemRandom.bytes(packageSize)) });
}
if (role === "ours-pull") await report(() => pullOurs(Number(port), directory));
if (role === "bare-pull") await report(() => pullBare(Number(port), join(directory, "bare")));
