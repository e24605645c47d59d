/** https and proxies: real TLS, with certificates of openssl's making. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import type { DownloadOptions } from "../../../agent/download/options.js";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { type Clock, millis } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHttpDownloader } from "../../../platform/download/http.js";
import { createProxyChoice, type Environment } from "../../../platform/download/proxy.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { createAuthority, type Identity } from "./authority.js";
import { startPackageServer, whole } from "./package-server.js";
import { startProxy } from "./proxy-server.js";
import { startRawServer } from "./raw-server.js";

const image = createSeededRandom(9).bytes(100_000);
const sha256 = createHash("sha256").update(image).digest("hex");
const directory = mkdtempSync(join(tmpdir(), "lwm2m-agent-authority-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const authority = createAuthority(directory);
const good = authority.issue();
const authoritiesFile = authority.certificateFile;

type Listener = https.ServerOptions & { readonly listener?: Parameters<typeof https.createServer>[1] };

/** @returns its port */
async function startTlsServer(identity: Identity, { listener, ...options }: Listener = {}): Promise<number> {
  const server = https.createServer({ ...identity, ...options }, (request, response) =>
    listener ? listener(request, response) : response.end(image),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface World {
  readonly environment?: Environment;
  readonly clock?: Clock;
}

async function download(uri: string, options: DownloadOptions = {}, { environment, clock }: World = {}) {
  const directory = temporaryDirectory();
  const settings = createTransferSettings(
    { attempts: 1, ...options },
    {
      storage: createPackageStorage({ directory }),
      clock: clock ?? createSystemClock(),
      random: createSeededRandom(1),
      log: createRecordingLog(),
    },
  );
  const proxyFor = createProxyChoice(options.proxy, environment);
  const downloader = createHttpDownloader({ ...settings, proxyFor, tls: options.tls ?? { authoritiesFile } });
  try {
    return await downloader.download(uri, { signal: new AbortController().signal, progress: () => {} });
  } catch (error) {
    expect(readdirSync(directory)).toEqual([]);
    throw error;
  }
}

const failsWith = (message: string | RegExp, failure = "connection") =>
  expect.objectContaining({ name: "PackageError", failure, message: expect.stringMatching(message) });

describe("a server", () => {
  test("that our authority vouches for is trusted, by name and by address", async () => {
    const port = await startTlsServer(good);
    expect(await download(`https://localhost:${port}/fw`)).toMatchObject({ sha256 });
    expect(await download(`https://127.0.0.1:${port}/fw`)).toMatchObject({ sha256 });
  });

  test("that only another authority vouches for is not: ours takes the place of all", async () => {
    const port = await startTlsServer(createAuthority().issue());
    await expect(download(`https://localhost:${port}/fw`)).rejects.toEqual(failsWith("not trusted here"));
  });

  test.each([
    [
      "has expired",
      { validFrom: "200101000000Z", validTo: "210101000000Z" },
      "the certificate of the server has expired",
    ],
    ["is not valid yet", { validFrom: "480101000000Z" }, "is not valid yet"],
    ["is for another name", { names: "DNS:example.com" }, "is for another name"],
  ])("whose certificate %s is not asked", async (_, options, message) => {
    const asked: string[] = [];
    const listener: Listener["listener"] = (request) => asked.push(request.url ?? "");
    const port = await startTlsServer(authority.issue(options), { listener });
    await expect(download(`https://localhost:${port}/fw`)).rejects.toEqual(failsWith(message));
    expect(asked).toEqual([]);
  });

  test("is not what is wrong when our clock is not set, and that is said", async () => {
    const port = await startTlsServer(authority.issue({ validFrom: "480101000000Z" }));
    const clock = { ...createSystemClock(), date: () => new Date("1970-01-01T00:01:00Z") };
    await expect(download(`https://localhost:${port}/fw`, {}, { clock })).rejects.toEqual(
      failsWith("the clock of this device is not set: it shows 1970-01-01T00:01:00.000Z"),
    );
  });

  test("that speaks no TLS is not understood", async () => {
    const { origin } = await startPackageServer([whole(image)]);
    await expect(download(origin.replace("http:", "https:"))).rejects.toEqual(failsWith("cannot be reached"));
  });

  test("that redirects to http is not followed", async () => {
    const plain = await startPackageServer([whole(image)]);
    const listener: Listener["listener"] = (_, response) =>
      void response.writeHead(302, { location: plain.origin }).end();
    const port = await startTlsServer(good, { listener });
    await expect(download(`https://localhost:${port}/fw`)).rejects.toEqual(
      failsWith("not protected by TLS", "invalid-uri"),
    );
    expect(plain.requests).toEqual([]);
  });
});

describe("a pinned key", () => {
  const other = "0".repeat(64);
  test("that the server has is enough, among others", async () => {
    const port = await startTlsServer(good);
    const tls = { authoritiesFile, pinnedKeys: [other, good.pin] };
    expect(await download(`https://localhost:${port}/fw`, { tls })).toMatchObject({ sha256 });
  });

  test("that it does not have ends the connection before anything is asked", async () => {
    const asked: string[] = [];
    const port = await startTlsServer(good, { listener: (request) => asked.push(request.url ?? "") });
    const tls = { authoritiesFile, pinnedKeys: [other] };
    await expect(download(`https://localhost:${port}/fw`, { tls })).rejects.toEqual(
      failsWith(`not pinned here \\(its SHA-256 is ${good.pin}\\)`),
    );
    expect(asked).toEqual([]);
  });

  test("makes no other authority trusted", async () => {
    const stranger = createAuthority().issue();
    const port = await startTlsServer(stranger);
    const tls = { authoritiesFile, pinnedKeys: [stranger.pin] };
    await expect(download(`https://localhost:${port}/fw`, { tls })).rejects.toEqual(failsWith("not trusted"));
  });
});

describe("a server that wants to know who we are", () => {
  const wanting = { ca: authority.cert, requestCert: true, rejectUnauthorized: true };

  test("is shown our certificate", async () => {
    const { certificateFile, keyFile } = authority.issue();
    const port = await startTlsServer(good, wanting);
    const tls = { authoritiesFile, certificateFile, keyFile };
    expect(await download(`https://localhost:${port}/fw`, { tls })).toMatchObject({ sha256 });
  });

  test("refuses us without one", async () => {
    const port = await startTlsServer(good, wanting);
    await expect(download(`https://localhost:${port}/fw`)).rejects.toEqual(failsWith("cannot be reached"));
  });

  test.each(["authoritiesFile", "certificateFile", "keyFile"] as const)(
    "waits for no missing %s",
    async (name) => {
      await expect(download("https://localhost:1/fw", { tls: { [name]: "/nowhere/x.pem" } })).rejects.toEqual(
        failsWith(`cannot read /nowhere/x.pem \\(downloads.tls.${name}\\): no such file`),
      );
    },
  );
});

describe("a proxy", () => {
  test("is given the whole URL of http, and credentials of its own", async () => {
    const { origin, requests } = await startPackageServer([whole(image)]);
    const proxy = await startProxy();
    const uri = origin.replace("127.0.0.1", "us%40er:pass@firmware.invalid");
    const options = { proxy: { url: `http://me:secret@${proxy.host}` } };
    expect(await download(`${uri}/fw?v=1`, options)).toMatchObject({ sha256 });
    const authorization = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    const target = `GET ${origin.replace("127.0.0.1", "firmware.invalid")}/fw?v=1`;
    expect(proxy.requests).toEqual([{ target, authorization }]);
    expect(requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from("us@er:pass").toString("base64")}`);
  });

  test("makes a tunnel for https, through which the server is checked and pinned", async () => {
    const named = authority.issue({ names: "DNS:firmware.invalid" });
    const port = await startTlsServer(named);
    const proxy = await startProxy();
    const uri = `https://firmware.invalid:${port}/fw`;
    const options = { proxy: { url: `http://me:secret@${proxy.host}` } };
    const tls = { authoritiesFile, pinnedKeys: [named.pin] };
    expect(await download(uri, { ...options, tls })).toMatchObject({ sha256 });
    expect(proxy.requests[0]?.target).toBe(`CONNECT firmware.invalid:${port}`);
    expect(proxy.requests[0]?.authorization).toMatch(/^Basic /);
    const wrong = { authoritiesFile, pinnedKeys: [good.pin] };
    await expect(download(uri, { ...options, tls: wrong })).rejects.toEqual(failsWith("not pinned here"));
    const foreign = { authoritiesFile: createAuthority().certificateFile };
    await expect(download(uri, { ...options, tls: foreign })).rejects.toEqual(failsWith("not trusted here"));
  });

  test("may be spoken to by TLS itself", async () => {
    const port = await startTlsServer(good);
    const proxy = await startProxy({ identity: good });
    const options = { proxy: { url: `https://${proxy.host}` } };
    expect(await download(`https://localhost:${port}/fw`, options)).toMatchObject({ sha256 });
    const { origin } = await startPackageServer([whole(image)]);
    expect(await download(`${origin}/fw`, options)).toMatchObject({ sha256 });
    expect(proxy.requests.map(({ target }) => target)).toEqual([
      `CONNECT localhost:${port}`,
      `GET ${origin}/fw`,
    ]);
  });

  test.each([407, 403, 502])("that refuses with %d is a failure of the connection", async (refuse) => {
    const proxy = await startProxy({ refuse });
    const options = { proxy: { url: `http://${proxy.host}` } };
    await expect(download("https://firmware.invalid/fw", options)).rejects.toEqual(
      failsWith(`the proxy ${proxy.host} answers ${refuse} for firmware.invalid`),
    );
  });

  test("that is not there, or has no name, is a failure of the connection", async () => {
    for (const url of ["http://127.0.0.1:9", `http://${"a".repeat(64)}.invalid`]) {
      for (const uri of ["https://firmware.invalid/fw", "http://firmware.invalid/fw"]) {
        await expect(download(uri, { proxy: { url } })).rejects.toEqual(failsWith("proxy"));
      }
    }
  });

  test("that says nothing is given up in time", async () => {
    const { origin } = await startRawServer(() => {});
    const options = { proxy: { url: origin }, connectTimeout: millis(60), stallTimeout: millis(60) };
    await expect(download("https://firmware.invalid/fw", options)).rejects.toEqual(failsWith("no answer"));
    await expect(download("http://firmware.invalid/fw", options)).rejects.toEqual(
      failsWith("has sent nothing"),
    );
  });

  test("of the environment is taken, unless the host is this one, or it is not to be", async () => {
    const { origin } = await startPackageServer([whole(image)]);
    const proxy = await startProxy();
    const named = origin.replace("127.0.0.1", "firmware.invalid");
    await download(`${named}/fw`, {}, { environment: { http_proxy: `http://${proxy.host}` } });
    expect(proxy.requests).toHaveLength(1);
    const environment = { http_proxy: `http://${proxy.host}`, no_proxy: "example.com" };
    await download(`${origin}/fw`, {}, { environment });
    await download(
      `${origin}/fw`,
      { proxy: "none" },
      { environment: { http_proxy: `http://${proxy.host}` } },
    );
    expect(proxy.requests).toHaveLength(1);
  });
});

describe("a redirection", () => {
  const basic = `Basic ${Buffer.from("user:pass").toString("base64")}`;
  const redirectsTo = (location: (port: number) => string) => {
    const seen: (string | undefined)[] = [];
    const listener: Listener["listener"] = ({ headers, url, socket }, response) => {
      seen.push(headers.authorization);
      if (url === "/end") return void response.end(image);
      response.writeHead(302, { location: location((socket.address() as AddressInfo).port) }).end();
    };
    return { seen, listener };
  };

  test.each([
    [
      "to the same host takes the credentials along",
      (port: number) => `https://localhost:${port}/end`,
      [basic, basic],
    ],
    ["to another host drops them", (port: number) => `https://127.0.0.1:${port}/end`, [basic, undefined]],
  ])("%s", async (_, location, expected) => {
    const { seen, listener } = redirectsTo(location);
    const port = await startTlsServer(good, { listener });
    expect(await download(`https://user:pass@localhost:${port}/fw`)).toMatchObject({ sha256 });
    expect(seen).toEqual(expected);
  });
});
