import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadRememberedConfig } from "../../../agent/config/remembered.js";
import type { ConfigSources } from "../../../agent/config/sources.js";

let folder = "";
let memory = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-remembered-"));
  memory = join(folder, "cache", "configuration.json");
  file = join(folder, "agent.yaml");
  await writeFile(file, "servers: [{ uri: coap://localhost }]\nlog: { level: warn }\n");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const uid = process.getuid?.() ?? 0;
const load = (
  change: Partial<ConfigSources> = {},
  env: Record<string, string> = {},
  build: string | undefined = "a1",
) =>
  loadRememberedConfig(
    {
      file,
      flags: [],
      surroundings: {
        env: { CACHE_DIRECTORY: join(folder, "cache"), ...env },
        uid,
        hostname: "h",
        machineId: "",
      },
      ...change,
    },
    build,
  );

/** A memory that shows, by what no file says, that it was believed. */
async function plant(): Promise<void> {
  await load();
  const text = await vi.waitFor(() => readFile(memory, "utf8"));
  const { origin, stated } = JSON.parse(text) as { origin: string; stated: object };
  await writeFile(memory, JSON.stringify({ origin, stated: { ...stated, endpointName: "remembered" } }));
}
const isBelieved = async (...how: Parameters<typeof load>) =>
  (await load(...how)).endpointName === "remembered";

test("what was checked once is not checked again, and is the same", async () => {
  const first = await load();
  await vi.waitFor(() => stat(memory));
  expect(await load()).toEqual(first);
  await plant();
  expect(await isBelieved()).toBe(true);
});

test("one byte of the file, a flag, a variable or another build, and all is read anew", async () => {
  await plant();
  const memoryBefore = await readFile(memory);
  const again = async () => writeFile(memory, memoryBefore, { mode: 0o600 });
  expect(await isBelieved({ flags: [{ path: ["log", "level"], value: "info", source: "" }] })).toBe(false);
  await again();
  expect(await isBelieved({}, { LWM2M_AGENT_LOG_LEVEL: "debug" })).toBe(false);
  await again();
  expect(await isBelieved({}, {}, "a2")).toBe(false);
  await again();
  await writeFile(file, "servers: [{ uri: coap://localhost }]\nlog: { level: warn } \n");
  expect(await isBelieved()).toBe(false);
});

test("a memory that others can write to, or that is none, is not believed", async () => {
  await plant();
  await chmod(memory, 0o660);
  expect(await isBelieved()).toBe(false);
  for (const content of ["", "{", "null", "[]", '{"origin":1}']) {
    await rm(memory, { force: true });
    await writeFile(memory, content, { mode: 0o600 });
    expect((await load()).log.level).toBe("warn");
  }
});

test.runIf(uid === 0)("a memory of another user is not believed", async () => {
  await plant();
  const { chown } = await import("node:fs/promises");
  await chown(memory, 12345, 12345);
  expect(await isBelieved()).toBe(false);
});

test("a folder that cannot be written to, or a link in the place of the memory, keeps nothing from starting", async () => {
  expect((await load({}, { CACHE_DIRECTORY: "/proc/none" })).log.level).toBe("warn");
  await plant();
  await rm(memory);
  await symlink(file, memory);
  expect((await load()).log.level).toBe("warn");
});

test("what is wrong is found each time", async () => {
  await plant();
  await writeFile(file, "servers: none\n");
  for (const _ of [1, 2]) await expect(load()).rejects.toThrow("servers");
});

test("without a build to tell it by, nothing is kept", async () => {
  await loadRememberedConfig(
    {
      file,
      flags: [],
      surroundings: { env: { CACHE_DIRECTORY: join(folder, "cache") }, uid, hostname: "h", machineId: "" },
    },
    undefined,
  );
  await expect(stat(memory)).rejects.toThrow("ENOENT");
});
