import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type CoapConnection, createCoapDownloader } from "../../../agent/binding/coap-download.js";
import type { BlockRequest } from "../../../agent/coap/block-client.js";
import { type BlockResponse, ExchangeError, type Request } from "../../../agent/coap/exchange-types.js";
import type { DownloadOptions } from "../../../agent/download/options.js";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { type DownloadProgress, seconds, TransportError } from "../../../agent/ports.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createMemoryDisk, createMemoryDownloadStorage } from "../../simulated/download-storage.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";

const random = createSeededRandom(5);
const image = random.bytes(20_500); // 20 blocks of 1024 bytes and 20 bytes
const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const tag = (value: number) => Uint8Array.of(value);

type Server = (block: BlockRequest, asked: number, request: Request) => Partial<BlockResponse>;

/** A server that behaves: blocks no larger than `largest`. */
const serving =
  (body: Uint8Array, { eTag = tag(1), largest = 1024, bodySize = body.length } = {}): Server =>
  ({ number, size }) => {
    const [offset, served] = [number * size, Math.min(size, largest)];
    return {
      payload: body.subarray(offset, offset + served),
      block: { number: offset / served, size: served, more: offset + served < body.length },
      eTag,
      ...(offset === 0 && { bodySize }),
    };
  };

const without =
  (server: Server, option: "eTag" | "bodySize" | "block"): Server =>
  (...asked) => {
    const { [option]: _, ...rest } = server(...asked);
    return rest;
  };

/** The first server until the request with this number (from 1), then the next one. */
const then =
  (first: Server, count: number, next: Server): Server =>
  (block, asked, request) =>
    (asked <= count ? first : next)(block, asked, request);

const silent: Server = () => {
  throw new ExchangeError("timeout", "the peer does not answer");
};
const answers =
  (code: BlockResponse["code"], maxAge?: number): Server =>
  () => ({ code, ...(maxAge !== undefined && { maxAge }) });

function createDevice(
  server: Server,
  options: DownloadOptions = {},
  disk = createMemoryDisk(),
  limit = 1_000_000,
) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const progress: DownloadProgress[] = [];
  const requests: { readonly offset: number; readonly size: number; readonly path: readonly string[] }[] = [];
  const abort = new AbortController();
  let open = 0;
  const connection: CoapConnection = {
    async requestBlock(request, block) {
      requests.push({ offset: block.number * block.size, size: block.size, path: request.path });
      const answer = server(block, requests.length, request);
      return { code: "2.05", payload: new Uint8Array(), ...answer };
    },
    close: async () => void open--,
  };
  const settings = createTransferSettings(options, {
    storage: createMemoryDownloadStorage(disk, limit),
    clock,
    random: createSeededRandom(1),
    log,
  });
  const hosts: string[] = [];
  const connect = async (host: string, port: number) => {
    hosts.push(`${host} ${port}`);
    if (host === "unreachable") throw new TransportError("no route");
    open++;
    return connection;
  };
  const downloader = createCoapDownloader({
    ...settings,
    transports: { coap: { defaultPort: 5683, connect } },
  });
  /** Lets time pass until the download has ended. */
  const download = async (uri = "coap://host/fw") => {
    let over = false;
    const ended = downloader
      .download(uri, { signal: abort.signal, progress: (state) => progress.push(state) })
      .then(
        (file) => ({ file, error: undefined }),
        (error: unknown) => ({ file: undefined, error }),
      )
      .finally(() => {
        over = true;
      });
    while (!over) await clock.advance(seconds(60));
    return await ended;
  };
  return { download, abort, clock, log, progress, requests, disk, hosts, open: () => open };
}

const failsWith = (failure: string, message: string) =>
  expect.objectContaining({ name: "PackageError", failure, message: expect.stringContaining(message) });

describe("a package", () => {
  test("arrives block by block", async () => {
    const device = createDevice(serving(image));
    const { file } = await device.download("coap://host:5690/a/b%20c?v=1&w");
    expect(file).toMatchObject({ size: image.length, sha256: sha256Of(image) });
    expect(device.requests.map(({ offset }) => offset)).toEqual(
      Array.from({ length: 21 }, (_, n) => n * 1024),
    );
    expect(device.requests[0]?.path).toEqual(["a", "b c"]);
    expect(device.hosts).toEqual(["host 5690"]);
    expect(device.progress.at(-1)).toMatchObject({ received: image.length, total: image.length });
    expect([device.open(), device.clock.pending]).toEqual([0, 0]);
  });

  test.each([0, 1, 1023, 1024, 1025, 2048])("may have %d bytes", async (size) => {
    const body = image.subarray(0, size);
    const { file } = await createDevice(serving(body)).download();
    expect(file).toMatchObject({ size, sha256: sha256Of(body) });
  });

  test("may come whole, without any block", async () => {
    const { file } = await createDevice(() => ({ payload: image.subarray(0, 700) })).download();
    expect(file).toMatchObject({ size: 700 });
  });

  test("may come in smaller blocks than asked for", async () => {
    const device = createDevice(serving(image, { largest: 64 }));
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(image) });
    expect(device.requests[1]).toMatchObject({ offset: 64, size: 64 });
  });

  test("needs neither an ETag nor a size", async () => {
    const bare = without(without(serving(image), "eTag"), "bodySize");
    expect((await createDevice(bare).download()).file).toMatchObject({ sha256: sha256Of(image) });
  });

  test("that is too large is refused at its first block", async () => {
    const device = createDevice(serving(image, { bodySize: 2_000_000 }));
    expect((await device.download()).error).toEqual(failsWith("storage", "too large"));
    expect(device.requests).toHaveLength(1);
  });
});

describe("after a loss of the connection", () => {
  test("goes on with the next block", async () => {
    const dark: Server = (block, asked, request) =>
      asked === 11 || asked === 12 ? silent(block, asked, request) : serving(image)(block, asked, request);
    const device = createDevice(dark);
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(image) });
    expect(device.requests.slice(10, 13).map(({ offset }) => offset)).toEqual([10_240, 10_240, 10_240]);
    expect(device.log.lines.filter(({ event }) => event === "download interrupted")).toHaveLength(2);
  });

  test("starts over when no ETag tells that it is the same", async () => {
    const bare = without(serving(image), "eTag");
    const device = createDevice(then(bare, 10, then(silent, 11, bare)));
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(image) });
    expect(device.requests[11]).toMatchObject({ offset: 0 });
  });

  test("is given up after the last attempt, with nothing left", async () => {
    const device = createDevice(then(serving(image), 10, silent), { attempts: 3 });
    expect((await device.download()).error).toEqual(
      failsWith("connection", "does not answer (given up after 3"),
    );
    expect(device.requests).toHaveLength(13);
    expect([device.disk.part, device.open(), device.clock.pending]).toEqual([undefined, 0, 0]);
  });

  test("to nowhere is given up in time", async () => {
    const device = createDevice(silent, { attempts: 1000, totalTime: seconds(3600) });
    expect((await device.download()).error).toEqual(failsWith("connection", "did not arrive within 3600 s"));
    const unreachable = createDevice(silent, { attempts: 2 });
    expect((await unreachable.download("coap://unreachable/fw")).error).toEqual(
      failsWith("connection", "no route"),
    );
    expect(unreachable.hosts).toHaveLength(2);
  });
});

describe("after a restart", () => {
  /** Ten blocks are on disk. */
  async function interrupted() {
    const device = createDevice((block, asked, request) => {
      if (asked === 11) device.abort.abort(new Error("the agent stops"));
      return asked === 11 ? silent(block, asked, request) : serving(image)(block, asked, request);
    });
    expect((await device.download()).error).toEqual(new Error("the agent stops"));
    return device.disk;
  }

  test("goes on with the next block", async () => {
    const device = createDevice(serving(image), {}, await interrupted());
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(image) });
    expect(device.requests[0]).toMatchObject({ offset: 10_240, size: 1024 });
    expect(device.requests).toHaveLength(11);
  });

  test("starts over when the package is another one by now", async () => {
    const other = random.bytes(3000);
    const device = createDevice(serving(other, { eTag: tag(2) }), {}, await interrupted());
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(other) });
  });

  test("starts over when that block is not there any more", async () => {
    const server: Server = (block, asked, request) =>
      asked === 1 ? { code: "4.00" } : serving(image)(block, asked, request);
    const device = createDevice(server, {}, await interrupted());
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(image) });
  });

  test("of a package from elsewhere begins anew", async () => {
    const device = createDevice(serving(image), {}, await interrupted());
    expect((await device.download("coap://host/other")).file).toMatchObject({ sha256: sha256Of(image) });
    expect(device.requests[0]).toMatchObject({ offset: 0 });
  });
});

describe("a package that changes while it is downloaded", () => {
  const second = serving(random.bytes(5000), { eTag: tag(2) });

  test("is downloaded anew, once", async () => {
    const { file } = await createDevice(then(serving(image), 10, second)).download();
    expect(file).toMatchObject({ size: 5000 });
  });

  test("is given up when it changes again", async () => {
    const third = then(second, 13, serving(image, { eTag: tag(3) }));
    const device = createDevice(then(serving(image), 10, third));
    expect((await device.download()).error).toEqual(
      failsWith("connection", "changes while it is downloaded"),
    );
    expect(device.disk.part).toBeUndefined();
  });

  test("to and fro is given up", async () => {
    const first = serving(image);
    const restless: Server = (block, asked, request) =>
      block.number === 0
        ? first(block, asked, request)
        : { ...first(block, asked, request), eTag: tag(asked) };
    expect((await createDevice(restless).download()).error).toEqual(
      failsWith("connection", "given up after 5"),
    );
  });
});

describe("a server that answers", () => {
  test.each<[BlockResponse["code"], string, string]>([
    ["4.04", "invalid-uri", "answers 4.04: there is no package for us"],
    ["4.01", "invalid-uri", "answers 4.01"],
    ["4.03", "invalid-uri", "answers 4.03"],
    ["4.05", "invalid-uri", "answers 4.05"],
    ["4.00", "invalid-uri", "answers 4.00"],
    ["2.04", "invalid-uri", "answers 2.04: that is no package"],
  ])("%s has no package", async (code, failure, message) => {
    const device = createDevice(answers(code));
    expect((await device.download()).error).toEqual(failsWith(failure, message));
    expect(device.requests).toHaveLength(1);
  });

  test.each(["4.29", "5.00", "5.03"] as const)("%s is asked again", async (code) => {
    const device = createDevice(then(answers(code, 300), 2, serving(image)));
    expect((await device.download()).file).toMatchObject({ sha256: sha256Of(image) });
    expect(device.log.lines.map(({ fields }) => fields["delay"])).toEqual([300_000, 300_000]);
  });

  test.each<[string, Server]>([
    [
      "another block",
      ({ number, size }) => ({ ...serving(image)({ number: number + 1, size }, 0, noRequest) }),
    ],
    ["a short block", (block) => ({ ...serving(image)(block, 0, noRequest), payload: new Uint8Array(10) })],
    ["always the first", () => serving(image)({ number: 0, size: 1024 }, 0, noRequest)],
    [
      "nonsense",
      () => {
        throw new ExchangeError("protocol", "option 4711 cannot be understood");
      },
    ],
  ])("%s is given up", async (_, server) => {
    const device = createDevice(server);
    expect((await device.download()).error).toEqual(failsWith("connection", "given up after 5 attempts"));
    expect(device.disk).toEqual({ part: undefined, complete: undefined });
  });
});
const noRequest: Request = { method: "GET", path: [] };

test.each([
  ["coap:", "invalid-uri"],
  ["coap:///fw", "invalid-uri"],
  ["coap://user@host/fw", "invalid-uri"],
  ["coap://host/fw#1", "invalid-uri"],
  ["coap://host/%ff", "invalid-uri"],
  [`coap://host/${"a".repeat(256)}`, "invalid-uri"],
  ["coaps://host/fw", "unsupported-protocol"],
  ["http://host/fw", "unsupported-protocol"],
])("%s is refused without a word to anyone", async (uri, failure) => {
  const device = createDevice(serving(image));
  expect((await device.download(uri)).error).toMatchObject({ failure });
  expect(device.hosts).toEqual([]);
});

test("what no Block option can number is a lack of room", async () => {
  const size = 16 * 2 ** 20;
  const source = { uri: "coap://host/fw", size: undefined, validator: "01" };
  const disk = { part: { source, pieces: [new Uint8Array(size)] }, complete: undefined };
  const body = new Uint8Array(size + 1024);
  const { download } = createDevice(serving(body, { largest: 16 }), {}, disk, 2 * size);
  expect((await download()).error).toEqual(
    failsWith("storage", "too large to be fetched in blocks of 16 bytes"),
  );
});
