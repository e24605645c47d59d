import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DownloadOptions } from "../../../agent/download/options.js";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { type Clock, type DownloadProgress, millis, seconds } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHttpDownloader } from "../../../platform/download/http.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { certificate } from "./certificate.js";
import {
  type Answer,
  answer,
  cut,
  redirect,
  rest,
  silence,
  startPackageServer,
  whole,
} from "./package-server.js";

const random = createSeededRandom(1);
const image = random.bytes(1_000_000);
const sha256 = createHash("sha256").update(image).digest("hex");

type Options = DownloadOptions & { readonly maximumSize?: number; readonly clock?: Clock };

/** Real sockets need real time; waits between attempts are short. */
function createDownload({ maximumSize = 10_000_000, clock = createSystemClock(), ...options }: Options = {}) {
  const directory = temporaryDirectory();
  const log = createRecordingLog();
  const progress: DownloadProgress[] = [];
  const abort = new AbortController();
  const storage = createPackageStorage({ directory, maximumSize });
  const settings = createTransferSettings(
    { attempts: 3, retryDelay: millis(1), ...options },
    { storage, clock, random, log },
  );
  const downloader = createHttpDownloader({ ...settings, ...(options.tls && { tls: options.tls }) });
  return {
    download: (uri: string) =>
      downloader.download(uri, { signal: abort.signal, progress: (state) => progress.push(state) }),
    abort,
    progress,
    log,
    files: () => readdirSync(directory),
  };
}

/** The certificate of the test server as a file of authorities. */
function authoritiesFile(): string {
  const file = join(temporaryDirectory(), "ca.pem");
  writeFileSync(file, certificate.cert);
  return file;
}

/** Serves the answers one after the other and downloads from there. */
async function downloadFrom(
  answers: readonly [Answer, ...Answer[]],
  options: Parameters<typeof createDownload>[0] = {},
) {
  const server = await startPackageServer(answers);
  const device = createDownload(options);
  const result = await device.download(`${server.origin}/fw.bin`).then(
    (file) => ({ file, error: undefined }),
    (error: unknown) => ({ file: undefined, error }),
  );
  return { ...device, ...server, ...result };
}

const failsWith = (failure: string, message: string | RegExp) =>
  expect.objectContaining({ name: "PackageError", failure, message: expect.stringMatching(message) });

describe("a package", () => {
  test("arrives on disk with its size and digest", async () => {
    const { file, files } = await downloadFrom([whole(image)]);
    expect(file).toMatchObject({ size: image.length, sha256 });
    expect(Buffer.compare(readFileSync(file?.path ?? ""), image)).toBe(0);
    expect(files()).toEqual(["package"]);
  });

  test("may come without a length", async () => {
    const { file, progress } = await downloadFrom([answer(200, {}, image)]);
    expect(file).toMatchObject({ size: image.length, sha256 });
    expect(progress.at(-1)).toMatchObject({ received: image.length, total: undefined });
  });

  test("may be empty", async () => {
    expect((await downloadFrom([whole(new Uint8Array())])).file).toMatchObject({ size: 0 });
  });

  test("is asked for as it is stored, not compressed on the way", async () => {
    const { requests } = await downloadFrom([whole(image)]);
    expect(requests[0]?.headers).toMatchObject({ "accept-encoding": "identity" });
  });

  test("reports its progress, ending with all of it", async () => {
    const { progress } = await downloadFrom([whole(image)]);
    expect(progress.at(-1)).toMatchObject({ received: image.length, total: image.length });
    expect(progress.length).toBeLessThan(20);
    const received = progress.map((state) => state.received);
    expect(received).toEqual(received.toSorted((a, b) => a - b));
  });

  test("arrives by https from a server that the given authority vouches for", async () => {
    const { origin } = await startPackageServer([whole(image)], { tls: true });
    const { download } = createDownload({ tls: { authoritiesFile: authoritiesFile() } });
    expect(await download(`${origin}/fw.bin`)).toMatchObject({ sha256 });
  });

  test("does not arrive by https from a server that nobody vouches for", async () => {
    const { origin, requests } = await startPackageServer([whole(image)], { tls: true });
    const { download } = createDownload();
    await expect(download(`${origin}/fw.bin`)).rejects.toEqual(failsWith("connection", "not trusted here"));
    expect(requests).toEqual([]);
  });
});

describe("a wrong address is final", () => {
  test.each([400, 401, 403, 404, 410, 204])("%d", async (status) => {
    const { error, requests, files, origin } = await downloadFrom([answer(status)]);
    expect(error).toEqual(
      failsWith("invalid-uri", `^${origin}/fw.bin answers ${status}: there is no package`),
    );
    expect(requests).toHaveLength(1);
    expect(files()).toEqual([]);
  });

  test("a host that does not exist", async () => {
    // A label of 64 letters: the resolver refuses it by itself, with or without a name service.
    const host = `${"a".repeat(64)}.invalid`;
    await expect(createDownload().download(`http://${host}/fw.bin`)).rejects.toEqual(
      failsWith("invalid-uri", `^${host} cannot be reached: the name is not known \\(ENOTFOUND\\)$`),
    );
  });

  test.each([
    ["ftp://127.0.0.1/fw.bin", "unsupported-protocol"],
    ["not a uri", "invalid-uri"],
    ["http://us%er@127.0.0.1/fw.bin", "invalid-uri"],
  ])("%s", async (uri, failure) => {
    await expect(createDownload().download(uri)).rejects.toEqual(failsWith(failure, ""));
  });
});

describe("a redirection", () => {
  test.each([301, 302, 303, 307, 308])("%d is followed", async (status) => {
    const { file, requests } = await downloadFrom([redirect("/elsewhere/fw.bin", status), whole(image)]);
    expect(file).toMatchObject({ sha256 });
    expect(requests.map(({ url }) => url)).toEqual(["/fw.bin", "/elsewhere/fw.bin"]);
  });

  test("in a circle is final", async () => {
    const { error, requests } = await downloadFrom([redirect("/a"), redirect("/b"), redirect("/a")]);
    expect(error).toEqual(failsWith("invalid-uri", "redirects in a circle"));
    expect(requests).toHaveLength(3);
  });

  test("is followed ten times and not more", async () => {
    const hops = Array.from({ length: 11 }, (_, n) => redirect(`/${n}`));
    const ten = await downloadFrom([redirect("/first"), ...hops.slice(0, 9), whole(image)]);
    expect(ten.file).toMatchObject({ sha256 });
    const eleven = await downloadFrom([redirect("/first"), ...hops.slice(0, 10), whole(image)]);
    expect(eleven.error).toEqual(failsWith("invalid-uri", "is redirected more than 10 times"));
  });

  test("from https to http is refused", async () => {
    const plain = await startPackageServer([whole(image)]);
    const { origin } = await startPackageServer([redirect(`${plain.origin}/fw.bin`)], { tls: true });
    const { download } = createDownload({ tls: { authoritiesFile: authoritiesFile() } });
    await expect(download(`${origin}/fw.bin`)).rejects.toEqual(
      failsWith("invalid-uri", "not protected by TLS"),
    );
    expect(plain.requests).toEqual([]);
  });
});

describe("the size is bounded", () => {
  test("by what is announced, before the first byte", async () => {
    const { error, progress, files, requests } = await downloadFrom([whole(image)], { maximumSize: 999_999 });
    expect(error).toEqual(failsWith("storage", "1000000 bytes is larger than the 999999 bytes"));
    expect([progress, files(), requests.length]).toEqual([[], [], 1]);
  });

  test("by what comes, when the body has no end", async () => {
    const endless: Answer = (_, response) => {
      const more = () => void response.write(image, (error) => error ?? more());
      response.writeHead(200);
      more();
    };
    const { error, files, requests } = await downloadFrom([endless], { maximumSize: 3_000_000 });
    expect(error).toEqual(failsWith("storage", "larger than the 3000000 bytes"));
    expect([files(), requests.length]).toEqual([[], 1]);
  });
});

describe("a broken connection", () => {
  test("is taken up where it broke", async () => {
    const { file, requests } = await downloadFrom([cut(image, 400_000), rest(image)]);
    expect(file).toMatchObject({ size: image.length, sha256 });
    const resumed = requests[1]?.headers;
    expect(resumed).toMatchObject({ "if-range": '"1"' });
    expect(Number(/^bytes=(\d+)-$/.exec(resumed?.range ?? "")?.[1])).toBe(400_000);
  });

  test("that breaks right after the head is tried again", async () => {
    const { file, requests } = await downloadFrom([cut(image, 0), whole(image)]);
    expect(file).toMatchObject({ sha256 });
    expect(requests).toHaveLength(2);
  });

  test("is taken up as often as it breaks, while every time more arrives", async () => {
    const part = rest(image, { length: 100_000 });
    const { file, requests } = await downloadFrom([cut(image, 100_000), ...Array(8).fill(part), rest(image)]);
    expect(file).toMatchObject({ sha256 });
    expect(requests).toHaveLength(10);
  });

  test("is given up when a server hands out a byte at a time", async () => {
    const { error, requests, files } = await downloadFrom([cut(image, 100_000), rest(image, { length: 1 })]);
    expect(error).toEqual(failsWith("connection", /the connection was lost .*given up after 3 attempts/));
    expect([requests.length, files()]).toEqual([3, []]);
  });

  test("starts over when the server cannot continue", async () => {
    const { file, requests } = await downloadFrom([cut(image, 400_000), whole(image)]);
    expect(file).toMatchObject({ size: image.length, sha256 });
    expect(requests).toHaveLength(2);
  });

  test("starts over when there is nothing to tell whether the package is the same", async () => {
    const { file, requests } = await downloadFrom([cut(image, 400_000, {}), whole(image, {})]);
    expect(file).toMatchObject({ sha256 });
    expect(requests[1]?.headers.range).toBeUndefined();
  });

  test("starts over after 416", async () => {
    const refused = answer(416, { "content-range": `bytes */${image.length}` });
    const { file, requests } = await downloadFrom([cut(image, 400_000), refused, whole(image)]);
    expect(file).toMatchObject({ sha256 });
    expect(requests[2]?.headers.range).toBeUndefined();
  });

  test("starts over when the rest is of another package", async () => {
    const other = rest(random.bytes(1_000_000), { etag: '"2"' });
    const { file } = await downloadFrom([cut(image, 400_000), other, whole(image)]);
    expect(file).toMatchObject({ size: image.length, sha256 });
  });

  test("without any progress is given up after three attempts", async () => {
    const { error, requests, files, log } = await downloadFrom([cut(image, 400_000, {})]);
    expect(error).toEqual(failsWith("connection", "given up after 3 attempts"));
    expect([requests.length, files()]).toEqual([3, []]);
    expect(log.lines.map(({ event }) => event)).toEqual(Array(2).fill("download interrupted"));
  });

  test("to nobody is given up after three attempts", async () => {
    const port = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, "127.0.0.1", () => {
        const address = probe.address();
        probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
      });
    });
    const { download } = createDownload();
    await expect(download(`http://127.0.0.1:${port}/fw.bin`)).rejects.toEqual(
      failsWith("connection", `127.0.0.1:${port} cannot be reached: the connection was refused`),
    );
  });
});

describe("a package that changes on the server", () => {
  const second = random.bytes(500_000);

  test("is downloaded anew, once", async () => {
    const { file } = await downloadFrom([cut(image, 400_000), whole(second, { etag: '"2"' })]);
    expect(file).toMatchObject({ size: second.length });
  });

  test("is given up when it changes again", async () => {
    const { error, files } = await downloadFrom([
      cut(image, 400_000),
      cut(second, 400_000, { etag: '"2"' }),
      whole(image, { etag: '"3"' }),
    ]);
    expect(error).toEqual(failsWith("connection", "changes while it is downloaded"));
    expect(files()).toEqual([]);
  });
});

describe("a temporary answer", () => {
  test.each([408, 429, 500, 502, 503])("%d is tried again", async (status) => {
    const { file, requests } = await downloadFrom([answer(status), answer(status), whole(image)]);
    expect(file).toMatchObject({ sha256 });
    expect(requests).toHaveLength(3);
  });

  test("is given up in the end", async () => {
    const { error, requests } = await downloadFrom([answer(503)]);
    expect(error).toEqual(failsWith("connection", /answers 503 \(given up after 3 attempts\)$/));
    expect(requests).toHaveLength(3);
  });

  test("may say how long to wait", async () => {
    const { file, log } = await downloadFrom([answer(503, { "retry-after": "3600" }), whole(image)], {
      maximumRetryDelay: millis(5),
    });
    expect(file).toMatchObject({ sha256 });
    expect(log.lines[0]?.fields).toMatchObject({ delay: 5 });
  });

  test("a web page in the place of the package is one", async () => {
    const portal = answer(200, { "content-type": "text/html" }, "<h1>Welcome to our hotel</h1>");
    expect((await downloadFrom([portal, whole(image)])).file).toMatchObject({ sha256 });
    const { error, files } = await downloadFrom([portal]);
    expect(error).toEqual(failsWith("connection", "answers with a web page, not with a package"));
    expect(files()).toEqual([]);
  });
});

describe("time is bounded", () => {
  const stallTimeout = millis(60);

  test("for an answer that does not begin", async () => {
    const { error, requests } = await downloadFrom([silence], { stallTimeout, attempts: 2 });
    expect(error).toEqual(failsWith("connection", /has sent nothing for 0.06 s \(given up after 2/));
    expect(requests).toHaveLength(2);
  });

  test("for a body that stalls, which is taken up where it did", async () => {
    const stalled: Answer = (_, response) => {
      response.writeHead(200, { "content-length": image.length, etag: '"1"' });
      response.write(image.subarray(0, 300_000));
    };
    const { file, requests } = await downloadFrom([stalled, rest(image)], { stallTimeout });
    expect(file).toMatchObject({ sha256 });
    expect(requests[1]?.headers.range).toBe("bytes=300000-");
  });

  test("for a connection that does not come to stand", async () => {
    const sockets: Socket[] = [];
    // Takes the connection and never answers the TLS handshake.
    const server = createServer((socket) => sockets.push(socket.on("error", () => {})));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { download } = createDownload({ connectTimeout: millis(60), attempts: 1 });
    await expect(download(`https://127.0.0.1:${port}/fw.bin`)).rejects.toEqual(
      failsWith("connection", "cannot be reached: no answer"),
    );
  });

  test("in all, however often it is tried again", async () => {
    const clock = createSimulatedClock();
    const { origin, requests } = await startPackageServer([answer(503, { "retry-after": "600" })]);
    const { download, log } = createDownload({
      clock,
      attempts: 1000,
      totalTime: seconds(3600),
      retryDelay: seconds(1),
    });
    let ended = false;
    const result = download(`${origin}/fw.bin`).finally(() => {
      ended = true;
    });
    result.catch(() => {});
    for (let answered = 1; !ended; answered++) {
      while (log.lines.length < answered && !ended) await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(seconds(600));
    }
    await expect(result).rejects.toEqual(failsWith("connection", "did not arrive within 3600 s"));
    expect(requests).toHaveLength(6);
    expect(clock.pending).toBe(0);
  });
});

describe("a cancelled download", () => {
  const slow: Answer = (_, response) => {
    response.writeHead(200, { "content-length": image.length });
    response.write(image.subarray(0, 300_000));
  };

  test.each([
    ["while it waits for the answer", silence],
    ["while the body arrives", slow],
    ["while it waits for the next attempt", answer(503, { "retry-after": "600" })],
  ])("%s ends with the reason and leaves no file", async (_, behaviour) => {
    const { origin, requests } = await startPackageServer([behaviour]);
    const { download, abort, files, progress, log } = createDownload();
    const result = download(`${origin}/fw.bin`);
    result.catch(() => {});
    const reached = () => {
      if (behaviour === silence) return requests.length > 0;
      return behaviour === slow ? progress.length > 0 : log.lines.length > 0;
    };
    while (!reached()) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("the server reset the update");
    abort.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(files()).toEqual([]);
  });

  test("before it begins does not even ask", async () => {
    const { origin, requests } = await startPackageServer([whole(image)]);
    const { download, abort } = createDownload();
    abort.abort(new Error("too late"));
    await expect(download(`${origin}/fw.bin`)).rejects.toThrow("too late");
    expect(requests).toEqual([]);
  });
});
