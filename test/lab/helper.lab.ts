/**
 * The units as they are, in a whole system: an agent without rights, a helper with some, and an update that goes through both.
 * The board is that of examples/command-board; its boot loader is played between two boots.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ResourcePath } from "../../agent/model/path.js";
import { resourceContent, resourceIn } from "../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { examplePackage, exampleScripts } from "../platform/boards/command/two-slots.js";
import { createRecordingLog } from "../simulated/log.js";
import { Guest } from "./guest.js";

const run = promisify(execFile);
const project = resolve(import.meta.dirname, "../..");
const endpointName = "lab-1";
const slots = "/var/lib/acme";

let guest: Guest;
let server: ManagementServer;
let packages: Server;
let packageBytes: Buffer = Buffer.alloc(0);

beforeAll(async () => {
  const clock = createSystemClock();
  server = await createManagementServer({ clock, random: systemRandom, log: createRecordingLog(), port: 0 });
  packages = createServer((_, response) => response.end(packageBytes)).listen(0, "127.0.0.1");
  guest = await Guest.create({ beforeBoot: playBootLoader });
  await install();
  await guest.boot();
});
afterAll(async () => {
  await guest?.remove();
  await server?.close();
  packages?.close();
});

/** What has to be there before a boot: the program, the units as they are, a configuration and the scripts of a board. */
async function install(): Promise<void> {
  const program = join(guest.root, "usr/lib/lwm2m-agent");
  await mkdir(program, { recursive: true });
  // It goes with the root of the guest. Read-only: whatever clears the guest away must not reach the project.
  await run("mount", ["-o", "bind,ro", project, program]);
  await guest.write(
    "/usr/bin/lwm2m-agent",
    '#!/bin/sh\nexec node /usr/lib/lwm2m-agent/dist/agent/cli/main.js "$@"\n',
    0o755,
  );
  const units = ["lwm2m-agent.service", "lwm2m-agent-helper.socket", "lwm2m-agent-helper.service"];
  const places: readonly (readonly [string, string])[] = [
    ...units.map((name): [string, string] => [name, `/etc/systemd/system/${name}`]),
    ["sysusers.d/lwm2m-agent.conf", "/usr/lib/sysusers.d/lwm2m-agent.conf"],
    ["tmpfiles.d/lwm2m-agent.conf", "/usr/lib/tmpfiles.d/lwm2m-agent.conf"],
    ["polkit/50-lwm2m-agent.rules", "/usr/share/polkit-1/rules.d/50-lwm2m-agent.rules"],
  ];
  for (const [from, to] of places) await guest.write(to, await readFile(join(project, "systemd", from)));
  await guest.write(
    "/etc/systemd/system/lwm2m-agent-helper.service.d/acme.conf",
    `[Service]\nReadWritePaths=${slots}\n`,
  );
  await guest.write(
    "/etc/systemd/system/lwm2m-agent.service.d/fast.conf",
    "[Service]\nWatchdogSec=6\nRestartSec=1\n",
  );
  await guest.write("/etc/lwm2m-agent/agent.yaml", configuration());
  for (const name of ["inspect", "apply", "commit", "revert"]) {
    await guest.write(`/usr/lib/acme/${name}`, await readFile(join(exampleScripts, name)), 0o755);
  }
  await guest.write(
    "/usr/lib/acme/describe",
    `#!/bin/sh\nsed -n 's/^VERSION_ID=/version=/p' ${slots}/slot-$(cat ${slots}/running)\n`,
    0o755,
  );
  for (const [name, content] of [
    ["slot-a", "VERSION_ID=1.0\n"],
    ["slot-b", ""],
    ["default", "a\n"],
    ["running", "a\n"],
  ] as const) {
    await guest.write(`${slots}/${name}`, content);
  }
  // The boot id is the kernel's, which does not boot here.
  await guest.write(
    "/etc/systemd/system/boot-id.service",
    [
      "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n",
      "[Service]\nType=oneshot",
      "ExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/uuid > /run/boot-id'",
      "ExecStart=/bin/mount --bind /run/boot-id /proc/sys/kernel/random/boot_id\n",
      "[Install]\nWantedBy=sysinit.target\n",
    ].join("\n"),
  );
  await guest.chroot("systemd-sysusers");
  const enabled = await guest.chroot(
    "systemctl",
    "enable",
    "boot-id.service",
    "lwm2m-agent-helper.socket",
    "lwm2m-agent.service",
  );
  if (enabled.code !== 0) throw new Error(enabled.stderr);
}

const configuration = () => `
endpointName: ${endpointName}
servers: [{ uri: "${server.uri}", lifetime: 5 min }]
board:
  type: command
  helper: true
  commands:
    describe: { program: /usr/lib/acme/describe }
    inspect: { program: /usr/lib/acme/inspect, arguments: [test-board] }
    apply: { program: /usr/lib/acme/apply, arguments: [${slots}, ${slots}/slot-a, ${slots}/slot-b] }
    commit: { program: /usr/lib/acme/commit, arguments: [${slots}] }
    revert: { program: /usr/lib/acme/revert, arguments: [${slots}] }
`;

/** Tries once what is on trial, as the boot loader of the example would. */
async function playBootLoader(): Promise<void> {
  const path = (name: string) => join(guest.root, slots, name);
  const trial = await readFile(path("trial"), "utf8").catch(() => undefined);
  await rm(path("trial"), { force: true });
  await writeFile(path("running"), trial ?? (await readFile(path("default"), "utf8").catch(() => "a\n")));
}

const property = async (unit: string, name: string) =>
  (await guest.must("systemctl", "show", "--value", `--property=${name}`, unit)).trim();

const isRegistered = async () => server.device(endpointName) !== undefined;

async function readValue(path: ResourcePath): Promise<unknown> {
  return resourceIn(await server.read(endpointName, path), path);
}

/** Reads until it is so; while the device is away nothing is. */
const untilValue = (path: ResourcePath, value: unknown, what: string) =>
  guest.until(
    async () => {
      const found = await readValue(path).catch(() => undefined);
      return found !== undefined && String(found) === String(value);
    },
    what,
    90,
  );

test("the agent has no rights, and its board is what the helper says", async () => {
  await guest.until(isRegistered, "it is registered");
  const pid = await property("lwm2m-agent.service", "MainPID");
  const status = await guest.must("cat", `/proc/${pid}/status`);
  const [, uid] = /^Uid:\t(\d+)/m.exec(status) ?? [];
  expect((await guest.must("id", "-u", "lwm2m-agent")).trim()).toBe(uid);
  expect(uid).not.toBe("0");
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
    expect(status).toMatch(new RegExp(`^${set}:\\t0{16}$`, "m"));
  }
  expect(await readValue([3, 0, 3])).toBe("1.0");
  expect(await guest.journal("lwm2m-agent-helper.service")).toContain("helper asked");
});

test("nobody else may ask the helper", async () => {
  const ask = (user: string) =>
    guest.run(
      "setpriv",
      `--reuid=${user}`,
      `--regid=${user === "nobody" ? "nogroup" : user}`,
      "--clear-groups",
      "node",
      "-e",
      `require("net").connect("/run/lwm2m-agent-helper.sock").on("connect", () => process.exit(0)).on("error", (e) => { console.log(e.code); process.exit(1); })`,
    );
  expect(await ask("nobody")).toMatchObject({ code: 1, stdout: "EACCES\n" });
  expect(await ask("lwm2m-agent")).toMatchObject({ code: 0 });
});

test("an agent that is killed, and one that hangs, come back", async () => {
  for (const signal of ["KILL", "STOP"]) {
    const before = await property("lwm2m-agent.service", "MainPID");
    await guest.must("systemctl", "kill", "--kill-whom=main", `--signal=${signal}`, "lwm2m-agent.service");
    await guest.until(
      async () => {
        const pid = await property("lwm2m-agent.service", "MainPID");
        return (
          pid !== before && pid !== "0" && (await property("lwm2m-agent.service", "SubState")) === "running"
        );
      },
      `it is back after SIG${signal}`,
      90,
    );
  }
});

test("a reload reads the configuration again, and says when it is wrong", async () => {
  await guest.until(
    async () => (await guest.run("systemctl", "reload", "lwm2m-agent")).code === 0,
    "it reloads",
  );
  await guest.write("/etc/lwm2m-agent/agent.yaml", `${configuration()}\nsevers: []\n`);
  expect((await guest.run("systemctl", "reload", "lwm2m-agent")).code).not.toBe(0);
  expect(await guest.journal("lwm2m-agent.service")).toContain("severs");
  await guest.write("/etc/lwm2m-agent/agent.yaml", configuration());
});

test("an update goes through the helper: applied, restarted, tried, committed", async () => {
  packageBytes = await readFile(examplePackage("2.0").path);
  const uri = `http://127.0.0.1:${(packages.address() as AddressInfo).port}/fw.tar`;
  await untilValue([5, 0, 3], 0, "it is idle");
  await server.write(endpointName, [5, 0, 1], resourceContent([5, 0, 1], uri), "replace");
  await untilValue([5, 0, 3], 2, "it has the package");
  await server.execute(endpointName, [5, 0, 2]);
  expect(await guest.ended()).toBe("restart");
  await guest.boot();
  await untilValue([5, 0, 5], 1, "the update has succeeded");
  expect(await readValue([3, 0, 3])).toBe("2.0");
  expect(await guest.read(`${slots}/default`)).toBe("b\n");
  const { stdout } = await run("ls", ["-A", join(guest.root, "var/cache/lwm2m-agent-helper")]);
  expect(stdout).toBe(""); // committed, so the copy is gone
});
