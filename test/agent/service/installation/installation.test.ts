import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import {
  installationState,
  type Place,
  planInstallation,
  planRemoval,
} from "../../../../agent/service/installation/installation.js";
import { checkProgram } from "../../../../agent/service/installation/program-place.js";
import { describeStep, performStep, type Step } from "../../../../agent/service/installation/steps.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { temporaryDirectory } from "../../../platform/files/temporary-directory.js";

/** A program of root's that is on every Linux. */
const program = { node: "/usr/bin/env", script: "/usr/bin/env" };

function place(isLive = false): Place {
  const root = temporaryDirectory();
  put(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  return { root, units: resolve(import.meta.dirname, "../../../../systemd"), program, isLive };
}

function put(root: string, path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const ownUser = "lwm2m-agent:x:990:990:LwM2M device agent:/var/lib/lwm2m-agent:/usr/sbin/nologin\n";

const install = { start: false, helper: false };
const told = (root: string, steps: readonly Step[]) =>
  steps.map((step) => describeStep(step).replaceAll(root, ""));

async function perform(steps: readonly Step[]): Promise<void> {
  for (const step of steps) if (step.do !== "run") await performStep(step, createSystemClock());
}

test("units, user and folders are written below /etc, and nothing is started", async () => {
  const here = place();
  const steps = await planInstallation(here, install);
  expect(told(here.root, steps)).toEqual([
    "write /etc/systemd/system/lwm2m-agent.service",
    "write /etc/systemd/system/lwm2m-agent-helper.socket",
    "write /etc/systemd/system/lwm2m-agent-helper.service",
    "write /etc/sysusers.d/lwm2m-agent.conf",
    "write /etc/tmpfiles.d/lwm2m-agent.conf",
    "write /etc/polkit-1/rules.d/50-lwm2m-agent.rules",
    "run systemd-sysusers --root= /etc/sysusers.d/lwm2m-agent.conf",
    "run systemd-tmpfiles --create --root= /etc/tmpfiles.d/lwm2m-agent.conf",
  ]);
});

test("--now enables the agent, and the helper where it is wanted", async () => {
  const there = place();
  const steps = await planInstallation(there, { start: true, helper: true });
  expect(told(there.root, steps).at(-1)).toBe(
    "run systemctl --root= enable lwm2m-agent.service lwm2m-agent-helper.socket",
  );
  const here = place(true);
  await expect(planInstallation(here, { start: true, helper: false })).rejects.toThrow(
    /^there is no \/etc\/lwm2m-agent\/agent\.yaml to start with: write one with `lwm2m-agent init`/,
  );
  put(here.root, "etc/lwm2m-agent/agent.yaml", "");
  const live = await planInstallation(here, { start: true, helper: false });
  expect(live.slice(-2).map(describeStep)).toEqual([
    "run systemctl daemon-reload",
    expect.stringMatching(/^run systemctl .*enable --now lwm2m-agent\.service$/),
  ]);
});

test("the units call the program from where it lies, whatever its path is called", async () => {
  const here = place();
  await perform(await planInstallation(here, install));
  const unit = (name: string) => readFileSync(join(here.root, "etc/systemd/system", name), "utf8");
  expect(unit("lwm2m-agent.service")).toMatch(
    /^ExecStart=\/usr\/bin\/env \/usr\/bin\/env run --config \/etc\/lwm2m-agent\/agent\.yaml$/m,
  );
  expect(unit("lwm2m-agent.service")).toMatch(/^ExecReload=\/usr\/bin\/env \/usr\/bin\/env reload /m);
  expect(unit("lwm2m-agent-helper.service")).toMatch(/^ExecStart=\/usr\/bin\/env \/usr\/bin\/env helper /m);
  expect(unit("lwm2m-agent.service")).not.toContain("/usr/bin/lwm2m-agent");
});

test("again, only what has changed is written", async () => {
  const here = place();
  await perform(await planInstallation(here, install));
  expect(await installationState(here)).toMatchObject({ files: six("installed"), hasUser: false });
  expect(told(here.root, await planInstallation(here, install))).toEqual([
    expect.stringMatching(/^run systemd-sysusers/),
    expect.stringMatching(/^run systemd-tmpfiles/),
  ]);
  const moved = { ...here, program: { node: "/usr/bin/env", script: "/usr/bin/id" } };
  expect((await installationState(moved)).files.map(({ state }) => state)).toEqual([
    "differs",
    "installed",
    "differs",
    "installed",
    "installed",
    "installed",
  ]);
  const again = await planInstallation(moved, install);
  expect(again.filter((step) => step.do === "write")).toHaveLength(2);
});
const six = (state: string) => Array.from({ length: 6 }, () => expect.objectContaining({ state }));

test("what somebody else wrote is neither overwritten nor removed", async () => {
  const here = place();
  put(here.root, "etc/systemd/system/lwm2m-agent.service", "[Service]\n");
  await expect(planInstallation(here, install)).rejects.toThrow(/was written by somebody else/);
  await expect(planRemoval(here, { purge: true })).rejects.toThrow(
    `nothing of \`lwm2m-agent service install\` is in ${here.root}`,
  );
  expect((await installationState(here)).files[0]?.state).toBe("of somebody else");
});

test.each([
  ["var/lib/dpkg/info/lwm2m-agent.list", /^the Debian package lwm2m-agent is installed/],
  ["usr/lib/systemd/system/lwm2m-agent.service", /came with this system and would be hidden/],
])("beside %s it refuses", async (path, message) => {
  const here = place();
  put(here.root, path, "");
  await expect(planInstallation(here, install)).rejects.toThrow(message);
});

test("units that are not there are those of a package", async () => {
  await expect(planInstallation({ ...place(), units: "/nowhere" }, install)).rejects.toThrow(
    /came with a package of the system/,
  );
});

const removing = (...paths: readonly string[]) => paths.map((path) => `remove ${path} if it is empty`);

test("a removal takes away what was brought, and keeps the user while the agent's files are there", async () => {
  const here = place();
  await perform(await planInstallation(here, install));
  put(here.root, "etc/passwd", `root:x:0:0::/:/bin/sh\n${ownUser}`);
  const files = [
    "systemd/system/lwm2m-agent.service",
    "systemd/system/lwm2m-agent-helper.socket",
    "systemd/system/lwm2m-agent-helper.service",
    "sysusers.d/lwm2m-agent.conf",
    "tmpfiles.d/lwm2m-agent.conf",
    "polkit-1/rules.d/50-lwm2m-agent.rules",
  ].map((path) => `remove /etc/${path}`);
  const folders = [
    "/var/lib/lwm2m-agent",
    "/var/cache/lwm2m-agent",
    "/var/lib/lwm2m-agent-helper",
    "/var/cache/lwm2m-agent-helper",
  ];
  const disable = "run systemctl --root= disable lwm2m-agent.service lwm2m-agent-helper.socket";
  const configuration = removing(
    "/etc/lwm2m-agent/plugins.d",
    "/etc/lwm2m-agent/hooks.d",
    "/etc/lwm2m-agent",
  );
  const userdel = ["run userdel --prefix  lwm2m-agent", "run groupdel --prefix  lwm2m-agent"];
  expect(told(here.root, await planRemoval(here, { purge: false }))).toEqual([
    ...[disable, ...files, ...removing(...folders), ...configuration, ...userdel],
  ]);
  put(here.root, "var/lib/lwm2m-agent/accounts", "");
  expect(told(here.root, await planRemoval(here, { purge: false }))).not.toContain(userdel[0]);
  expect(told(here.root, await planRemoval(here, { purge: true }))).toEqual([
    disable,
    ...files,
    ...folders.map((path) => `remove ${path} and all that is in it`),
    ...configuration,
    ...userdel,
  ]);
});

test("a user of the same name that is somebody else's is not removed", async () => {
  const here = place();
  put(here.root, "etc/passwd", "lwm2m-agent:x:990:990::/:/bin/false\n");
  await perform(await planInstallation(here, install));
  expect(told(here.root, await planRemoval(here, { purge: true })).join()).not.toContain("userdel");
});

test.each([
  ["/home/me/node", /^the service cannot see \/home\/me\/node, which is in a folder of users: install/],
  ["/root/.nvm/node", /^the service cannot see/],
  ["/usr/bin/no-such-program", /is not there: install Node\.js and the package/],
])("a program at %s is refused", async (script, message) => {
  await expect(checkProgram({ node: "/usr/bin/env", script })).rejects.toThrow(message);
});
