/**
 * `npm run package`: everything that a board can be given, in `out/`: the archive for npm, the Debian package, and the archive
 * that the Yocto recipe installs.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import { createBundle } from "./bundle.js";
import { createDebianPackage } from "./debian-package.js";
import { installTree, packageName } from "./tree.js";

const run = promisify(execFile);

const root = resolve(import.meta.dirname, "../..");
const output = join(root, "out");
const { version, description } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
  version: string;
  description: string;
};

await rm(output, { recursive: true, force: true });
await mkdir(output);
const bundle = join(output, "bundle");
const licences = await createBundle({ root, folder: bundle });
const command = join(bundle, "dist/agent/cli/main.js");
const { stdout: completion } = await run(process.execPath, [command, "completion"]);

const files = [
  await packNpm(),
  await createDebianPackage({ root, bundle, licences, completion, output, version, description }),
  await packArchive(),
];
for (const file of files) {
  process.stdout.write(
    `${`${Math.ceil((await stat(file)).size / 1024)} KiB`.padStart(9)}  out/${basename(file)}\n`,
  );
}

async function packNpm(): Promise<string> {
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", output], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return join(output, filename);
}

/** The files as they lie on the board, for those who build images. */
async function packArchive(): Promise<string> {
  const name = `${packageName}-${version}`;
  const folder = join(output, name);
  await installTree({ root, bundle, completion, tree: join(folder, "root") });
  await cp(join(root, "LICENSE"), join(folder, "LICENSE"));
  const path = join(output, `${name}-image.tar.gz`);
  await run("tar", ["-C", output, "--owner=0", "--group=0", "--numeric-owner", "-czf", path, name]);
  await rm(folder, { recursive: true });
  return path;
}
