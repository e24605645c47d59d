/** A package fetched by CoAP: a whole agent, real sockets, from a server on the `coap` package. */
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "coap";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millis } from "../../agent/ports.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";

const packageUri = [5, 0, 1] as const;
const state = [5, 0, 3] as const;
const result = [5, 0, 5] as const;
const protocols = [5, 0, 8] as const;

const image = createSimulatedImage({ name: "test", version: "2.0", size: 200_000, seed: 7 });

let server: Server;
let origin: string;
let managed: ManagedAgent;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/fw?v=2") {
      response.setOption("ETag", Buffer.from("01", "hex"));
      response.end(Buffer.from(image));
    } else {
      response.code = "4.04";
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  // The package does not say which port it has got.
  const { port } = (server as unknown as { _sock: { address(): AddressInfo } })._sock.address();
  origin = `coap://127.0.0.1:${port}`;
  managed = await startManagedAgent({ downloads: { retryDelay: millis(10) } });
});

afterAll(async () => {
  await managed?.close();
  await new Promise((resolve) => server.close(resolve));
});

async function outcome(): Promise<{ state: unknown; result: unknown }> {
  for (;;) {
    const now = { state: await managed.read(state), result: await managed.read(result) };
    if (now.state !== 1) return now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a package arrives, and is what it was", async () => {
  await managed.write(packageUri, `${origin}/fw?v=2`);
  expect(await outcome()).toEqual({ state: 2, result: 0 });
  await managed.write(packageUri, "");
});

test("one that is not there is Result 7", async () => {
  await managed.write(packageUri, `${origin}/nothing`);
  expect(await outcome()).toEqual({ state: 0, result: 7 });
});

test("the agent says that it fetches by CoAP, HTTP and HTTPS", async () => {
  expect(await managed.read(protocols)).toEqual(
    new Map([
      [0, 0],
      [1, 2],
      [2, 3],
    ]),
  );
});
