/** The status page as a technician sees it, in Chromium. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ServiceStatus } from "../../../agent/control/status.js";
import { openLocalPages } from "../../../agent/service/pages/local-pages.js";
import { freePort } from "../../agent/service/pages/free-port.js";
import { busyStatus, idleStatus, now } from "../../agent/service/statuses.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { createRecordingLog } from "../../simulated/log.js";
import { look, photograph, textOf } from "./browser.js";

const lines = [
  '{"level":"info","time":"2026-03-01T11:58:01.000Z","event":"registered","shortServerId":1,"message":"registered"}',
  '{"level":"warn","time":"2026-03-01T11:59:01.000Z","event":"download-interrupted","reason":"connection reset","message":"download interrupted"}',
];

async function show<T>(
  status: () => Promise<ServiceStatus>,
  use: (url: string) => Promise<T>,
  log: readonly string[] = lines,
): Promise<T> {
  const port = await freePort();
  const server = await openLocalPages({
    config: { metrics: undefined, statusPage: { address: "127.0.0.1", port } },
    status,
    metrics: async () => "",
    recentLog: () => log,
    now: () => now,
    log: createRecordingLog(),
  });
  try {
    return await use(`http://127.0.0.1:${port}/`);
  } finally {
    await server.close();
  }
}

test("it says where the device is registered, what the update does, and how the last one ended", async () => {
  const { dom, complaints } = await show(async () => busyStatus, look);
  expect(complaints).toEqual([]); // its policy lets all of it in, its script throws nothing
  const text = textOf(dom);
  for (const said of [
    "pump-7",
    "Connected to 1 of 2 Servers",
    "Server 1 Registered coap://lwm2m.example.com Registered 3 h ago Next update in 4 min",
    "Server 2 Not registered coap://backup.example.com:5783 Next attempt in 60 s",
    "runs version 1.0 Downloading",
    "42 % · 42.0 MB of 100.0 MB · 1.3 MB/s",
    "Updates held technician at work, for another 2 h",
    "pump-image 2.0: update failed, from 1.0. The health check said: no pressure sensor",
    "temperature running",
    "warn download interrupted reason=connection reset",
  ]) {
    expect(text).toContain(said);
  }
  expect(dom).toMatch(/<progress max="100" value="42" aria-label="42 % [^"]*">/);
});

test("who cannot see finds landmarks, headings and names", async () => {
  const { dom } = await show(async () => busyStatus, look);
  expect(dom).toMatch(/<html lang="en">/);
  for (const landmark of ["<header", "<main", "<footer"]) expect(dom.split(landmark)).toHaveLength(2);
  expect(dom.match(/<h1/g)).toHaveLength(1);
  for (const [, title] of dom.matchAll(/<section aria-labelledby="([^"]+)"/g)) {
    expect(dom).toMatch(new RegExp(`<h2 id="${title}">[^<]+</h2>`));
  }
  expect(dom).toMatch(/id="headline" role="status"/);
});

test("it asks again by itself, and says so when the agent has gone", async () => {
  let asked = 0;
  const changing = async () => (++asked === 1 ? busyStatus : idleStatus);
  const { dom } = await show(changing, (url) => look(url, { milliseconds: 3500 }));
  expect(textOf(dom)).toMatch(/pump-7 Connected Servers/);
  expect(dom).not.toContain("<progress");

  let first = true;
  const broken = async () => {
    if (!first) throw new Error("no answer");
    first = false;
    return idleStatus;
  };
  const gone = await show(broken, (url) => look(url, { milliseconds: 3500 }));
  expect(textOf(gone.dom)).toContain("The agent does not answer; what is below may be out of date");
});

test("what a Server calls itself is text, and never runs", async () => {
  const name = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  const { servers } = idleStatus;
  const nasty = {
    ...idleStatus,
    endpointName: name,
    servers: servers.map((server) => ({ ...server, uri: name })),
  };
  const { dom } = await show(async () => nasty, look, [JSON.stringify({ message: name })]);
  expect(dom).not.toContain("<img");
  expect(textOf(dom)).toContain(`${name} Connected Servers Server 1 Registered ${name}`);
});

test("it has a face in light and in dark", async () => {
  const folder = temporaryDirectory();
  const [light, dark] = [join(folder, "light.png"), join(folder, "dark.png")];
  await show(
    async () => busyStatus,
    async (url) => {
      await photograph(url, light);
      await photograph(url, dark, { dark: true });
    },
  );
  for (const path of [light, dark]) expect((await stat(path)).size).toBeGreaterThan(20_000); // not a blank page
});
