/**
 * All code of the agent as one file, so that a board needs neither npm nor a folder of thousand files: what is behind a
 * dynamic import is in it, and evaluated only when it is needed.
 *
 * The folder has the shape of the npm package. `exports` of package.json hold in both, and a plugin that imports
 * `lwm2m-agent/plugin` shares its classes with the agent that loads it.
 */
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/** Beside the command, so that what is relative to a file of `dist/agent/cli` is where it was. */
const file = "agent/cli/lwm2m-agent.js";

/** A module of CommonJS knows itself by a path. */
const urlOfFile = 'const urlOfThisFile = require("node:url").pathToFileURL(__filename).href;';

/** What `import()` loads comes by way of the launcher: in code from V8's cache there is no import. */
const importByLauncher: Plugin = {
  name: "import by launcher",
  setup: (building) =>
    building.onLoad({ filter: /\/platform\/plugins\/import-module\.js$/ }, () => ({
      contents: "export const importModule = (url) => module.importModule(url);",
    })),
};

/** What the file hands out: to the command, to plugins, and to whoever embeds the agent. */
const contents = `
exports.main = () => require("./dist/agent/cli/start.js").main();
exports.library = () => require("./dist/agent/main.js");
exports.plugin = () => require("./dist/agent/plugin.js");
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
    format: "cjs", // the loader of ECMAScript modules takes no code cache, and longer
    target: "node20.19",
    minify: true,
    keepNames: true, // names of errors and classes are part of the messages
    legalComments: "none", // they stand in the copyright file of the package
    charset: "ascii", // V8 keeps it in half the memory, and the launcher reads it as it is
    define: { "import.meta.url": "urlOfThisFile" },
    banner: { js: urlOfFile },
    plugins: [importByLauncher],
    logLevel: "warning",
    absWorkingDir: root,
    metafile: true,
  });
  const digest = createHash("sha256")
    .update(await readFile(join(dist, file)))
    .digest("hex")
    .slice(0, 16);
  await createLauncher({ root, folder: join(dist, "agent/cli"), digest });
  await createFacade(join(root, "dist/agent/main.js"), join(dist, "agent/main.js"), "library");
  await createFacade(join(root, "dist/agent/plugin.js"), join(dist, "agent/plugin.js"), "plugin");
  await writeFile(join(folder, "package.json"), await manifest(root, digest));
  await cp(join(root, "schema"), join(folder, "schema"), { recursive: true });
  return licencesOf(root, Object.keys(metafile.inputs));
}

/** The command, and what makes its code cache. */
async function createLauncher({
  root,
  folder,
  digest,
}: {
  readonly root: string;
  readonly folder: string;
  /** Of the code. */
  readonly digest: string;
}): Promise<void> {
  for (const name of ["main", "code-cache"]) {
    await build({
      entryPoints: [join(root, `packaging/launcher/${name}.ts`)],
      outfile: join(folder, `${name}.js`),
      platform: "node",
      format: "cjs",
      target: "node20.19",
      define: { SOURCE_DIGEST: JSON.stringify(digest) },
      banner: { js: "#!/usr/bin/node" },
      logLevel: "warning",
    });
    await chmod(join(folder, `${name}.js`), 0o755);
  }
  // The folder of a package of ECMAScript modules, but for these.
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
}

/** A module that hands out what the one in the bundle does, and the very same. */
async function createFacade(module: string, path: string, part: "library" | "plugin"): Promise<void> {
  const names = Object.keys((await import(pathToFileURL(module).href)) as object).sort();
  await writeFile(
    path,
    'import { createRequire } from "node:module";\n' +
      `export const { ${names.join(", ")} } = createRequire(import.meta.url)("./cli/lwm2m-agent.js").${part}();\n`,
  );
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
async function manifest(root: string, build: string): Promise<string> {
  const { name, version, description, license, type, engines, exports } = JSON.parse(
    await readFile(join(root, "package.json"), "utf8"),
  ) as Record<string, unknown>;
  return `${JSON.stringify({ name, version, build, description, license, type, engines, exports }, undefined, 2)}\n`;
}
