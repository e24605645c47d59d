/**
 * All code of the agent as one file, so that a board needs neither npm nor a folder of thousand files: what is behind a
 * dynamic import is in it, and evaluated only when it is needed.
 *
 * The folder has the shape of the npm package. `exports` of package.json hold in both, and a plugin that imports
 * `lwm2m-agent/plugin` shares its classes with the agent that loads it.
 */
import { chmod, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** Beside the command, so that what is relative to a file of `dist/agent/cli` is where it was. */
const file = "agent/cli/lwm2m-agent.js";

/** Packages of CommonJS ask for modules of Node.js by `require`, which an ECMAScript module does not have. */
const requireForPackages =
  'import { createRequire as createRequireForPackages } from "node:module"; const require = createRequireForPackages(import.meta.url);';

/** What the file hands out: to the command, to plugins, and to whoever embeds the agent. */
const contents = `
export { main } from "./dist/agent/cli/command-line.js";
export * from "./dist/agent/main.js";
export * from "./dist/agent/plugin.js";
`;

export interface BundleOptions {
  /** The root of the project, with `dist` built. */
  readonly root: string;
  /** Where the folder is made. */
  readonly folder: string;
}

export interface PackageLicence {
  /** As in package.json. */
  readonly identifier: string;
  readonly text: string;
}

/** @returns the licences of the packages that have become part of it, by their names */
export async function createBundle({
  root,
  folder,
}: BundleOptions): Promise<ReadonlyMap<string, PackageLicence>> {
  const dist = join(folder, "dist");
  await mkdir(join(dist, "agent/cli"), { recursive: true });
  const { metafile } = await build({
    stdin: { contents, resolveDir: root, sourcefile: "bundle.js" },
    outfile: join(dist, file),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    minify: true,
    keepNames: true, // names of errors and classes are part of the messages
    legalComments: "none", // they stand in the copyright file of the package
    banner: { js: requireForPackages },
    logLevel: "warning",
    absWorkingDir: root,
    metafile: true,
  });
  await writeFile(join(dist, "agent/plugin.js"), `export * from "./cli/lwm2m-agent.js";\n`);
  await writeFile(join(dist, "agent/main.js"), `export * from "./cli/lwm2m-agent.js";\n`);
  const command = join(dist, "agent/cli/main.js");
  await writeFile(command, `#!/usr/bin/node\nimport { main } from "./lwm2m-agent.js";\nvoid main();\n`);
  await chmod(command, 0o755);
  await writeFile(join(folder, "package.json"), await manifest(root));
  await cp(join(root, "schema"), join(folder, "schema"), { recursive: true });
  return licencesOf(root, Object.keys(metafile.inputs));
}

async function licencesOf(
  root: string,
  inputs: readonly string[],
): Promise<ReadonlyMap<string, PackageLicence>> {
  const folders = new Set(
    inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []),
  );
  const licences = new Map<string, PackageLicence>();
  for (const folder of [...folders].sort()) {
    const { name, license } = JSON.parse(await readFile(join(root, folder, "package.json"), "utf8")) as {
      name: string;
      license?: string;
    };
    const file = (await readdir(join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry));
    const text =
      file === undefined ? `Licensed as ${license}.` : await readFile(join(root, folder, file), "utf8");
    licences.set(name, { identifier: license ?? "unknown", text });
  }
  return licences;
}

/** Of package.json, what says how the folder is used. */
async function manifest(root: string): Promise<string> {
  const { name, version, description, license, type, engines, exports } = JSON.parse(
    await readFile(join(root, "package.json"), "utf8"),
  ) as Record<string, unknown>;
  return `${JSON.stringify({ name, version, description, license, type, engines, exports }, undefined, 2)}\n`;
}
