/** An agent that came by npm becomes a service, in a fresh Debian, and goes again. */
import { execFile } from "node:child_process";
import { cp, mkdir, symlink } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";
import { Guest } from "./guest.js";

const run = promisify(execFile);
const project = resolve(import.meta.dirname, "../..");

let guest: Guest;
let server: ManagementServer;

beforeAll(async () => {
  const clock = createSystemClock();
  server = await createManagementServer({ clock, random: systemRandom, log: createRecordingLog(), port: 0 });
  guest = await Guest.create();
  await installByNpm(join(guest.root, "usr/local"));
  await guest.boot();
});
afterAll(async () => {
  await guest?.remove();
  await server?.close();
});

/** Leaves what `npm install -g --prefix /usr/local` leaves, without asking a registry: the package, what it needs, a link. */
async function installByNpm(prefix: string): Promise<void> {
  const target = join(prefix, "lib/node_modules/lwm2m-agent");
  const { stdout } = await run("npm", ["ls", "--omit=dev", "--all", "--parseable"], { cwd: project }).catch(
    (error: { stdout: string }) => error, // it complains of what it finds superfluous
  );
  const needed = stdout.split("\n").filter((path) => path.includes("/node_modules/"));
  const own = ["dist", "systemd", "schema", "package.json"].map((name) => join(project, name));
  for (const path of [...own, ...needed]) {
    const place = join(target, relative(project, path));
    await mkdir(dirname(place), { recursive: true });
    await cp(path, place, { recursive: true });
  }
  await mkdir(join(prefix, "bin"), { recursive: true });
  await symlink("../lib/node_modules/lwm2m-agent/dist/agent/cli/main.js", join(prefix, "bin/lwm2m-agent"));
}

const agent = (...words: readonly string[]) => guest.run("node", "/usr/local/bin/lwm2m-agent", ...words);
const property = async (name: string) =>
  (await guest.must("systemctl", "show", "--value", "-p", name, "lwm2m-agent.service")).trim();
const isRegistered = async () => {
  const { stdout } = await agent("status", "--json");
  return (
    (JSON.parse(stdout || "{}") as { servers?: { state: string }[] }).servers?.[0]?.state === "registered"
  );
};
/** Files that are there for systemd, the users and the rights. */
const traces = async () =>
  (await guest.must("find", "/etc", "/var/lib", "/var/cache", "/run", "-name", "*lwm2m-agent*"))
    .trim()
    .split("\n")
    .filter((path) => path !== "" && !path.startsWith("/run/"))
    .sort();

test("who is not root is told so, and --dry-run says what would be done and does nothing", async () => {
  const asNobody = (...words: readonly string[]) =>
    guest.run("setpriv", "--reuid=65534", "--clear-groups", "node", "/usr/local/bin/lwm2m-agent", ...words);
  const { code, stderr } = await asNobody("service", "install");
  expect(code).toBe(2);
  expect(stderr).toBe(
    "lwm2m-agent: this changes the system and makes a user, which only root may: use sudo\n",
  );
  expect((await agent("service", "install", "--dry-run", "--now")).stderr).toMatch(
    /^lwm2m-agent: there is no .*agent\.yaml/,
  );
  expect((await agent("service", "install", "--dry-run")).stdout).toBe(
    [
      "write /etc/systemd/system/lwm2m-agent.service",
      "write /etc/systemd/system/lwm2m-agent-helper.socket",
      "write /etc/systemd/system/lwm2m-agent-helper.service",
      "write /etc/sysusers.d/lwm2m-agent.conf",
      "write /etc/tmpfiles.d/lwm2m-agent.conf",
      "write /etc/polkit-1/rules.d/50-lwm2m-agent.rules",
      "run systemd-sysusers /etc/sysusers.d/lwm2m-agent.conf",
      "run systemd-tmpfiles --create /etc/tmpfiles.d/lwm2m-agent.conf",
      "run systemctl daemon-reload",
      "",
    ].join("\n"),
  );
  expect(await traces()).toEqual([]);
});

test("init and install make a registered, confined service of it", async () => {
  const init = await agent("init", "--server", server.uri, "--endpoint-name", "lab-npm", "--board", "none");
  expect(init.code, init.stderr).toBe(0);
  const { code, stdout, stderr } = await agent("service", "install", "--now");
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/The service is installed\.\n$/);
  await guest.until(isRegistered, "it is registered");
  expect(await property("User")).toBe("lwm2m-agent");
  expect(await property("NRestarts")).toBe("0");
  expect(await property("ExecStart")).toContain(
    "/usr/local/lib/node_modules/lwm2m-agent/dist/agent/cli/main.js run --config /etc/lwm2m-agent/agent.yaml",
  );
  const status = await agent("service", "status");
  expect(status.code, status.stdout).toBe(0);
  expect(status.stdout).toMatch(/^enabled, active +lwm2m-agent\.service$/m);
  expect((await agent("service", "install")).stdout).not.toContain("write "); // again: nothing has changed
});

test("its journal is filtered by the name of an event, and a diagnosis has it", async () => {
  const journal = await guest.journal("lwm2m-agent");
  const events = journal.split("\n").flatMap((line) => {
    try {
      return [(JSON.parse(line) as { event?: string }).event];
    } catch {
      return []; // systemd's own lines
    }
  });
  expect(events).toContain("registered");
  expect(
    await guest.must("journalctl", "-u", "lwm2m-agent", "-p", "warning", "-o", "cat", "--no-pager"),
  ).not.toContain('"event":"registered"');
  expect((await agent("diagnostics", "-o", "/root/diagnosis.tar.gz")).code).toBe(0);
  const found = await guest.must(
    "sh",
    "-c",
    "tar -xzOf /root/diagnosis.tar.gz --wildcards '*/log/journal.txt'",
  );
  expect(found).toContain('"event":"registered"');
});

test("uninstalled, it leaves the configuration and what it keeps, with the user who owns it", async () => {
  const { code, stderr } = await agent("service", "uninstall");
  expect(code, stderr).toBe(0);
  expect(await traces()).toEqual(["/etc/lwm2m-agent", "/var/lib/lwm2m-agent"]);
  expect((await guest.run("getent", "passwd", "lwm2m-agent")).code).toBe(0);
  expect((await guest.run("systemctl", "is-active", "lwm2m-agent")).stdout).toBe("inactive\n");
  const again = await agent("service", "uninstall");
  expect(again.stderr).toBe("lwm2m-agent: nothing of `lwm2m-agent service install` is in /\n");
});

test("installed and purged, nothing is left but the configuration", async () => {
  expect((await agent("service", "install", "--now")).code).toBe(0);
  await guest.until(isRegistered, "it is registered again");
  const { code, stderr } = await agent("service", "uninstall", "--purge");
  expect(code, stderr).toBe(0);
  expect(await traces()).toEqual(["/etc/lwm2m-agent"]);
  expect(await guest.must("ls", "/etc/lwm2m-agent")).toBe("agent.yaml\n");
  expect((await guest.run("getent", "passwd", "lwm2m-agent")).code).toBe(2);
  expect((await guest.run("getent", "group", "lwm2m-agent")).code).toBe(2);
});
