/**
 * A package of 200 MB over HTTP on loopback: our downloader, which also syncs and bounds it, against a bare pipeline of
 * request, hash and file, and against curl. Each run is a process of its own, in turn.
 */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createTransferSettings } from "../agent/download/settings.js";
import { createSystemClock } from "../platform/clock.js";
import { createHttpDownloader } from "../platform/download/http.js";
import { createPackageStorage } from "../platform/files/packages.js";
import { createLog } from "../platform/log.js";
import { systemRandom } from "../platform/random.js";
import { keepHeapSmall } from "../platform/small-heap.js";
import { type Figure, median, startChild } from "./child.js";

const megabytes = 200;
const megabyte = 1_000_000;
const rounds = 5;

interface Run {
  readonly seconds: number;
  readonly sha256: string;
  /** Megabytes, of the whole process. */
  readonly peakMemory: number;
  /** Of one core, while it downloads. */
  readonly cpuShare: number;
}

export async function benchDownload(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-bench-"));
  const server = await startChild(import.meta.url, ["package-server"]);
  const { port } = server.ready as { port: number };
  const uri = `http://127.0.0.1:${port}/fw.bin`;
  const runs: Record<"ours" | "bare", Run[]> = { ours: [], bare: [] };
  const curl: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const role of ["bare", "ours"] as const) {
        const child = await startChild(import.meta.url, [`${role}-download`, uri, directory]);
        runs[role].push(child.ready as Run);
        await child.stop();
      }
      const seconds = await timeCurl(uri, directory);
      if (seconds !== undefined) curl.push(seconds);
    }
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
  const all = [...runs.ours, ...runs.bare];
  const [ours, bare] = [secondsOf(runs.ours), secondsOf(runs.bare)];
  const peak = Math.max(...runs.ours.map(({ peakMemory }) => peakMemory));
  const barePeak = Math.max(...runs.bare.map(({ peakMemory }) => peakMemory));
  const beside = curl.length === 0 ? "" : `, curl ${median(curl).toFixed(2)} s`;
  return [
    {
      text:
        `download of ${megabytes} MB: ${ours.toFixed(2)} s, bare pipeline ${bare.toFixed(2)} s: ` +
        `${(bare / ours).toFixed(2)} of its speed (at least 0.9)${beside}`,
      holds: bare / ours >= 0.9 && all.every(({ sha256 }) => sha256 === all[0]?.sha256),
    },
    {
      text:
        `peak RSS of the process that downloads ${megabytes} MB: ${peak.toFixed(0)} MB (below 75 MB), ` +
        `bare pipeline ${barePeak.toFixed(0)} MB; CPU ${percent(runs.ours)} of a core, bare pipeline ${percent(runs.bare)}`,
      holds: peak < 75,
    },
  ];
}

const secondsOf = (runs: readonly Run[]) => median(runs.map(({ seconds }) => seconds));

const percent = (runs: readonly Run[]) =>
  `${(median(runs.map(({ cpuShare }) => cpuShare)) * 100).toFixed(0)} %`;

/** undefined when there is no curl. */
async function timeCurl(uri: string, directory: string): Promise<number | undefined> {
  const start = performance.now();
  try {
    await promisify(execFile)("curl", ["--silent", "--fail", "--output", join(directory, "curl"), uri]);
    return (performance.now() - start) / 1000;
  } catch {
    return undefined;
  }
}

function runServer(): void {
  const piece = randomBytes(megabyte);
  const server = createServer((_, response) => {
    // With an ETag, as a real one: so the durable part is on record all the way.
    response.writeHead(200, { "content-length": megabytes * megabyte, etag: `"1"` });
    let sent = 0;
    const send = () => {
      while (sent < megabytes) {
        sent++;
        if (!response.write(piece)) return void response.once("drain", send);
      }
      response.end();
    };
    send();
  });
  server.listen(0, "127.0.0.1", () => process.send?.(server.address()));
}

/** Time from the call to the file, without the start of the process. */
async function report(download: () => Promise<string>): Promise<void> {
  const start = performance.now();
  const before = process.cpuUsage();
  const sha256 = await download();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cpuShare = (user + system) / 1e6 / seconds;
  process.send?.({
    seconds,
    sha256,
    cpuShare,
    peakMemory: (process.resourceUsage().maxRSS * 1024) / megabyte,
  });
}

async function downloadOurs(uri: string, directory: string): Promise<string> {
  keepHeapSmall(); // as the command line does
  const downloader = createHttpDownloader(
    createTransferSettings(
      {},
      {
        storage: createPackageStorage({ directory }),
        clock: createSystemClock(),
        random: systemRandom,
        log: createLog({ level: "error", pretty: false }),
      },
    ),
  );
  const { signal } = new AbortController();
  return (await downloader.download(uri, { signal, progress: () => {} })).sha256;
}

async function downloadBare(uri: string, directory: string): Promise<string> {
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(piece, _encoding, callback) {
      hash.update(piece);
      callback(null, piece);
    },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    get(uri, resolve).on("error", reject),
  );
  await pipeline(response, hashing, createWriteStream(join(directory, "bare")));
  return hash.digest("hex");
}

const [, , role, uri = "", directory = ""] = process.argv;
if (role === "package-server") runServer();
if (role === "ours-download") await report(() => downloadOurs(uri, directory));
if (role === "bare-download") await report(() => downloadBare(uri, directory));
