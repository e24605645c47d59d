/**
 * What it costs to verify a package of 200 MB that was downloaded over HTTP on loopback: signed beside it, where the digest of
 * the download is enough, and as a bundle, whose contents are hashed, against a bare SHA-256 of the same file. Each run is a
 * process of its own.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { performance } from "node:perf_hooks";
import { createTransferSettings } from "../agent/download/settings.js";
import { createSystemClock } from "../platform/clock.js";
import { createHttpDownloader } from "../platform/download/http.js";
import { fetchSmallFile } from "../platform/download/small-file.js";
import { createPackageStorage } from "../platform/files/packages.js";
import { createLog } from "../platform/log.js";
import { parsePrivateKey } from "../platform/package/keys.js";
import { createKeyFiles, writeReleaseBundle, writeSignatureFile } from "../platform/package/release.js";
import { systemRandom } from "../platform/random.js";
import { type Figure, median, startChild } from "./child.js";

const megabytes = 200;
const megabyte = 1_000_000;
const rounds = 5;

interface Run {
  readonly downloadSeconds: number;
  /** From the complete file to the verdict: loading the code, fetching the signature and all. */
  readonly verifySeconds: number;
  readonly bareHashSeconds: number;
  /** Megabytes, of the whole process. */
  readonly peakMemory: number;
}

export async function benchVerification(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-bench-"));
  const runs: Record<"fw.bin" | "fw.bundle", Run[]> = { "fw.bin": [], "fw.bundle": [] };
  try {
    await release(directory);
    const server = await startChild(import.meta.url, ["signed-server", directory]);
    const { port } = server.ready as { port: number };
    try {
      for (let round = 0; round < rounds; round++) {
        for (const name of ["fw.bin", "fw.bundle"] as const) {
          const uri = `http://127.0.0.1:${port}/${name}`;
          const child = await startChild(import.meta.url, ["verified-download", directory, uri]);
          runs[name].push(child.ready as Run);
          await child.stop();
        }
      }
    } finally {
      await server.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return figures(runs["fw.bin"], runs["fw.bundle"]);
}

function figures(beside: readonly Run[], bundles: readonly Run[]): Figure[] {
  const of = (runs: readonly Run[], key: keyof Run) => median(runs.map((run) => run[key]));
  const [download, verify] = [of(beside, "downloadSeconds"), of(beside, "verifySeconds")];
  const [whole, bare] = [of(bundles, "verifySeconds"), of(bundles, "bareHashSeconds")];
  const peak = Math.max(...[...beside, ...bundles].map(({ peakMemory }) => peakMemory));
  return [
    {
      text:
        `signature beside ${megabytes} MB: verified in ${(verify * 1000).toFixed(0)} ms, ` +
        `${((100 * verify) / download).toFixed(1)} % of the ${download.toFixed(2)} s of its download (below 10 %)`,
      holds: verify / download < 0.1,
    },
    {
      text:
        `bundle of ${megabytes} MB: verified in ${whole.toFixed(2)} s, bare SHA-256 ${bare.toFixed(2)} s: ` +
        `${(bare / whole).toFixed(2)} of its speed (at least 0.7); peak RSS ${peak.toFixed(0)} MB (below 85 MB)`,
      holds: bare / whole >= 0.7 && peak < 85,
    },
  ];
}

/** A package, its signature and its bundle. */
async function release(directory: string): Promise<void> {
  const path = join(directory, "fw.bin");
  const file = await open(path, "w");
  const piece = randomBytes(megabyte);
  for (let written = 0; written < megabytes; written++) await file.writeFile(piece);
  await file.close();
  await createKeyFiles(join(directory, "release"), undefined);
  const pem = await readFile(join(directory, "release.key"), "utf8");
  const privateKey = await parsePrivateKey(pem, "release.key", async () => "");
  const about = { name: "bench", version: "1.0", compatible: ["bench"], paths: [path], privateKey };
  await writeSignatureFile(about, `${path}.sig`);
  await writeReleaseBundle(about, join(directory, "fw.bundle"));
}

function runServer(directory: string): void {
  const server = createServer(async ({ url = "" }, response) => {
    const path = join(directory, basename(url));
    response.writeHead(200, { "content-length": (await stat(path)).size });
    createReadStream(path, { highWaterMark: megabyte }).pipe(response);
  });
  server.listen(0, "127.0.0.1", () => process.send?.(server.address()));
}

async function run(directory: string, uri: string): Promise<Run> {
  const log = createLog({ level: "error", pretty: false });
  const clock = createSystemClock();
  const placeIn = (folder: string) => {
    const storage = createPackageStorage({ directory: join(directory, folder) });
    const settings = createTransferSettings({}, { storage, clock, random: systemRandom, log });
    return { storage, downloaders: [createHttpDownloader(settings)] };
  };
  const { signal } = new AbortController();
  const [downloader] = placeIn("cache").downloaders;
  if (downloader === undefined) throw new Error("there is no downloader");
  const start = performance.now();
  const image = await downloader.download(uri, { signal, progress: () => {} });
  const downloaded = performance.now();
  const { createPackageVerifier } = await import("../platform/package/verifier.js");
  const verifier = createPackageVerifier({
    keys: [join(directory, "release.pub")],
    compatible: async () => ["bench"],
    fetchSmall: (address, options) => fetchSmallFile(address, placeIn("signature"), options),
    log,
  });
  await verifier.verify(image, { uri, signal });
  const verified = performance.now();
  const peakMemory = (process.resourceUsage().maxRSS * 1024) / megabyte;
  const hash = createHash("sha256");
  for await (const piece of createReadStream(image.path, { highWaterMark: 256 * 1024 })) hash.update(piece);
  hash.digest();
  return {
    downloadSeconds: (downloaded - start) / 1000,
    verifySeconds: (verified - downloaded) / 1000,
    bareHashSeconds: (performance.now() - verified) / 1000,
    peakMemory,
  };
}

const [, , role, directory = "", uri = ""] = process.argv;
if (role === "signed-server") runServer(directory);
if (role === "verified-download") process.send?.(await run(directory, uri));
