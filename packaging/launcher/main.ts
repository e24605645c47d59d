/**
 * Starts the bundled program on a board, from code that V8 has compiled before: with a code cache beside the file, the most of
 * starting is done when the package is installed. Without one, or with one of another Node.js, everything is the same, only later.
 *
 * The cache is as good as the code itself: it lies in the same folder, and who may write there may write the program. Nothing
 * else is looked for, so a folder that belongs to the agent's user never tells root what to run. V8 compares its version,
 * flags and the length of the source; that the source is the same is in the name, which holds its digest.
 */
import type * as Fs from "node:fs";
import type * as Modules from "node:module";
import type * as Path from "node:path";
import type * as V8 from "node:v8";
import type * as Vm from "node:vm";

// By `require`: what stands for an import in CommonJS copies each module first, which is felt here.
const fs = require("node:fs") as typeof Fs;
const { Module } = require("node:module") as typeof Modules;
const path = require("node:path") as typeof Path;
const v8 = require("node:v8") as typeof V8;
const vm = require("node:vm") as typeof Vm;

/** Of the bundle; the packaging puts it here. */
declare const SOURCE_DIGEST: string;

const file = path.join(__dirname, "lwm2m-agent.js");

interface Program {
  readonly main: () => Promise<void>;
}

/** As in `lwm2m-agent-1a2b3c4d-e5f60718.cache`. The tag holds version, flags and processor features of V8. */
export const cacheFile = (): string =>
  path.join(__dirname, `lwm2m-agent-${SOURCE_DIGEST}-${v8.cachedDataVersionTag().toString(16)}.cache`);

export function load(cachedData?: Buffer): { readonly program: Program; readonly script: Vm.Script } {
  const script = new vm.Script(Module.wrap(fs.readFileSync(file, "latin1")), {
    filename: file,
    ...(cachedData && { cachedData }),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const bundle: NodeJS.Module & { importModule?: (url: string) => Promise<unknown> } = new Module(
    file,
    module,
  );
  bundle.importModule = (url) => import(url);
  bundle.filename = file;
  bundle.paths = module.paths;
  // So that a plugin that imports `lwm2m-agent/plugin` gets the classes of the agent that loads it.
  require.cache[file] = bundle;
  script.runInThisContext()(bundle.exports, bundle.require.bind(bundle), bundle, file, __dirname);
  return { program: bundle.exports as Program, script };
}

function readCache(): Buffer | undefined {
  try {
    return fs.readFileSync(cacheFile());
  } catch {
    return undefined; // nobody has made one, which is no fault
  }
}

// The flags are part of what V8 compares, so they are set before anything is compiled.
v8.setFlagsFromString("--semi-space-growth-factor=1");

// code-cache.ts requires it.
if (require.main === module) void load(readCache()).program.main();
