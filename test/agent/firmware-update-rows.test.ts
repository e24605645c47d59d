/** The state table of Firmware Update, row by row, over a UDP socket: what each request is answered, and what is read then. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AgentOptions, FirmwareOptions } from "../../agent/main.js";
import { type Board, millis, seconds } from "../../agent/ports.js";
import { createSimulatedBoard } from "../../platform/boards/simulated.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { RawServer } from "./raw-server.js";
import {
  type RestartingDevice,
  type RestartingDeviceOptions,
  startRestartingDevice,
} from "./restarting-device.js";

const image = createSimulatedImage({ name: "rows", version: "2.0", size: 5000, seed: 72 });
const damaged = Uint8Array.from(image);
damaged[3000] = (damaged[3000] ?? 0) ^ 1;
const foreign = Buffer.alloc(3000, "PK");
const tooLarge = createSimulatedImage({ name: "large", version: "2.0", size: 20_000, seed: 73 });

/** What the package server does, by path. */
const routes: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/image": (response) => void response.end(image),
  "/damaged": (response) => void response.end(damaged),
  "/foreign": (response) => void response.end(foreign),
  "/too-large": (response) => void response.end(tooLarge),
  "/endless": (response) => void response.writeHead(200, { "content-length": 5000 }).write("x"),
};

let web: Server;
let origin: string;
beforeAll(async () => {
  web = createServer(({ url = "" }, response) => {
    const route = routes[url];
    if (route) route(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
});
afterAll(() => {
  web.closeAllConnections();
  web.close();
});

let server: RawServer;
let device: RestartingDevice;
beforeEach(async () => {
  server = await RawServer.open();
});
afterEach(async () => {
  await device.close();
  await server.close();
});

async function start(
  firmware: FirmwareOptions = {},
  board: RestartingDeviceOptions["board"] = {},
  more: Partial<AgentOptions> = {},
) {
  const registered = server.registration();
  device = await startRestartingDevice({
    endpointName: "rows",
    agent: {
      servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }],
      maximumPackageSize: 10_000,
      firmware,
      ...more,
    },
    board,
  });
  await registered;
}

const status = async () =>
  `${(await server.read("/5/0/3")).payload}/${(await server.read("/5/0/5")).payload}`;
const becomes = (wanted: string) => expect.poll(status, { timeout: 15_000, interval: 10 }).toBe(wanted);

const writeUri = (path: string) => server.write("/5/0/1", path.startsWith("/") ? `${origin}${path}` : path);
const push = (body: Uint8Array) => server.push("/5/0/0", body);

/** How a State is reached. */
const ways = {
  pull: {
    begin: () => writeUri("/endless"),
    complete: async () => {
      expect((await writeUri("/image")).code).toBe("2.04");
      await becomes("2/0");
    },
  },
  push: {
    begin: () => server.block("/5/0/0", image, 0),
    complete: async () => {
      expect((await push(image)).code).toBe("2.04");
      await becomes("2/0");
    },
  },
} as const;
type Way = keyof typeof ways;

const states: Readonly<Record<string, (way: Way) => Promise<void>>> = {
  Idle: async () => {},
  Downloading: async (way) => {
    await ways[way].begin();
    await becomes("1/0");
  },
  Downloaded: (way) => ways[way].complete(),
  Updating: async (way) => {
    await ways[way].complete();
    expect((await server.execute("/5/0/2")).code).toBe("2.04");
    await becomes("3/0");
  },
};

const requests: Readonly<Record<string, () => Promise<{ readonly code: string }>>> = {
  "Read Package": () => server.read("/5/0/0"),
  "Write Severity 3": () => server.write("/5/0/11", "3"),
  "Write Maximum Defer Period -1": () => server.write("/5/0/13", "-1"),
  "Write Package, first block": () => server.block("/5/0/0", image, 0),
  "Write Package URI": () => writeUri("/endless"),
  "Write Package URI of another protocol": () => writeUri("ftp://127.0.0.1/image"),
  "Write malformed Package URI": () => writeUri("http:/image"),
  Cancel: () => server.execute("/5/0/10"),
  "Write Package 00": () => server.block("/5/0/0", Buffer.of(0), 0),
  "Write Package of no byte": () => server.block("/5/0/0", Buffer.of(), 0),
  "Write empty Package URI": () => writeUri(""),
  Update: () => server.execute("/5/0/2"), // the last, for there is no way back
};

/** Answer, State and Result, in each State. A refusal leaves the State as it is. */
const rows: Readonly<Record<string, Readonly<Record<keyof typeof states, string>>>> = {
  "Read Package": { Idle: "4.05", Downloading: "4.05", Downloaded: "4.05", Updating: "4.05" },
  "Write Severity 3": { Idle: "4.00", Downloading: "4.00", Downloaded: "4.00", Updating: "4.00" },
  "Write Maximum Defer Period -1": {
    Idle: "4.00",
    Downloading: "4.00",
    Downloaded: "4.00",
    Updating: "4.00",
  },
  "Write Package, first block": {
    Idle: "2.31 1/0",
    Downloading: "4.05",
    Downloaded: "4.05",
    Updating: "4.05",
  },
  "Write Package URI": { Idle: "2.04 1/0", Downloading: "4.05", Downloaded: "4.05", Updating: "4.05" },
  "Write Package URI of another protocol": {
    ...{ Idle: "2.04 0/9", Downloading: "4.05", Downloaded: "4.05", Updating: "4.05" },
  },
  "Write malformed Package URI": {
    Idle: "2.04 0/7",
    Downloading: "4.05",
    Downloaded: "4.05",
    Updating: "4.05",
  },
  Update: { Idle: "4.05", Downloading: "4.05", Downloaded: "2.04 3/0", Updating: "4.05" },
  Cancel: { Idle: "4.05", Downloading: "2.04 0/10", Downloaded: "2.04 0/10", Updating: "4.05" },
  "Write Package 00": { Idle: "2.04 0/0", Downloading: "2.04 0/0", Downloaded: "2.04 0/0", Updating: "4.05" },
  "Write Package of no byte": {
    ...{ Idle: "2.04 0/0", Downloading: "2.04 0/0", Downloaded: "2.04 0/0", Updating: "4.05" },
  },
  "Write empty Package URI": {
    ...{ Idle: "2.04 0/0", Downloading: "2.04 0/0", Downloaded: "2.04 0/0", Updating: "4.05" },
  },
};

describe.each(["pull", "push"] as const)("by %s", (way) => {
  test.each(Object.keys(states))("in %s, each request has its answer", async (state) => {
    await start({}, { applyDuration: seconds(3600) });
    for (const [name, request] of Object.entries(requests)) {
      // A first block while blocks come is another transfer of the same Server, which takes the place of the first.
      if (way === "push" && state === "Downloading" && name === "Write Package, first block") continue;
      if ((await status()) !== statusOf(state)) {
        await server.write("/5/0/1", "");
        await becomes("0/0");
        await states[state]?.(way);
      }
      const [code, after = statusOf(state)] = (rows[name]?.[state] ?? "").split(" ");
      expect(`${name}: ${(await request()).code}`).toBe(`${name}: ${code}`);
      expect(`${name}: ${await status()}`).toBe(`${name}: ${after}`);
    }
  });

  test("an installation that succeeds ends in Idle and Result 1", async () => {
    await start();
    await ways[way].complete();
    const registered = server.registration();
    expect((await server.execute("/5/0/2")).code).toBe("2.04");
    await registered;
    await becomes("0/1");
    expect((await server.read("/3/0/3")).payload).toBe("2.0");
  });

  test("an installation that fails leaves the package and Result 8", async () => {
    await start({}, { fault: "install-failure" });
    await ways[way].complete();
    await server.execute("/5/0/2");
    await becomes("2/8");
    expect((await server.read("/42770/0/3")).payload).toContain("bad block");
  });

  test("an Update that the operator puts off stays Downloaded with Result 11, and a Cancel ends it", async () => {
    const gate = {
      before: async (stage: string) =>
        (stage === "apply" ? { later: "a patient is on the table" } : "go") as "go",
      after: async () => {},
    };
    await start({ gates: [gate] });
    await ways[way].complete();
    expect((await server.execute("/5/0/2")).code).toBe("2.04");
    expect(await status()).toBe("2/11");
    expect((await server.read("/42770/0/8")).payload).toBe("a patient is on the table");
    expect((await server.execute("/5/0/10")).code).toBe("2.04");
    expect(await status()).toBe("0/10");
  });

  test("Automatic Upgrade installs without an Update", async () => {
    await start();
    expect((await server.write("/5/0/14", "1")).code).toBe("2.04");
    const registered = server.registration();
    await (way === "pull" ? writeUri("/image") : push(image));
    await registered;
    await becomes("0/1");
    expect((await server.read("/42770/0/0")).payload).toBe("firmware-update");
  });
});

const statusOf = (state: string) => `${Object.keys(states).indexOf(state)}/0`;

describe("a package that cannot be used", () => {
  test.each([
    ["/too-large", "0/2"],
    ["/damaged", "0/5"],
    ["/foreign", "0/6"],
    ["/nowhere", "0/7"],
  ])("pulled from %s is answered 2.04 and ends as %s", async (path, after) => {
    await start();
    expect((await writeUri(path)).code).toBe("2.04");
    await becomes(after);
    expect((await server.read("/5/0/1")).payload).toBe(`${origin}${path}`);
  });

  test.each([
    { what: "damaged", body: damaged, code: "2.04", after: "0/5" },
    { what: "of another kind", body: foreign, code: "2.04", after: "0/6" },
    { what: "too large, found out on the way", body: tooLarge, code: "4.13", after: "0/2" },
  ])("pushed, $what, has its last block answered $code", async ({ body, code, after }) => {
    await start();
    expect((await push(body)).code).toBe(code);
    expect(await status()).toBe(after);
  });

  test("pushed, too large as announced, is refused with its first block", async () => {
    await start();
    expect((await server.block("/5/0/0", tooLarge, 0, tooLarge.length)).code).toBe("4.13");
    expect(await status()).toBe("0/2");
  });
});

test.each([
  { name: "Reboot", path: "/3/0/4", reason: "server-request" },
  { name: "Factory Reset", path: "/3/0/5", reason: "factory-reset" },
])("$name is answered first, acts afterwards, and is the reason that the device then gives", async (row) => {
  await start();
  expect((await server.read("/42770/0/0")).payload).toBe("first-start");
  const registered = server.registration();
  expect((await server.execute(row.path)).code).toBe("2.04");
  await registered;
  expect(device.restarts()).toBe(1);
  expect((await server.read("/42770/0/0")).payload).toBe(row.reason);
  expect(device.agent().status().restartReason).toBe(row.reason);
});

/** It starts its new firmware by itself, without the device. */
async function createRadioModule(directory: string): Promise<Board> {
  const inner = createSimulatedBoard({
    ...{ directory, firmwareVersion: "1.0", clock: createSystemClock(), random: systemRandom },
    onRestart: () => {},
    applyDuration: millis(50),
  });
  await inner.boot();
  return {
    name: "radio module",
    bootId: () => inner.bootId(),
    describe: () => inner.describe(),
    inspect: (...args) => inner.inspect(...args),
    apply: async (...args) => {
      await inner.apply(...args);
      await inner.boot();
      return "running";
    },
    outcome: (attempt) => inner.outcome(attempt),
    commit: () => inner.commit(),
    revert: () => inner.revert(),
    restart: () => inner.restart(),
    factoryReset: () => inner.factoryReset(),
  };
}

test("a component is updated by Advanced Firmware Update, and by that Object alone", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-component-"));
  const board = await createRadioModule(directory);
  await start({}, {}, { components: [{ name: "radio", board }] });
  const read = async (resource: number) => (await server.read(`/33629/0/${resource}`)).payload;
  expect([await read(3), await read(5), await read(14), await read(15)]).toEqual(["0", "0", "radio", "1.0"]);

  expect((await server.push("/33629/0/0", image)).code).toBe("2.04");
  await expect.poll(() => read(3), { timeout: 10_000 }).toBe("2");
  expect((await writeUri("/image")).code).toBe("4.05");
  expect(device.agent().status().firmware.components).toMatchObject([{ name: "radio", state: 2 }]);

  expect((await server.execute("/33629/0/2")).code).toBe("2.04");
  await expect.poll(async () => `${await read(3)}/${await read(5)}`, { timeout: 10_000 }).toBe("0/1");
  expect(await read(15)).toBe("2.0");
  expect((await server.read("/3/0/3")).payload).toBe("1.0");
  expect(device.restarts()).toBe(0);

  expect((await push(image)).code).toBe("2.04");
  await becomes("2/0");
  expect((await server.block("/33629/0/0", image, 0)).code).toBe("4.05");
  await rm(directory, { recursive: true });
});

test("a component takes only what is signed, where the operator asks for that", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-component-"));
  const components = [{ name: "radio", board: await createRadioModule(directory) }];
  await start({ verification: { required: true } }, {}, { components });
  for (const object of [5, 33629]) {
    const result = async () => (await server.read(`/${object}/0/5`)).payload;
    expect((await server.push(`/${object}/0/0`, image)).code).toBe("2.04");
    await expect.poll(result, { timeout: 10_000 }).toBe("5");
    expect((await server.read(`/${object}/0/3`)).payload).toBe("0");
  }
  await rm(directory, { recursive: true });
});

test("a device that takes no pushes, or fetches nothing, says so", async () => {
  await start({ delivery: "pull" });
  expect((await server.read("/5/0/9")).payload).toBe("0");
  expect((await server.block("/5/0/0", image, 0)).code).toBe("4.05");
  await device.close();
  await start({ delivery: "push" });
  expect((await server.read("/5/0/9")).payload).toBe("1");
  expect((await writeUri("/image")).code).toBe("4.05");
});
