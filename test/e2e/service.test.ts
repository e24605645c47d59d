/** The service as it is installed: a process with signals, a control socket, systemd beside it. */
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const limit = { timeout: 60_000 };

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** A configuration of the test's own; `more` is added as it stands. */
async function configure(folder: string, more = "log: { level: info }"): Promise<string> {
  const file = join(folder, "agent.yaml");
  const lines = [
    "endpointName: pump-7",
    `servers: [{ uri: "${server.uri}", lifetime: 5 min }]`,
    "board: { type: simulated, applyDuration: 0 }",
    `directories: { state: ${folder}/state, cache: ${folder}/cache, runtime: ${folder}/run }`,
    more,
  ];
  await writeFile(file, lines.join("\n"));
  return file;
}

const ask = (file: string, command: string, ...args: readonly string[]) =>
  run(command, "--config", file, ...args);

async function statusOf(file: string): Promise<ServiceStatus> {
  const { stdout, stderr } = await ask(file, "status", "--json");
  expect(stderr).toBe("");
  return JSON.parse(stdout) as ServiceStatus;
}

async function stop(service: Program) {
  service.kill("SIGTERM");
  return service.ended;
}

test("it registers, answers its operator, and de-registers when it is stopped", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder);
    const service = start("run", "--config", file);
    await service.logged('"event":"registered"');

    const status = await statusOf(file);
    expect(status).toMatchObject({
      pid: service.pid,
      configurationFile: file,
      endpointName: "pump-7",
      board: { type: "simulated", firmwareVersion: "1.0" },
      servers: [{ shortServerId: 1, uri: server.uri, state: "registered", lastFailure: null }],
      firmware: { stateName: "Idle", hold: null },
      logLevel: "info",
    });
    const [{ since, next } = { since: null, next: null }] = status.servers;
    expect(Date.parse(next ?? "") - Date.parse(since ?? "")).toBeGreaterThan(200_000);
    expect((await ask(file, "status")).stdout).toMatch(/^Server 1 +coap:\/\/.* · registered · since /m);

    expect(await ask(file, "log-level", "debug")).toMatchObject({ exitCode: 0 });
    expect((await ask(file, "log-level")).stdout).toBe("debug\n");
    expect((await ask(file, "trigger-update")).stdout).toBe("An Update goes to Server 1.\n");
    await service.logged('"to":"updating"');
    expect((await ask(file, "metrics")).stdout).toMatch(/^lwm2m_agent_registered\{server="1",.*\} 1$/m);

    const socket = await stat(join(folder, "run/control.sock"));
    expect(socket.mode & 0o777).toBe(0o660);
    const { exitCode, stderr } = await stop(service);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('"event":"deregistered"');
    await expect(stat(join(folder, "run/control.sock"))).rejects.toThrow("ENOENT");
  }),
);

test("a second agent with the same state folder is refused, one after a power cut is not", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder);
    const first = start("run", "--config", file);
    await first.logged('"event":"registered"');
    const second = await run("run", "--config", file);
    expect(second.exitCode).toBe(69);
    expect(second.stderr).toBe(
      `lwm2m-agent: another agent, process ${first.pid}, has the state folder ${folder}/state: stop it (systemctl stop lwm2m-agent), or give this one another folder with --state-directory\n`,
    );
    first.kill("SIGKILL"); // it cleans up nothing, neither lock nor socket
    await first.ended;
    const third = start("run", "--config", file);
    await third.logged('"event":"starting"');
    await until(
      async () => (await statusOf(file).catch(() => undefined))?.servers[0]?.state === "registered",
    );
    expect((await statusOf(file)).pid).toBe(third.pid);
    expect((await stop(third)).exitCode).toBe(0);
  }),
);

test("SIGHUP takes over what it can, names what needs a restart, and keeps what is wrong out", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder);
    const service = start("run", "--config", file);
    await service.logged('"event":"registered"');

    await configure(folder, "log: { level: debug }\nkeepAlive: 30");
    service.kill("SIGHUP");
    await service.logged('"event":"configuration-needs-a-restart"');
    expect(await statusOf(file)).toMatchObject({ logLevel: "debug", needRestart: ["keepAlive"] });

    await configure(folder, "log: { level: loud }");
    service.kill("SIGHUP");
    await service.logged('"event":"configuration-not-reloaded"');
    const reload = await run("reload", "--socket", join(folder, "run/control.sock"));
    expect(reload.exitCode).toBe(1);
    expect(reload.stdout).toContain(
      `  ${file}:5:15: log.level: found "loud", expected one of debug, info, warn, error, silent`,
    );
    expect(await run("log-level", "--socket", join(folder, "run/control.sock"))).toMatchObject({
      stdout: "debug\n",
    });
    expect((await stop(service)).exitCode).toBe(0);
  }),
);

test("a hold is kept over a restart, and ends by release", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder);
    let service = start("run", "--config", file);
    await service.logged('"event":"registered"');
    const held = await ask(file, "hold", "--reason", "harvest", "--until", "2d");
    expect(held.stdout).toMatch(/^Updates are held until \d{4}-.*Z: harvest$/m);
    await stop(service);

    service = start("run", "--config", file);
    await service.logged('"event":"registered"');
    expect((await statusOf(file)).firmware.hold).toMatchObject({ reason: "harvest" });
    expect((await ask(file, "status")).stdout).toMatch(/^Held +until .* UTC: harvest /m);
    expect((await ask(file, "release")).stdout).toMatch(/^Updates may be installed again\. They were held/);
    expect((await ask(file, "release")).stdout).toBe("Nothing was held.\n");
    expect((await statusOf(file)).firmware.hold).toBeNull();
    const past = await ask(file, "hold", "--reason", "x", "--until", "2020-01-01");
    expect(past).toMatchObject({
      exitCode: 2,
      stderr: "lwm2m-agent: 2020-01-01T00:00:00.000Z is over already\n",
    });
    await stop(service);
  }),
);

describe("where it cannot run, it says why with an exit code of its own:", () => {
  test("a wrong configuration, with all of its faults", () =>
    withFolder(async (folder) => {
      const file = join(folder, "agent.yaml");
      await writeFile(file, "servers: [{ uri: coaps://x }]\nlog: { level: loud }\n");
      const { exitCode, stderr } = await run("run", "--config", file);
      expect(exitCode).toBe(78);
      expect(stderr.split("\n")).toEqual([
        expect.stringMatching(/^lwm2m-agent: .*agent\.yaml:1:18: servers\[0\]\.uri: /),
        expect.stringMatching(/agent\.yaml:2:15: log\.level: /),
        "",
      ]);
    }));

  test("no configuration at all", async () => {
    const { exitCode, stderr } = await startWith({ LWM2M_AGENT_CONFIG: "/nowhere/agent.yaml" }, "run").ended;
    expect(exitCode).toBe(78);
    expect(stderr).toMatch(
      /^lwm2m-agent: \/nowhere\/agent\.yaml: found no such file, expected a configuration file/,
    );
  });

  test("secure addresses, of which this version knows nothing", async () => {
    const { exitCode, stderr } = await run("run", "--server", "coaps://x");
    expect(exitCode).toBe(78);
    expect(stderr).toMatch(
      /the flag --server: servers\[0\]\.uri: .*DTLS or TLS \(coaps\) is not part of this version/,
    );
  });

  test("a state folder that cannot be made", () =>
    withFolder(async (folder) => {
      const file = await configure(folder);
      await writeFile(join(folder, "state"), "a file in its place");
      const { exitCode, stderr } = await run("run", "--config", file);
      expect(exitCode).toBe(73);
      expect(stderr).toContain(`lwm2m-agent: cannot write to the directory ${folder}/state`);
    }));

  test("a state folder of a newer version, which stays as it is", () =>
    withFolder(async (folder) => {
      const file = await configure(folder);
      await mkdir(join(folder, "state"));
      await writeFile(join(folder, "state/version"), "99\n");
      const { exitCode, stderr } = await run("run", "--config", file);
      expect(exitCode).toBe(65);
      expect(stderr).toContain(
        "is of version 99, this program knows up to 1: install the newer lwm2m-agent again",
      );
      expect(await readFile(join(folder, "state/version"), "utf8")).toBe("99\n");
      await expect(stat(join(folder, "state/lock"))).rejects.toThrow("ENOENT");
    }));

  test("no service to ask", () =>
    withFolder(async (folder) => {
      const socket = join(folder, "none.sock");
      const { exitCode, stderr } = await run("status", "--socket", socket);
      expect(exitCode).toBe(2);
      expect(stderr).toBe(
        `lwm2m-agent: no agent runs here (nothing listens on ${socket}): start it with systemctl start lwm2m-agent, or say --socket\n`,
      );
    }));
});

test("without network and with a Server that is not there it starts, and says what is wrong", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder);
    const service = start("run", "--config", file, "--server", "coap://lwm2m.invalid");
    await service.logged('"event":"registration-failed"');
    const { servers } = await statusOf(file);
    expect(servers[0]).toMatchObject({ state: "backingOff", since: null });
    expect(servers[0]?.lastFailure?.reason).toContain("lwm2m.invalid");
    expect(servers[0]?.next).not.toBeNull();
    expect((await stop(service)).exitCode).toBe(0);
  }),
);

describe("under systemd", () => {
  /** Stands in the place of the program that Node.js needs for sd_notify(3). */
  async function fakeSystemd(folder: string) {
    const told = join(folder, "told");
    await mkdir(join(folder, "bin"));
    await writeFile(join(folder, "bin/systemd-notify"), `#!/bin/sh\nprintf '%s\\n' "$*" >> ${told}\n`);
    await chmod(join(folder, "bin/systemd-notify"), 0o755);
    const environment = {
      PATH: `${folder}/bin:${process.env["PATH"]}`,
      NOTIFY_SOCKET: join(folder, "notify"),
      WATCHDOG_USEC: "400000",
    };
    const lines = async () => (await readFile(told, "utf8").catch(() => "")).trim().split("\n");
    return { environment, lines };
  }

  test("it says when it is ready, feeds the watchdog, tells of reloads and of its end", limit, () =>
    withFolder(async (folder) => {
      const { environment, lines } = await fakeSystemd(folder);
      const service = startWith(environment, "run", "--config", await configure(folder));
      const pid = `--pid=${service.pid}`;
      await until(async () => (await lines()).filter((line) => line.includes("WATCHDOG=1")).length >= 3);
      const before = await lines();
      expect(before[0]).toMatch(new RegExp(`^${pid} READY=1 STATUS=`));
      expect(before.join("\n")).toContain(`STATUS=registered with ${server.uri}`);
      service.kill("SIGHUP");
      await until(async () =>
        (await lines()).some((line) => line.startsWith(`${pid} RELOADING=1 MONOTONIC_USEC=`)),
      );
      expect((await stop(service)).exitCode).toBe(0);
      const all = await lines();
      expect(all.indexOf(`${pid} READY=1`)).toBeGreaterThan(0);
      expect(all.some((line) => line.startsWith(`${pid} STOPPING=1`))).toBe(true);
    }),
  );

  test("a service that hangs feeds no watchdog any more", limit, () =>
    withFolder(async (folder) => {
      const { environment, lines } = await fakeSystemd(folder);
      const hang = `export const plugin = { name: "hangs", start: () => { setTimeout(() => { console.log("hanging"); for (;;); }, 1500); } };`;
      await writeFile(join(folder, "hang.mjs"), hang);
      const service = startWith(
        environment,
        "run",
        "--config",
        await configure(folder, "plugins: [hang.mjs]"),
      );
      await service.said("hanging");
      await new Promise((resolve) => setTimeout(resolve, 500)); // what was on its way
      const before = (await lines()).length;
      await new Promise((resolve) => setTimeout(resolve, 1000)); // more than two periods
      expect((await lines()).length).toBe(before);
      service.kill("SIGKILL");
      await service.ended;
    }),
  );
});

test("init writes a file that check finds good, and never over another one", limit, () =>
  withFolder(async (folder) => {
    const file = join(folder, "etc/agent.yaml");
    const flags = [
      "--output",
      file,
      "--server",
      server.uri,
      "--endpoint-name",
      "pump-7",
      "--board",
      "simulated",
    ];
    expect(await run("init", ...flags)).toMatchObject({ exitCode: 0, stderr: "" });
    const written = await readFile(file, "utf8");
    expect(written).toContain('endpointName: "pump-7"');
    const again = await run("init", ...flags);
    expect(again).toMatchObject({
      exitCode: 2,
      stderr: `lwm2m-agent: ${file} is there already: edit it, or replace it with --force\n`,
    });
    expect(await run("init", ...flags, "--force")).toMatchObject({ exitCode: 0 });
    const checked = await run("check", "--config", file, "--state-directory", join(folder, "state"));
    expect(checked.stdout).toContain(`configuration: ${file}`);
    expect(checked.exitCode).toBe(0);

    await writeFile(file, `${written}\nqueueMod: true\n`);
    const wrong = await run("check", "--config", file, "--json");
    expect(wrong.exitCode).toBe(1);
    expect(JSON.parse(wrong.stdout)).toMatchObject({
      ok: false,
      problems: [{ source: file, key: "queueMod", found: "an unknown key", hint: "Did you mean queueMode?" }],
    });
    const nobody = await run("init", "--output", join(folder, "other.yaml"));
    expect(nobody).toMatchObject({
      exitCode: 2,
      stderr: "lwm2m-agent: there is nobody to ask: say --server coap://host or --bootstrap coap://host\n",
    });
  }),
);
