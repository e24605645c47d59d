/** `lwm2m-agent service` in the root of an image, with systemd's own programs. Needs root. */
import { execFile } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import {
  type Place,
  planInstallation,
  planRemoval,
} from "../../../agent/service/installation/installation.js";
import { checkProgram } from "../../../agent/service/installation/program-place.js";
import { performStep, type Step } from "../../../agent/service/installation/steps.js";
import { createSystemClock } from "../../../platform/clock.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";

const run = promisify(execFile);

function image(): Place {
  const root = temporaryDirectory();
  const put = (path: string, content: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  put("etc/group", "root:x:0:\n");
  put("etc/shadow", "root:*:19000::::::\n");
  put("etc/gshadow", "root:*::\n");
  put("etc/systemd/system/other.service", "[Service]\nExecStart=/bin/true\n");
  return {
    root,
    units: resolve(import.meta.dirname, "../../../systemd"),
    program: { node: "/usr/bin/env", script: "/usr/bin/env" },
    isLive: false,
  };
}

async function perform(steps: readonly Step[]): Promise<void> {
  for (const step of steps) await performStep(step, createSystemClock());
}

/** Files with their content, and empty folders; without the copies that `passwd` and its kin keep. */
function contentOf(root: string): Readonly<Record<string, string>> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile() && !/^(passwd|group|shadow|gshadow)-$|^\.pwd\.lock$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(root.length), readFileSync(path, "utf8")]),
  );
}

test("what an installation brings into an image works there, and a removal leaves the image as it was", async () => {
  const here = image();
  const before = contentOf(here.root);
  await perform(await planInstallation(here, { start: true, helper: true }));
  const passwd = readFileSync(join(here.root, "etc/passwd"), "utf8");
  expect(passwd).toMatch(
    /^lwm2m-agent:x:\d+:\d+:LwM2M device agent:\/var\/lib\/lwm2m-agent:\/usr\/sbin\/nologin$/m,
  );
  expect(readdirSync(join(here.root, "etc/lwm2m-agent"))).toContain("hooks.d");
  expect(readdirSync(join(here.root, "etc/systemd/system/multi-user.target.wants"))).toEqual([
    "lwm2m-agent.service",
  ]);
  expect(readdirSync(join(here.root, "etc/systemd/system/sockets.target.wants"))).toEqual([
    "lwm2m-agent-helper.socket",
  ]);
  const unit = join(here.root, "etc/systemd/system/lwm2m-agent.service");
  const { stderr } = await run("systemd-analyze", ["verify", "--man=no", unit]).catch(
    (error: { stderr: string }) => error,
  );
  expect(stderr.split("\n").filter((line) => line.includes("lwm2m-agent.service"))).toEqual([]);

  await perform(await planInstallation(here, { start: false, helper: false })); // again: nothing new
  await perform(await planRemoval(here, { purge: false }));
  expect(contentOf(here.root)).toEqual(before);
  expect(readdirSync(join(here.root, "etc")).includes("lwm2m-agent")).toBe(false);
});

test("keys and packages of the agent stay until they are purged, and their owner with them", async () => {
  const here = image();
  const before = contentOf(here.root);
  await perform(await planInstallation(here, { start: false, helper: false }));
  const state = join(here.root, "var/lib/lwm2m-agent");
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, "accounts"), "");
  await perform(await planRemoval(here, { purge: false }));
  expect(readFileSync(join(here.root, "etc/passwd"), "utf8")).toMatch(/^lwm2m-agent:/m);
  expect(readdirSync(state)).toEqual(["accounts"]);

  await perform(await planInstallation(here, { start: false, helper: false }));
  await perform(await planRemoval(here, { purge: true }));
  expect(readdirSync(join(here.root, "var/lib"))).not.toContain("lwm2m-agent");
  expect(contentOf(here.root)).toEqual(before);
});

test("a program that others can change, or not read, is no service", async () => {
  const script = `/opt/lwm2m-agent-test-${process.pid}`;
  onTestFinished(() => rmSync(script, { force: true }));
  writeFileSync(script, "");
  const check = () => checkProgram({ node: "/usr/bin/env", script });
  chmodSync(script, 0o666);
  await expect(check()).rejects.toThrow(/can be changed by others, and it is to run as root: chmod go-w/);
  chmodSync(script, 0o600);
  await expect(check()).rejects.toThrow(/the user of the service may not read .*: chmod o\+rX/);
  chmodSync(script, 0o644);
  await expect(check()).resolves.toBeUndefined();
  chownSync(script, 12_345, 0);
  await expect(check()).rejects.toThrow(/belongs to user 12345, who could change what runs as root/);
});
