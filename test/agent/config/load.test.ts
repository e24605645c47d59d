import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultDirectories, defaultEndpointName } from "../../../agent/config/defaults.js";
import { environmentKeys } from "../../../agent/config/layers.js";
import { loadConfig } from "../../../agent/config/load.js";
import type { Override } from "../../../agent/config/override.js";
import { createJsonSchema } from "../../../agent/config/schema.js";
import { editDistance, nearest } from "../../../agent/config/suggestion.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const surroundings = { env: {}, uid: 0, hostname: "kitchen", machineId: "" };

async function load(
  content: string,
  { env = {}, flags = [] }: { env?: Record<string, string>; flags?: readonly Override[] } = {},
) {
  const file = join(folder, "agent.yaml");
  await writeFile(file, content);
  return loadConfig({ file, flags, surroundings: { ...surroundings, env } });
}

test("a Server is all that has to be said", async () => {
  expect(await load("servers: [{ uri: coap://localhost }]")).toMatchObject({
    endpointName: "kitchen",
    servers: [{ uri: "coap://localhost", shortServerId: 1, lifetime: 86_400 }],
    board: { type: "auto" },
    objects: [],
    plugins: [],
    directories: {
      state: "/var/lib/lwm2m-agent",
      cache: "/var/cache/lwm2m-agent",
      runtime: "/run/lwm2m-agent",
    },
    log: { level: "info", format: "auto" },
    control: { socket: "/run/lwm2m-agent/control.sock" },
  });
});

test("flags come before the environment, the environment before the file", async () => {
  const file =
    "servers: [{ uri: coap://file }]\nendpointName: file\nlog: { level: error, format: json }\nlocalPort: 1";
  const env = {
    LWM2M_AGENT_ENDPOINT_NAME: "1234",
    LWM2M_AGENT_LOG_LEVEL: "warn",
    LWM2M_AGENT_LOCAL_PORT: "2",
  };
  const flags = [
    { path: ["log", "level"], value: "debug", source: "the flag --log-level" },
    { path: ["servers"], value: [{ uri: "coap://flag" }], source: "the flag --server" },
  ];
  expect(await load(file, { env, flags })).toMatchObject({
    endpointName: "1234", // text, though it looks like a number
    stated: { localPort: 2 },
    log: { level: "debug", format: "json" },
    servers: [{ uri: "coap://flag" }],
  });
});

test("LWM2M_AGENT_SERVER and LWM2M_AGENT_CONFIG say the Server and the file", async () => {
  const file = join(folder, "other.yaml");
  await writeFile(file, "endpointName: other");
  const env = { LWM2M_AGENT_CONFIG: file, LWM2M_AGENT_SERVER: "coap://env" };
  const config = await loadConfig({ file: undefined, flags: [], surroundings: { ...surroundings, env } });
  expect(config).toMatchObject({ file, endpointName: "other", servers: [{ uri: "coap://env" }] });
});

test("times and sizes take units, versions are numbers or text", async () => {
  const { stated } = await load(
    'servers: [{ uri: coap://x, lifetime: 1.5 h }]\nkeepAlive: 30s\nfirmware: { maximumSize: 64 MiB }\nversion: 1.1\nminimumVersion: "1.0"',
  );
  expect(stated).toMatchObject({
    servers: [{ lifetime: 5400 }],
    keepAlive: 30,
    firmware: { maximumSize: 67_108_864 },
    version: "1.1",
    minimumVersion: "1.0",
  });
});

test("relative paths of plugins and Objects count from the folder of the file", async () => {
  expect(
    await load("servers: [{ uri: coap://x }]\nplugins: [a.js, /b.js]\nobjects: [6, ./3303.xml]"),
  ).toMatchObject({
    plugins: [join(folder, "a.js"), "/b.js"],
    objects: [6, join(folder, "3303.xml")],
  });
});

test("folders are those of the unit, of the system for root, of the user otherwise", () => {
  const unit = { STATE_DIRECTORY: "/var/lib/a:/var/lib/b", CACHE_DIRECTORY: "/c", RUNTIME_DIRECTORY: "/r" };
  expect(defaultDirectories({ env: unit, uid: 990 })).toEqual({
    state: "/var/lib/a",
    cache: "/c",
    runtime: "/r",
  });
  expect(defaultDirectories({ env: { HOME: "/home/me" }, uid: 1000 })).toEqual({
    state: "/home/me/.local/state/lwm2m-agent",
    cache: "/home/me/.cache/lwm2m-agent",
    runtime: "/tmp/lwm2m-agent-1000",
  });
});

test("a host name that a whole series has is made this machine's own", () => {
  const named = (hostname: string, machineId: string) =>
    defaultEndpointName({ ...surroundings, hostname, machineId });
  expect(named("pump-7.example.com", "x")).toBe("pump-7");
  expect(named("raspberrypi", "0123456789abcdef")).toMatch(/^raspberrypi-[0-9a-f]{12}$/);
  expect(named("localhost", "0123456789abcdef")).toMatch(/^lwm2m-agent-[0-9a-f]{12}$/);
  expect(named("localhost", "a")).not.toBe(named("localhost", "b"));
});

test("each variable of the environment stands for one key", () => {
  const paths = [...environmentKeys().values()].map(({ path }) => path.join("."));
  expect(new Set(paths).size).toBe(paths.length);
  expect(paths).toEqual(
    expect.arrayContaining(["endpointName", "log.level", "board.type", "firmware.maximumSize"]),
  );
  expect(paths).not.toContain("servers");
});

test("the nearest candidate is named only where somebody may have slipped", () => {
  expect(editDistance("levle", "level")).toBe(1);
  expect(nearest("servres", ["servers", "version"])).toBe("servers");
  expect(nearest("colour", ["servers", "version"])).toBeUndefined();
  expect(editDistance("x".repeat(1e6), "y")).toBe(1e6); // and does not take long
});

test("schema/agent.schema.json is that of this version (renew: npm run schema)", async () => {
  const file = resolve(import.meta.dirname, "../../../schema/agent.schema.json");
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual(JSON.parse(JSON.stringify(createJsonSchema())));
});

test("the JSON Schema describes each key", () => {
  const undescribed: string[] = [];
  const walk = (schema: ReturnType<typeof createJsonSchema>["properties"], path: string): void => {
    for (const [key, below] of Object.entries(schema ?? {})) {
      if (below.description === undefined && key !== "type") undescribed.push(`${path}${key}`);
      for (const part of [below, ...(below.oneOf ?? [])]) walk(part.properties, `${path}${key}.`);
      walk(below.items?.properties, `${path}${key}[].`);
    }
  };
  walk(createJsonSchema().properties, "");
  expect(undescribed).toEqual([]);
});
