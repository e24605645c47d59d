/** The unit files, by systemd's own judgement: valid, and as confined as docs/service.md says. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const units = resolve(import.meta.dirname, "../../../systemd");
let folder = "";

beforeAll(async () => {
  await run("systemd-analyze", ["--version"]).catch(() => {
    throw new Error("systemd-analyze is missing: install the Debian package systemd");
  });
  folder = mkdtempSync(join(tmpdir(), "lwm2m-agent-units-"));
  for (const name of readdirSync(units).filter((entry) => /\.(service|socket)$/.test(entry))) {
    // The program is not installed on the machine that tests; whether its command line is right is for the boot laboratory.
    const unit = readFileSync(join(units, name), "utf8").replaceAll(
      "/usr/bin/lwm2m-agent ",
      `${process.execPath} `,
    );
    writeFileSync(join(folder, name), unit);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What systemd has to say of the units; nothing when they are valid. */
async function verify(...names: string[]): Promise<string> {
  const paths = names.map((name) => join(folder, name));
  const { stdout, stderr } = await run("systemd-analyze", ["verify", "--man=no", ...paths]).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return (stdout + stderr)
    .split("\n")
    .filter((line) => line.includes("lwm2m-agent"))
    .join("\n");
}

/** Exposure from 0 to 10; lower is better. */
async function exposure(name: string): Promise<number> {
  const { stdout } = await run("systemd-analyze", ["security", "--offline=true", join(folder, name)], {
    env: { ...process.env, LC_ALL: "C", SYSTEMD_COLORS: "0" },
  }).catch((error: { stdout: string }) => error);
  const [, figure] = /Overall exposure level for \S+: (\d+\.\d+)/.exec(stdout) ?? [];
  if (figure === undefined) throw new Error(`systemd-analyze says nothing of ${name}: ${stdout.slice(-300)}`);
  return Number(figure);
}

test("the units are valid, with each of their drop-ins", async () => {
  expect(await verify("lwm2m-agent.service", "lwm2m-agent-helper.socket", "lwm2m-agent-helper.service")).toBe(
    "",
  );
  for (const name of readdirSync(join(units, "drop-ins"))) {
    const text = readFileSync(join(units, "drop-ins", name), "utf8");
    const [, unit = ""] = /\/(lwm2m-agent[a-z-]*\.service)\.d\//.exec(text) ?? [];
    const dropIn = join(folder, `${unit}.d`);
    mkdirSync(dropIn);
    writeFileSync(join(dropIn, name), text);
    expect(await verify(unit), name).toBe("");
    rmSync(dropIn, { recursive: true });
  }
});

test("a mistake in a unit would be seen", async () => {
  writeFileSync(
    join(folder, "lwm2m-agent-wrong.service"),
    "[Service]\nExecStart=/no/such/lwm2m-agent\nTypo=yes\n",
  );
  const found = await verify("lwm2m-agent-wrong.service");
  expect(found).toContain("Typo");
  expect(found).toContain("/no/such/lwm2m-agent");
});

test.each([
  ["lwm2m-agent.service", 1.5],
  ["lwm2m-agent-helper.service", 1.8],
])("%s is exposed by %d at most, and by what docs/service.md says", async (name, most) => {
  const page = readFileSync(resolve(units, "../docs/service.md"), "utf8");
  const [, stated] =
    new RegExp(`^\\| \`${name.replaceAll(".", "\\.")}\` \\| (\\d\\.\\d) \\|`, "m").exec(page) ?? [];
  expect(Number(stated)).toBeLessThanOrEqual(most);
  expect(await exposure(name)).toBeLessThanOrEqual(Number(stated));
});

test("user and folders are what systemd-sysusers and systemd-tmpfiles understand", async () => {
  const root = join(folder, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  await run("systemd-sysusers", [`--root=${root}`, join(units, "sysusers.d/lwm2m-agent.conf")]);
  expect(readFileSync(join(root, "etc/passwd"), "utf8")).toMatch(
    /^lwm2m-agent:x:\d+:\d+:LwM2M device agent:\/var\/lib\/lwm2m-agent:\/usr\/sbin\/nologin$/m,
  );
  writeFileSync(
    join(root, "etc/passwd"),
    `root:x:0:0:root:/root:/bin/sh\n${readFileSync(join(root, "etc/passwd"))}`,
  );
  await run("systemd-tmpfiles", ["--create", `--root=${root}`, join(units, "tmpfiles.d/lwm2m-agent.conf")]);
  expect(readdirSync(join(root, "etc/lwm2m-agent"))).toEqual(["hooks.d", "plugins.d"]);
});

test("the polkit rule lets the agent restart the device, and nobody do anything else", () => {
  let rule: (action: { id: string }, subject: { user: string }) => string = () => "no rule";
  const polkit = {
    Result: { YES: "yes", NOT_HANDLED: "not handled" },
    addRule: (given: typeof rule) => {
      rule = given;
    },
  };
  runInNewContext(readFileSync(join(units, "polkit/50-lwm2m-agent.rules"), "utf8"), { polkit });
  const ask = (user: string, id: string) => rule({ id: `org.freedesktop.login1.${id}` }, { user });
  for (const id of ["reboot", "reboot-multiple-sessions", "set-reboot-parameter"]) {
    expect(ask("lwm2m-agent", id)).toBe("yes");
    expect(ask("nobody", id)).toBe("not handled");
  }
  for (const id of ["power-off", "reboot-ignore-inhibit", "halt"]) {
    expect(ask("lwm2m-agent", id)).toBe("not handled");
  }
});
