/** The process is killed amid a download, again and again: each run goes on from what was durable. */
import { type ChildProcess, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createSeededRandom } from "../../simulated/random.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

const mebibyte = 1024 ** 2;
const size = 40 * mebibyte;
const noise = createSeededRandom(11).bytes(mebibyte);
/** A mebibyte of noise after the other, each with its number at its beginning. */
const image = Buffer.concat(
  Array.from({ length: 40 }, (_, number) => Buffer.concat([Buffer.of(number), noise.subarray(1)])),
);
const sha256 = createHash("sha256").update(image).digest("hex");
const script = join(import.meta.dirname, "download.mjs");

/** Serves the image, or the rest of it. @param onSent hears how many bytes of an answer have been sent; the rest waits for it */
async function serve(onSent: (bytes: number) => Promise<void>) {
  const starts: number[] = [];
  const server = createServer(({ headers }, response) => {
    const same = headers["if-range"] === '"1"';
    const start = same ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0) : 0;
    starts.push(start);
    response.writeHead(start > 0 ? 206 : 200, {
      etag: '"1"',
      "content-length": size - start,
      ...(start > 0 && { "content-range": `bytes ${start}-${size - 1}/${size}` }),
    });
    send(response, start, start);
  });
  const send = (response: ServerResponse, start: number, offset: number) => {
    if (offset >= size) return void response.end();
    const next = Math.min(size, offset + mebibyte);
    response.write(image.subarray(offset, next), async () => {
      await onSent(next - start);
      send(response, start, next);
    });
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fw`, starts };
}

test("a download that is killed four times arrives with the fifth run", async () => {
  const directory = temporaryDirectory();
  let child: ChildProcess | undefined;
  let kill = { after: 0, durable: 0 };
  const durable = () => {
    try {
      return JSON.parse(readFileSync(join(directory, "package.part.json"), "utf8")).durable as number;
    } catch {
      return 0;
    }
  };
  const { uri, starts } = await serve(async (bytes) => {
    if (bytes < kill.after * mebibyte) return;
    while (durable() < kill.durable * mebibyte) await new Promise((resolve) => setTimeout(resolve, 5));
    child?.kill("SIGKILL");
  });
  const run = async () => {
    let output = "";
    child = execFile(process.execPath, [script, directory, uri]);
    child.stdout?.on("data", (text: string) => (output += text));
    child.stderr?.on("data", (text: string) => (output += text));
    const [, signal] = await once(child, "close");
    return { output: output.replace(/ \d+\n$/, ""), signal };
  };
  // Mebibytes of an answer, and of the file; a sync follows each eight.
  for (kill of [
    { after: 20, durable: 7 },
    { after: 1, durable: 0 },
    { after: 18, durable: 15 },
    { after: 3, durable: 0 },
  ]) {
    expect(await run()).toEqual({ output: "", signal: "SIGKILL" });
  }
  kill = { after: 100, durable: 0 };
  expect(await run()).toEqual({ output: sha256, signal: null });
  expect(readdirSync(directory)).toEqual(["package"]);
  // Nothing was fetched twice that was durable.
  expect(starts).toHaveLength(5);
  expect(starts[0]).toBe(0);
  expect(starts[1]).toBeGreaterThanOrEqual(7 * mebibyte);
  expect(starts[3]).toBeGreaterThanOrEqual(15 * mebibyte);
  expect(starts).toEqual(starts.toSorted((a, b) => a - b));
});
