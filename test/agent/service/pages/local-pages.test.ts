import { request } from "node:http";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { openLocalPages } from "../../../../agent/service/pages/local-pages.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { busyStatus, now } from "../statuses.js";
import { freePort } from "./free-port.js";

interface Answer {
  readonly code: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const get = (port: number, path: string, { method = "GET", host = `localhost:${port}` } = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, path, method, headers: { host }, agent: false },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        answer.once("end", () => resolve({ code: answer.statusCode, headers: answer.headers, text }));
      },
    );
    asked.once("error", reject).end();
  });

async function serve(which: "metrics" | "statusPage" | "both", use: (port: number) => Promise<void>) {
  const port = await freePort();
  const place = { address: "127.0.0.1", port };
  const server = await openLocalPages({
    config: {
      metrics: which === "statusPage" ? undefined : place,
      statusPage: which === "metrics" ? undefined : place,
    },
    status: async () => busyStatus,
    metrics: async () => "# EOF\n",
    recentLog: () => ['{"message":"<script>alert(1)</script>"}'],
    now: () => now,
    log: createRecordingLog(),
  });
  try {
    await use(port);
  } finally {
    await server.close();
    await server.close(); // again is harmless
  }
}

test("metrics come with the content type of OpenMetrics, and nothing else is there", () =>
  serve("metrics", async (port) => {
    const answer = await get(port, "/metrics");
    expect(answer).toMatchObject({ code: 200, text: "# EOF\n" });
    expect(answer.headers["content-type"]).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    expect(await get(port, "/metrics?x=1")).toMatchObject({ code: 200 });
    expect(await get(port, "/")).toMatchObject({ code: 404, text: "There is /metrics.\n" });
  }));

test("page and metrics may share a port", () =>
  serve("both", async (port) => {
    expect((await get(port, "/")).text).toMatch(/^<!doctype html>/);
    expect((await get(port, "/metrics")).text).toBe("# EOF\n");
    expect(JSON.parse((await get(port, "/status.json")).text)).toMatchObject({ endpointName: "pump-7" });
  }));

test("only what the page brings may run in it, and it is never stored or embedded", () =>
  serve("statusPage", async (port) => {
    const { headers, text } = await get(port, "/");
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'; .*frame-ancestors 'none'/,
    );
    expect(text).not.toMatch(/(src|href)="(?!data:)/); // nothing from elsewhere
    expect(text).not.toMatch(/ on[a-z]+=|style=/);
  }));

test.each(["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "localhost:1:2", "localhost.:80"])(
  "a browser that was sent here by the name %j is refused",
  (host) =>
    serve("statusPage", async (port) => {
      expect(await get(port, "/status.json", { host })).toMatchObject({ code: 421 });
    }),
);

test.each(["127.0.0.1", "localhost:8080", "[::1]:9", "LOCALHOST"])("%s is this device", (host) =>
  serve("statusPage", async (port) => {
    expect(await get(port, "/status.json", { host })).toMatchObject({ code: 200 });
  }),
);

test("nothing can be changed here", () =>
  serve("statusPage", async (port) => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      expect((await get(port, "/", { method })).code).toBe(405);
    }
    expect(await get(port, "/", { method: "HEAD" })).toMatchObject({ code: 200, text: "" });
  }));

test("a visitor too many is sent away, and those who were there are served", () =>
  serve("statusPage", async (port) => {
    const idle = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const socket = connect(port, "127.0.0.1");
        await new Promise((resolve) => socket.once("connect", resolve));
        return socket;
      }),
    );
    await expect(get(port, "/")).rejects.toThrow();
    idle[0]?.write("GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const first = await new Promise((resolve) => idle[0]?.once("data", (piece) => resolve(`${piece}`)));
    expect(first).toMatch(/^HTTP\/1\.1 200 OK/);
    for (const socket of idle) socket.destroy();
  }));

test("headers without end are refused", () =>
  serve("statusPage", async (port) => {
    const socket = connect(port, "127.0.0.1");
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(9000)}\r\n\r\n`);
    const answer = await new Promise((resolve) => socket.once("data", (piece) => resolve(`${piece}`)));
    expect(answer).toMatch(/^HTTP\/1\.1 431/);
  }));

test("a port that is taken is a line in the log, and no reason to stop", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const log = createRecordingLog();
  const server = await openLocalPages({
    config: { metrics: { address: "127.0.0.1", port }, statusPage: undefined },
    status: async () => busyStatus,
    metrics: async () => "",
    recentLog: () => [],
    now: () => now,
    log,
  });
  expect(log.lines).toMatchObject([
    {
      level: "error",
      event: "local pages not served",
      fields: { advice: expect.stringMatching(/metrics\.port/) },
    },
  ]);
  await server.close();
  other.close();
});
