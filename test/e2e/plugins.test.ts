/** Plugins that misbehave, in the service as it is installed: each is named, and the agent goes on. */
import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ServiceStatus } from "../../agent/control/status.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { type Program, run, start, startWith, withFolder } from "./program.js";

let server: ManagementServer;
beforeAll(async () => {
  server = await createManagementServer({
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
    port: 0,
  });
});
afterAll(() => server.close());

const limit = { timeout: 120_000 }; // many starts of a service

/** A service with these modules in its folder of plugins. */
async function configure(folder: string, modules: Readonly<Record<string, string>>, more = "") {
  const file = join(folder, "agent.yaml");
  for (const [name, content] of Object.entries(modules)) await writeFile(join(folder, name), content);
  const lines = [
    "endpointName: pump-7",
    `servers: [{ uri: "${server.uri}", lifetime: 5 min }]`,
    "board: { type: simulated, applyDuration: 0 }",
    `directories: { state: ${folder}/state, cache: ${folder}/cache, runtime: ${folder}/run }`,
    `pluginDirectory: ${folder}`,
    more,
  ];
  await writeFile(file, lines.join("\n"));
  return file;
}

/** As soon as it answers. */
async function pluginsOf(file: string): Promise<ServiceStatus["plugins"]> {
  for (;;) {
    const { stdout, exitCode } = await run("status", "--json", "--config", file);
    if (exitCode === 0) return (JSON.parse(stdout) as ServiceStatus).plugins;
  }
}

async function stop(service: Program) {
  service.kill("SIGTERM");
  return service.ended;
}

/** A plugin that does this in its `start`. */
const doing = (name: string, what: string, more = "") =>
  `export const plugin = { name: "${name}", start() { ${what} }, ${more} };`;

test("whatever plugins leave undone or throw later is named, and ends nothing", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder, {
      "a-timer.mjs": doing("timer", `setTimeout(() => { throw new Error("from a timer"); }, 10);`),
      "b-promise.mjs": doing(
        "promise",
        `void (async () => { await null; throw new Error("from a promise"); })();`,
      ),
      "c-stream.mjs": `import { createReadStream } from "node:fs";\n${doing("stream", `createReadStream("/nowhere");`)}`,
      "d-microtask.mjs": doing(
        "microtask",
        `queueMicrotask(() => { throw new Error("from a microtask"); });`,
      ),
      "e-leaves.mjs": doing("leaves", "setInterval(() => undefined, 10);"),
      "f-throws.mjs": doing("throws", `throw new Error("no such device");`),
      "g-none.mjs": "export const other = 1;",
      "h-newer.mjs": `export const plugin = { name: "newer", api: 2 };`,
      "i-same.mjs": `export const plugin = { name: "leaves" };`,
      "j-import.mjs": `throw new Error("no such module");`,
      "k-good.mjs": doing("good", ""),
      "README.txt": "not a plugin",
    });
    const service = start("run", "--config", file);
    await service.logged('"event":"registered"');
    await service.logged("from a timer");
    const plugins = await pluginsOf(file);
    const none =
      "exports no plugin: a plugin is a module that exports `plugin`, made with definePlugin of lwm2m-agent/plugin";
    const newer =
      "needs version 2 of the plugin API, this agent has 1: install a newer lwm2m-agent, or an older version of the plugin";
    expect(plugins.map(({ name, health, reason }) => `${name} ${health} ${reason}`)).toEqual([
      "timer running timer failed: from a timer",
      "promise running promise rejected: from a promise",
      "stream running exception not caught: ENOENT: no such file or directory, open '/nowhere'",
      "microtask running exception not caught: from a microtask",
      "leaves running null",
      "throws failed start: no such device",
      "good running null",
      `g-none.mjs failed ${folder}/g-none.mjs ${none}`,
      `h-newer.mjs failed ${folder}/h-newer.mjs ${newer}`,
      `i-same.mjs failed ${folder}/i-same.mjs has the name leaves, as ${folder}/e-leaves.mjs has: give one of them another`,
      `j-import.mjs failed ${folder}/j-import.mjs cannot be loaded: no such module`,
    ]);
    const { exitCode, stderr } = await stop(service);
    expect(exitCode).toBe(0);
    const left = stderr.split("\n").filter((line) => line.includes('"event":"plugin-left-timers"'));
    expect(left).toEqual([expect.stringContaining('"plugin":"leaves"')]);
    const checked = await run("check", "--config", file);
    expect(checked.exitCode).toBe(1);
    expect(checked.stdout).toContain(`error: ${folder}/g-none.mjs ${none}`);
    expect(checked.stdout).toContain(`error: ${folder}/i-same.mjs has the name leaves`);
  }),
);

test.each([
  ["an exception", `throw new Error("not of a plugin")`],
  ["a rejected promise", `Promise.reject(new Error("not of a plugin"))`],
])("%s of the agent itself still ends it", limit, (_what, fault) =>
  withFolder(async (folder) => {
    const file = await configure(folder, { "a.mjs": doing("good", "") });
    const preload = join(folder, "fault.cjs");
    const isUp = `require("node:fs").existsSync("${folder}/run/control.sock")`;
    await writeFile(
      preload,
      `const timer = setInterval(() => { if (${isUp}) { clearInterval(timer); ${fault}; } }, 50);`,
    );
    const failing = startWith({ NODE_OPTIONS: `--require ${preload}` }, "run", "--config", file);
    const { exitCode, stderr } = await failing.ended;
    expect(exitCode).toBe(7);
    expect(stderr).toContain("Error: not of a plugin");
  }),
);

test(
  "an endless loop is named at the next start; after three the plugin is left out until its file changes",
  limit,
  () =>
    withFolder(async (folder) => {
      const loop = doing("spins", `setTimeout(() => { console.log("spinning"); for (;;); }, 500);`);
      const file = await configure(folder, { "spins.mjs": loop, "good.mjs": doing("good", "") });
      for (let ends = 0; ends < 3; ends++) {
        const service = start("run", "--config", file);
        if (ends > 0) await service.logged('"event":"plugin-ended-the-agent"');
        await service.said("spinning");
        service.kill("SIGABRT"); // as the watchdog of systemd does
        await service.ended;
      }
      const service = start("run", "--config", file);
      await service.logged('"event":"board-started"');
      const reason = `the agent was ended in it 3 times in a row, in a timer; once it is corrected: touch ${folder}/spins.mjs && systemctl restart lwm2m-agent`;
      expect(await pluginsOf(file)).toEqual([
        { name: "good", health: "running", reason: null },
        { name: "spins", health: "left out", reason },
      ]);
      expect((await run("check", "--config", file)).stdout).toContain(
        `error: the plugin spins is left out: ${reason}`,
      );
      await stop(service);

      await writeFile(join(folder, "spins.mjs"), doing("spins", ""));
      const later = new Date(Date.now() + 5000);
      await utimes(join(folder, "spins.mjs"), later, later); // the clock of file systems is coarse
      const corrected = start("run", "--config", file);
      await corrected.logged('"event":"board-started"');
      expect(await pluginsOf(file)).toEqual([
        { name: "good", health: "running", reason: null },
        { name: "spins", health: "running", reason: null },
      ]);
      expect((await stop(corrected)).exitCode).toBe(0);
      await expect(readFile(join(folder, "run/plugin-activity"))).rejects.toThrow("ENOENT");
    }),
);
