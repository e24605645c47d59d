/** The other packages that `npm run package` makes: for npm, and for those who build images. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-packages-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function output(ending: string): Promise<string> {
  const name = (await readdir(join(root, "out")).catch(() => [])).find((file) => file.endsWith(ending));
  if (name === undefined) throw new Error(`there is no *${ending} in out/: npm run package`);
  return join(root, "out", name);
}

test("the archive for npm installs globally and runs", async () => {
  const archive = join(folder, "lwm2m-agent.tgz"); // outside of the project, whose modules it must not find
  await cp(await output(".tgz"), archive);
  await run("npm", ["install", "--global", "--prefix", folder, "--no-audit", "--no-fund", archive], {
    cwd: folder,
  });
  const command = join(folder, "bin/lwm2m-agent");
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  expect((await run(command, ["--version"])).stdout).toBe(`${version}\n`);
  const { stdout } = await run(
    command,
    ["simulate", "--devices", "2", "--state", join(folder, "state"), "--socket", join(folder, "socket")],
    {
      timeout: 120_000,
    },
  );
  expect(stdout).toContain("Succeeded: 2; Failed: 0");
});

test("the Yocto recipe is one, as oelint-adv judges", async () => {
  const layer = join(root, "packaging/yocto/meta-lwm2m-agent");
  const recipes = (await readdir(layer, { recursive: true })).filter((file) => file.endsWith(".bb"));
  expect(recipes).toHaveLength(1);
  const said = await run("oelint-adv", [
    "--mode=all",
    "--nobackup",
    // The project has no page of its own to name there.
    "--suppress=oelint.var.mandatoryvar.HOMEPAGE",
    ...recipes.map((file) => join(layer, file)),
  ]).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: NodeJS.ErrnoException & { stdout?: string; stderr?: string }) => {
      if (error.code === "ENOENT")
        throw new Error("oelint-adv is missing: pipx install oelint-adv, or pip install it");
      return `${error.stdout}${error.stderr}`;
    },
  );
  expect(said.split("\n").filter((line) => /:error:/.test(line))).toEqual([]);
});

test("the recipe is of this version, and installs the archive that is made", async () => {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const recipe = join(
    root,
    `packaging/yocto/meta-lwm2m-agent/recipes-connectivity/lwm2m-agent/lwm2m-agent_${version}.bb`,
  );
  const text = await readFile(recipe, "utf8");
  const archive = await output("-image.tar.gz");
  const wanted = /file:\/\/(\S+\.tar\.gz)/.exec(text)?.[1]?.replace("$" + "{PV}", version);
  expect(archive.endsWith(`/${wanted}`)).toBe(true);
  const { stdout } = await run("tar", ["-tzf", archive]);
  for (const file of [
    "LICENSE",
    "root/usr/bin/lwm2m-agent",
    "root/usr/lib/systemd/system/lwm2m-agent.service",
  ]) {
    expect(stdout).toContain(`lwm2m-agent-${version}/${file}\n`);
  }
  const { stdout: sum } = await run("md5sum", [join(root, "LICENSE")]);
  expect(text).toContain(`md5=${sum.slice(0, 32)}`);
});
