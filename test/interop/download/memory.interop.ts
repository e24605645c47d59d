/** How much memory a process takes for a package of a gigabyte: as much as for a small one. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const megabyte = 1_000_000;
const piece = randomBytes(megabyte);
const script = join(import.meta.dirname, "../../platform/download/download.mjs");
const directory = mkdtempSync(join(tmpdir(), "lwm2m-agent-memory-"));

function send(response: ServerResponse, megabytes: number): void {
  for (let left = megabytes; left > 0; left--) {
    if (!response.write(piece)) return void response.once("drain", () => send(response, left - 1));
  }
  response.end();
}

/** As many megabytes as the path says. */
const server = createServer(({ url = "" }, response) => {
  const megabytes = Number(url.slice(1));
  response.writeHead(200, { "content-length": megabytes * megabyte, etag: '"1"' });
  send(response, megabytes);
});
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

/** @returns megabytes, at the most */
async function memoryFor(megabytes: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    directory,
    `${origin}/${megabytes}`,
  ]);
  return (Number(stdout.trim().split(" ")[1]) * 1024) / megabyte;
}

test("is flat", async () => {
  const small = await memoryFor(100);
  const large = await memoryFor(1000);
  expect(large).toBeLessThan(small + 10);
  expect(large).toBeLessThan(80);
});
