/** Servers that lie, break and play tricks: each ends as it should, and leaves neither a file nor a connection behind. */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { millis } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHttpDownloader } from "../../../platform/download/http.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { type Behaviour, drips, inTurn, says, saysAndBreaks, startRawServer } from "./raw-server.js";

const image = createSeededRandom(3).bytes(300_000);
const size = image.length;
const sha256 = createHash("sha256").update(image).digest("hex");
const half = image.subarray(0, 150_000);

const ok = "HTTP/1.1 200 OK";
const partial = "HTTP/1.1 206 Partial Content";
const length = `content-length: ${size}`;
const eTag = 'etag: "1"';
const date = (day: number) => `last-modified: Wed, 0${day} Apr 2026 00:00:00 GMT`;
const range = (from: number, last = size - 1, total: number | string = size) =>
  `content-range: bytes ${from}-${last}/${total}`;
const whole = says([ok, length, eTag], image);
const cut = saysAndBreaks([ok, length, eTag], half);

/** The rest from the byte that the request names. */
const rest =
  (...lines: readonly string[]): Behaviour =>
  (socket, request, asked) => {
    const start = Number(/^range: bytes=(\d+)-/im.exec(request)?.[1]);
    says([partial, range(start), `content-length: ${size - start}`, ...lines], image.subarray(start))(
      socket,
      request,
      asked,
    );
  };

const gone = "given up after 3 attempts";

test.each<[string, Behaviour, "arrives" | [failure: string, message: string | RegExp]]>([
  ["sends less than it announced", says([ok, length, eTag], half), ["connection", gone]],
  ["sends more than it announced", says([ok, length], Buffer.concat([image, half])), "arrives"],
  ["ignores the range", inTurn(cut, whole), "arrives"],
  ["sends the rest", inTurn(cut, rest(eTag)), "arrives"],
  ["sends the rest from another byte", inTurn(cut, says([partial, range(1), eTag], image), whole), "arrives"],
  [
    "sends the wrong part again and again",
    inTurn(cut, says([partial, range(0), eTag], image)),
    ["connection", "cannot continue"],
  ],
  [
    "sends a part of the rest only",
    inTurn(cut, says([partial, range(150_000, size - 2), eTag], half), whole),
    "arrives",
  ],
  [
    "sends the rest of a longer whole",
    inTurn(cut, says([partial, range(150_000, size, size + 1)], half), whole),
    "arrives",
  ],
  ["sends the rest of another package", inTurn(cut, rest('etag: "2"'), whole), "arrives"],
  [
    "sends the rest of a package of another day",
    inTurn(saysAndBreaks([ok, length, date(1)], half), rest(date(2)), says([ok, length, date(2)], image)),
    "arrives",
  ],
  [
    "sends several ranges",
    inTurn(cut, says([partial, "content-type: multipart/byteranges; boundary=x"], "--x"), whole),
    "arrives",
  ],
  [
    "cuts several ranges",
    inTurn(cut, saysAndBreaks([partial, "content-type: multipart/byteranges; boundary=x"], "--x")),
    ["connection", "cannot continue"],
  ],
  ["sends a part unasked", says([partial, range(0), eTag, length], image), ["connection", "cannot continue"]],
  [
    "names numbers that are none",
    inTurn(cut, says([partial, "content-range: bytes 15e4-1e9/9".padEnd(400, "9")], half), whole),
    "arrives",
  ],
  [
    "has only a weak ETag, and breaks",
    saysAndBreaks([ok, length, 'etag: W/"1"'], half),
    ["connection", gone],
  ],
  [
    "changes the package each time",
    (socket, request, asked) => saysAndBreaks([ok, length, `etag: "${asked}"`], half)(socket, request, asked),
    ["connection", "changes while it is downloaded"],
  ],
  [
    "says 416 to all",
    says(["HTTP/1.1 416 Range Not Satisfiable", `content-range: bytes */${size}`]),
    ["connection", "cannot continue"],
  ],
  [
    "compresses unasked",
    says([ok, length, "content-encoding: gzip"], image),
    ["unsupported-package", "gzip"],
  ],
  [
    "encodes twice",
    says([ok, length, "content-encoding: identity, br"], image),
    ["unsupported-package", "br"],
  ],
  ["sends its head byte by byte", drips(`${ok}\r\nx: `, "y", 10), ["connection", "has sent nothing for"]],
  [
    "sends its body byte by byte",
    drips(`${ok}\r\n${length}\r\n\r\n`, "y", 10),
    ["connection", "next to nothing"],
  ],
  ["never says a word", () => {}, ["connection", "has sent nothing for"]],
  ["hangs up", (socket) => void socket.end(), ["connection", "connection was lost"]],
  ["resets at once", (socket) => void socket.resetAndDestroy(), ["connection", "connection was lost"]],
  ["resets amid the body", saysAndBreaks([ok, length], half), ["connection", "connection was lost"]],
  [
    "redirects to a file",
    says(["HTTP/1.1 302 Found", "location: file:///etc/shadow"]),
    ["unsupported-protocol", "not fetched by file"],
  ],
  ["redirects to itself", says(["HTTP/1.1 302 Found", "location: /fw.bin"]), ["invalid-uri", "in a circle"]],
  [
    "redirects on and on",
    (socket, _, asked) => void socket.end(`HTTP/1.1 307 On\r\nlocation: /${asked}\r\n\r\n`),
    ["invalid-uri", "more than 10 times"],
  ],
  ["redirects to nowhere", says(["HTTP/1.1 301 Moved"]), ["invalid-uri", "no usable address"]],
  [
    "redirects to nobody",
    says(["HTTP/1.1 302 Found", "location: http://127.0.0.1:9/"]),
    ["connection", "refused"],
  ],
  ["sends without end", drips(`${ok}\r\n\r\n`, "x".repeat(100_000), 1), ["storage", "larger than"]],
  [
    "sends chunks without end",
    drips(`${ok}\r\ntransfer-encoding: chunked\r\n\r\n`, `186a0\r\n${"x".repeat(100_000)}\r\n`, 1),
    ["storage", "larger than"],
  ],
  ["announces the impossible", says([ok, "content-length: 999999999999999"]), ["storage", "is larger than"]],
  ["announces less than nothing", says([ok, "content-length: -1"], image), ["connection", gone]],
  ["announces nonsense", says([ok, "content-length: many"], image), ["connection", gone]],
  ["announces two lengths", says([ok, length, "content-length: 7"], image), ["connection", gone]],
  [
    "announces a length and chunks",
    says([ok, length, "transfer-encoding: chunked"], "0\r\n\r\n"),
    ["connection", gone],
  ],
  ["cuts its chunks", says([ok, "transfer-encoding: chunked"], "5\r\nhello\r\n"), ["connection", gone]],
  [
    "counts its chunks wrongly",
    says([ok, "transfer-encoding: chunked"], "xyz\r\nhello\r\n"),
    ["connection", gone],
  ],
  ["floods us with header fields", drips(`${ok}\r\n`, `x: ${"y".repeat(5000)}\r\n`, 1), ["connection", gone]],
  [
    "floods us with 1xx",
    drips("HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", 1),
    ["connection", "too many responses 1xx"],
  ],
  [
    "switches protocols",
    says(["HTTP/1.1 101 Switching Protocols", "upgrade: x", "connection: upgrade"]),
    ["connection", gone],
  ],
  ["speaks something else", says(["SSH-2.0-OpenSSH_9.9"]), ["connection", gone]],
  ["answers 204", says(["HTTP/1.1 204 No Content"]), ["invalid-uri", "answers 204"]],
  ["answers 300", says(["HTTP/1.1 300 Multiple Choices"]), ["invalid-uri", "answers 300"]],
  ["answers 401", says(["HTTP/1.1 401 Unauthorized"]), ["invalid-uri", "answers 401"]],
  ["answers 410", says(["HTTP/1.1 410 Gone"]), ["invalid-uri", "answers 410"]],
  [
    "answers 500 with a body without end",
    drips("HTTP/1.1 500 No\r\n\r\n", "x".repeat(1000), 1),
    ["connection", "answers 500"],
  ],
  [
    "has us wait for a century",
    says(["HTTP/1.1 503 Later", "retry-after: 3155760000"]),
    ["connection", "answers 503"],
  ],
  [
    "has us wait for nonsense",
    says(["HTTP/1.1 503 Later", "retry-after: -1 fortnight"]),
    ["connection", "answers 503"],
  ],
  [
    "is a portal",
    says([ok, "content-type: text/html; charset=utf-8"], "Welcome"),
    ["connection", "a web page"],
  ],
  [
    "is a portal that does not say so",
    says([ok], "\n<!DOCTYPE html><title>Welcome"),
    ["connection", "a web page"],
  ],
  [
    "is a portal by redirection",
    inTurn(says(["HTTP/1.1 302 Found", "location: /login"]), says([ok], "<html>")),
    ["connection", "a web page"],
  ],
])("a server that %s", async (_, behaviour, expected) => {
  const directory = temporaryDirectory();
  const server = await startRawServer(behaviour);
  const settings = createTransferSettings(
    {
      attempts: 3,
      retryDelay: millis(1),
      maximumRetryDelay: millis(2),
      stallTimeout: millis(80),
      minimumRate: 10_000,
    },
    {
      storage: createPackageStorage({ directory, maximumSize: 1_000_000 }),
      clock: createSystemClock(),
      random: createSeededRandom(1),
      log: createRecordingLog(),
    },
  );
  const result = await createHttpDownloader(settings)
    .download(`${server.origin}/fw.bin`, { signal: new AbortController().signal, progress: () => {} })
    .then(
      (file) => file,
      (error: unknown) => error,
    );
  if (expected === "arrives") {
    expect(result).toMatchObject({ size, sha256 });
  } else {
    const [failure, message] = expected;
    expect(result).toMatchObject({ name: "PackageError", failure, message: expect.stringMatching(message) });
  }
  expect(readdirSync(directory)).toEqual(expected === "arrives" ? ["package"] : []);
  await server.idle();
});
