/** What a Server reads after it wrote each kind of Package URI: a whole agent, real CoAP, real HTTP. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millis } from "../../agent/ports.js";
import { DeviceResponseError } from "../../jobs/device-gateway.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";

const packageUri = [5, 0, 1] as const;
const state = [5, 0, 3] as const;
const result = [5, 0, 5] as const;
const maximumPackageSize = 300_000;

const image = createSimulatedImage({ name: "test", version: "2.0", size: 200_000, seed: 7 });

/** Misbehaves as its path says. */
const routes: Record<string, (response: ServerResponse) => void> = {
  "/good": (response) => void response.end(image),
  "/loop": (response) => void response.writeHead(302, { location: "/loop" }).end(),
  "/short": (response) => {
    response.writeHead(200, { "content-length": image.length });
    response.write(image.subarray(0, 1000), () => response.destroy());
  },
  "/endless": (response) => {
    const more = () => response.write(Buffer.alloc(65536), more);
    response.once("error", () => undefined);
    more();
  },
  "/announced-too-large": (response) =>
    void response.writeHead(200, { "content-length": 10 ** 9 }).write("x"),
  "/page": (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<h1>Log in</h1>"),
  "/other-package": (response) => void response.end("PK\u0003\u0004 this is some other archive"),
  "/damaged": (response) => {
    const damaged = Uint8Array.from(image);
    damaged[150_000] = (damaged[150_000] ?? 0) ^ 1;
    response.end(damaged);
  },
};

let http: Server;
let origin: string;
let managed: ManagedAgent;

beforeAll(async () => {
  http = createServer((request, response) => {
    const route = routes[request.url ?? ""];
    if (route) route(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  managed = await startManagedAgent({ maximumPackageSize, downloads: { retryDelay: millis(10) } });
});

afterAll(async () => {
  await managed.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

const write = (uri: string) => managed.write(packageUri, uri);

/** Waits until nothing is being downloaded any more. */
async function outcome(): Promise<{ state: unknown; result: unknown }> {
  for (;;) {
    const now = { state: await managed.read(state), result: await managed.read(result) };
    if (now.state !== 1) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test.each([
  { what: "a package that is in order", uri: "/good", ends: { state: 2, result: 0 } },
  { what: "nothing there (404)", uri: "/missing", ends: { state: 0, result: 7 } },
  { what: "redirects in a circle", uri: "/loop", ends: { state: 0, result: 7 } },
  { what: "a body shorter than announced", uri: "/short", ends: { state: 0, result: 4 } },
  { what: "a body without end", uri: "/endless", ends: { state: 0, result: 2 } },
  { what: "more announced than may come", uri: "/announced-too-large", ends: { state: 0, result: 2 } },
  { what: "a login page", uri: "/page", ends: { state: 0, result: 4 } },
  { what: "some other kind of file", uri: "/other-package", ends: { state: 0, result: 6 } },
  { what: "a damaged package", uri: "/damaged", ends: { state: 0, result: 5 } },
  { what: "no URI at all", uri: "no uri at all", ends: { state: 0, result: 7 } },
  { what: "a scheme that is not served", uri: "ftp://example.org/image", ends: { state: 0, result: 9 } },
  // Without any name service, as on a machine off the network, that is a fault of the connection.
  {
    what: "a host that nobody knows",
    uri: "http://nowhere.invalid/image",
    ends: { state: 0, result: expect.toBeOneOf([7, 4]) },
  },
  { what: "a port where nobody listens", uri: "http://127.0.0.1:9/image", ends: { state: 0, result: 4 } },
])("$what ends in $ends", async ({ uri, ends }) => {
  await write(uri.startsWith("/") ? `${origin}${uri}` : uri);
  expect(await outcome()).toEqual(ends);
  await write("");
  expect(await outcome()).toEqual({ state: 0, result: 0 });
});

test("a URI of 256 bytes is refused with 4.00 and changes nothing", async () => {
  const uri = `${origin}/`.padEnd(256, "x");
  await expect(write(uri)).rejects.toSatisfy(
    (error) => error instanceof DeviceResponseError && error.code === "4.00",
  );
  expect(await outcome()).toEqual({ state: 0, result: 0 });
});

test("a URI of 255 bytes is taken", async () => {
  await write(`${origin}/`.padEnd(255, "x"));
  expect(await outcome()).toEqual({ state: 0, result: 7 });
});
