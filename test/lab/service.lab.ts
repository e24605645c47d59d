/** What a stranger does with the Debian package, in a fresh Debian: install, configure, run, break, remove. */
import { execFileSync } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resourceIn } from "../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { debianPackage } from "./debian-package.js";
import { Guest } from "./guest.js";

let guest: Guest;
let server: ManagementServer;

beforeAll(async () => {
  server = await createManagementServer({
    port: 0,
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
  });
  guest = await Guest.create();
  await cp(await debianPackage(), join(guest.disk, "lwm2m-agent.deb"));
});
afterAll(async () => {
  await guest?.remove();
  await server?.close();
});

const unit = "lwm2m-agent.service";
const property = async (name: string) =>
  (await guest.must("systemctl", "show", "--value", "-p", name, unit)).trim();
const status = async () => JSON.parse((await guest.run("lwm2m-agent", "status", "--json")).stdout || "{}");
/** What `systemctl edit` writes. */
async function dropIn(name: string, text: string): Promise<void> {
  await guest.write(`/etc/systemd/system/lwm2m-agent.service.d/${name}.conf`, text);
  await guest.must("systemctl", "daemon-reload");
}
const isRegistered = async () => (await status()).servers?.[0]?.state === "registered";

test("lintian finds no error in the package", async () => {
  // It says what it finds on standard output, and ends with 2 when there is an error.
  const found = execFileSync("lintian", ["--allow-root", "--fail-on", "error", await debianPackage()], {
    encoding: "utf8",
  });
  expect(found).not.toMatch(/^E:/m);
});

test("installed, it starts nothing: there is no configuration yet", async () => {
  const { code, stdout, stderr } = await guest.chroot("apt-get", "install", "-y", "/disk/lwm2m-agent.deb");
  expect(code, stdout + stderr).toBe(0);
  await guest.boot();
  expect(await guest.must("systemctl", "is-system-running")).toBe("running\n");
  expect(await property("ActiveState")).toBe("inactive");
  expect((await guest.run("lwm2m-agent", "status")).stderr).toContain("systemctl start lwm2m-agent");
});

test("started without a configuration it says what is missing, and is not started again and again", async () => {
  await guest.run("systemctl", "start", unit);
  expect(await property("ExecMainStatus")).toBe("78");
  expect(await property("ActiveState")).toBe("failed");
  expect(await guest.journal(unit)).toContain("lwm2m-agent init");
  await guest.must("systemctl", "reset-failed", unit);
});

test("five commands lead from nothing to a registered, confined, watched service", async () => {
  await guest.must(
    "lwm2m-agent",
    "init",
    "--server",
    server.uri,
    "--endpoint-name",
    "lab-1",
    "--board",
    "none",
  );
  expect(await guest.must("lwm2m-agent", "check")).toContain("0 errors");
  await guest.must("systemctl", "enable", "--now", "lwm2m-agent");
  await guest.until(isRegistered, "it is registered");
  expect(server.devices().map(({ endpointName }) => endpointName)).toEqual(["lab-1"]);
  expect(await guest.must("lwm2m-agent", "status")).toMatch(/Server 1 .* registered/);

  expect(await property("User")).toBe("lwm2m-agent");
  const pid = await property("MainPID");
  const about = await guest.must("cat", `/proc/${pid}/status`);
  expect(about).toMatch(/^CapEff:\t0+$/m);
  expect(about).toMatch(/^NoNewPrivs:\t1$/m);
  expect(await property("WatchdogUSec")).toBe("1min");
  const { stdout } = await guest.run("systemd-analyze", "security", "--no-pager", unit);
  const exposure = Number(/Overall exposure level[^:]*: ([\d.]+)/.exec(stdout)?.[1]);
  expect(exposure).toBeLessThanOrEqual(1.5);
});

test("killed, it comes back and is registered again", async () => {
  const before = await property("MainPID");
  await guest.must("systemctl", "kill", "-s", "KILL", unit);
  await guest.until(async () => ![before, "0"].includes(await property("MainPID")), "it runs again");
  await guest.until(isRegistered, "it is registered again");
});

test("hung, it is ended by its watchdog and comes back", async () => {
  await dropIn("fast", "[Service]\nWatchdogSec=4\nRestartSec=1\n");
  await guest.must("systemctl", "restart", unit);
  await guest.until(isRegistered, "it is registered");
  // Healthy, it lives longer than its watchdog's patience.
  const before = await property("MainPID");
  await new Promise((resolve) => setTimeout(resolve, 6000));
  expect(await property("MainPID")).toBe(before);
  await guest.must("systemctl", "kill", "-s", "STOP", unit);
  await guest.until(async () => ![before, "0"].includes(await property("MainPID")), "it runs again");
  expect(await guest.must("journalctl", "--no-pager", "-o", "cat", "-u", unit)).toContain("Watchdog timeout");
  await guest.until(isRegistered, "it is registered again");
});

test("it restarts the device through logind, without a right of its own but that one", async () => {
  const asAgent = (...words: string[]) =>
    guest.run("setpriv", "--reuid=lwm2m-agent", "--regid=lwm2m-agent", "--clear-groups", ...words);
  expect((await asAgent("systemctl", "stop", "dbus.socket")).code).not.toBe(0);
  const { code, stderr } = await asAgent("systemctl", "--no-block", "reboot");
  expect(code, stderr + (await guest.journal("polkit")) + (await guest.journal("systemd-logind"))).toBe(0);
  expect(await guest.ended()).toBe("restart");
  await guest.boot();
  await guest.until(isRegistered, "it is registered after the boot");
});

test("with the clock at 1970 it says so, and registers all the same", async () => {
  await dropIn(
    "clock",
    "[Service]\nEnvironment=LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1 FAKETIME='@1970-01-01 00:00:10'\n",
  );
  await guest.must("systemctl", "restart", unit);
  await guest.until(isRegistered, "it is registered");
  expect(await guest.journal(unit)).toContain("clock not set");
  await guest.must("rm", "/etc/systemd/system/lwm2m-agent.service.d/clock.conf");
});

test("a plugin that is put into plugins.d adds its Object", async () => {
  await guest.write("/etc/lwm2m-agent/plugins.d/door.js", door);
  await guest.must("systemctl", "restart", unit);
  await guest.until(isRegistered, "it is registered");
  expect((await status()).plugins).toEqual([expect.objectContaining({ name: "door", health: "running" })]);
  await guest.until(
    async () => server.device("lab-1")?.objects.has(42801) ?? false,
    "the Server knows of it",
  );
  expect(resourceIn(await server.read("lab-1", [42801, 0, 0]), [42801, 0, 0])).toBe("open");
});

const door = `
import { defineObject, definePlugin, singleInstance } from "lwm2m-agent/plugin";
const Door = defineObject({
  id: 42801, name: "Door", version: "1.0", instances: "single",
  resources: { state: { id: 0, operations: "R", type: "string", mandatory: true } },
});
export const plugin = definePlugin({
  name: "door",
  start: (agent) => agent.addObject(singleInstance(Door, { state: { read: () => "open" } })),
});
`;

test("an endless loop in a plugin is ended by systemd, and the next start names the plugin", async () => {
  await dropIn("impatient", "[Service]\nTimeoutStartSec=5\nTimeoutStopSec=2\nRestartSec=1\n");
  await guest.write(
    "/etc/lwm2m-agent/plugins.d/endless.js",
    'export const plugin = { name: "endless", start() { for (;;); } };\n',
  );
  await guest.must("systemctl", "--no-block", "restart", unit);
  await guest.until(async () => /plugin[^\n]*endless/.test(await guest.journal(unit)), "it is named");
  await guest.must("rm", "/etc/lwm2m-agent/plugins.d/endless.js", "/etc/lwm2m-agent/plugins.d/door.js");
  await guest.until(isRegistered, "it is registered again");
});

test("without a network it starts, waits, and registers as soon as there is one", async () => {
  await guest.must("poweroff");
  await guest.ended();
  guest.change({ privateNetwork: true });
  await guest.write(
    "/etc/lwm2m-agent/agent.yaml",
    "endpointName: lab-1\nservers: [{ uri: coap://192.0.2.1 }]\nboard: { type: none }\n",
  );
  await guest.boot();
  expect(await property("ActiveState")).toBe("active"); // it is ready although nobody hears it
  expect((await status()).servers[0].state).not.toBe("registered");
  await guest.must("ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1");
  await guest.must("ip", "address", "add", "192.0.2.1/24", "dev", "lab0");
  const endServer = await guest.inItsNetwork(process.execPath, "--input-type=module", "-e", serverScript);
  for (const end of ["lab0", "lab1"]) await guest.must("ip", "link", "set", end, "up");
  await guest.until(isRegistered, "it is registered", 100);
  endServer();
});

/** A management server in the network of the guest, which this process is not in. */
const serverScript = `
import { createManagementServer } from "${new URL("../../dist/jobs/server/management-server.js", import.meta.url)}";
import { createSystemClock } from "${new URL("../../dist/platform/clock.js", import.meta.url)}";
import { systemRandom } from "${new URL("../../dist/platform/random.js", import.meta.url)}";
const log = { debug() {}, info() {}, warn() {}, error: console.error, child: () => log };
await createManagementServer({ host: "192.0.2.1", clock: createSystemClock(), random: systemRandom, log });
`;

test("removed, it leaves the configuration; purged, nothing", async () => {
  await guest.must("dpkg", "--remove", "lwm2m-agent");
  expect((await guest.run("test", "-e", "/etc/lwm2m-agent/agent.yaml")).code).toBe(0);
  expect((await guest.run("systemctl", "is-active", unit)).stdout).not.toBe("active\n");
  await guest.must("dpkg", "--purge", "lwm2m-agent");
  const left = await guest.run(
    "sh",
    "-c",
    "ls -d /etc/lwm2m-agent /var/lib/lwm2m-agent* /var/cache/lwm2m-agent* /usr/lib/lwm2m-agent /etc/systemd/system/*/lwm2m* 2>/dev/null; getent passwd lwm2m-agent",
  );
  expect(left.stdout).toBe("");
});
