/** Where each file of the agent lies on a board, whatever the package is that brings it. */
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

export const packageName = "lwm2m-agent";

export interface TreeOptions {
  /** The root of the project. */
  readonly root: string;
  /** What createBundle made. */
  readonly bundle: string;
  /** The completion script of bash. */
  readonly completion: string;
  /** Stands for the root of the board. */
  readonly tree: string;
}

export async function installTree(options: TreeOptions): Promise<void> {
  await addCode(options);
  await addUnits(options);
  await addConfiguration(options);
}

async function addCode({ tree, bundle, completion }: TreeOptions): Promise<void> {
  await cp(bundle, join(tree, "usr/lib", packageName), { recursive: true });
  await mkdir(join(tree, "usr/bin"), { recursive: true });
  await symlink(`../lib/${packageName}/dist/agent/cli/main.js`, join(tree, "usr/bin", packageName));
  await addFile(join(tree, "usr/share/bash-completion/completions", packageName), completion);
}

/** Where what lies in `systemd/` belongs. */
const systemFolders = [
  ["systemd", "usr/lib/systemd/system"],
  ["systemd/polkit", "usr/share/polkit-1/rules.d"],
  ["systemd/sysusers.d", "usr/lib/sysusers.d"],
  ["systemd/tmpfiles.d", "usr/lib/tmpfiles.d"],
] as const;

async function addUnits({ tree, root }: TreeOptions): Promise<void> {
  for (const [source, folder] of systemFolders) await addFolder(join(root, source), join(tree, folder));
}

/** Copies the files of a folder, not what is below it. */
export async function addFolder(source: string, folder: string): Promise<void> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    if (entry.isFile()) await addFile(join(folder, entry.name), await readFile(join(source, entry.name)));
  }
}

async function addConfiguration({ tree, root }: TreeOptions): Promise<void> {
  const folder = join(tree, "etc", packageName);
  await addFile(join(folder, "agent.yaml"), await readFile(join(root, "packaging/agent.yaml")));
  await mkdir(join(folder, "plugins.d"), { recursive: true });
  // Where Node.js looks for what a plugin imports: `lwm2m-agent/plugin` is the agent that loads it.
  await mkdir(join(folder, "node_modules"), { recursive: true });
  await symlink(`/usr/lib/${packageName}`, join(folder, "node_modules", packageName));
}

export async function addFile(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** Regular files of a tree, as paths from its root. */
export async function filesOf(tree: string): Promise<string[]> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(tree, join(entry.parentPath, entry.name)))
    .sort();
}
