/** Loads modules of plugins. */
import { readdir } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { importModule } from "../../platform/plugins/import-module.js";
import { whyNotTrusted } from "../../platform/plugins/trust.js";
import { describeError, errorCode } from "../../platform/system-error.js";
import { ConfigError } from "../model/errors.js";
import { type Plugin, pluginApi } from "../plugin.js";
import { type Clock, type Millis, seconds } from "../ports.js";

/** A module that should hold a plugin. */
export interface PluginFile {
  /** Absolute. */
  readonly path: string;
  /** How it was named, as in `plugins: /etc/lwm2m-agent/a.js`. */
  readonly said: string;
}

const moduleName = /^[^.].*\.(js|mjs|ts)$/;

/**
 * Those that are named, in their order, then those of the folder, by name. The folder need not be there.
 * @throws ConfigError when the folder cannot be read
 */
export async function findPluginFiles(
  named: readonly string[],
  directory: string,
): Promise<readonly PluginFile[]> {
  const files = named.map((path) => ({ path, said: `plugins: ${path}` }));
  let found: readonly string[];
  try {
    found = await readdir(directory);
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return files;
    throw new ConfigError(`pluginDirectory: ${directory} cannot be read: ${describeError(cause)}`, { cause });
  }
  const more = found
    .filter((name) => moduleName.test(name) && !name.endsWith(".d.ts"))
    .toSorted()
    .map((name) => join(directory, name))
    .filter((path) => !named.includes(path));
  return [...files, ...more.map((path) => ({ path, said: path }))];
}

/**
 * One that only root or the user of the agent could have put there.
 * @throws ConfigError when it is not to be trusted, cannot be loaded, or is no plugin
 */
export async function loadTrustedPlugin({ path, said }: PluginFile): Promise<Plugin> {
  const fault = await whyNotTrusted(path);
  if (fault !== undefined) throw new ConfigError(`${said} ${fault}`);
  return loadPlugin(path, said);
}

/**
 * @param said how the module was named, as in `--plugin ./a.js`
 * @throws ConfigError when it cannot be loaded, or is no plugin
 */
export async function loadPlugin(path: string, said: string): Promise<Plugin> {
  refuseTypes(path, said);
  let module: { plugin?: unknown; default?: unknown };
  try {
    module = (await importModule(pathToFileURL(resolve(path)).href)) as typeof module;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`${said} cannot be loaded: ${why}`, { cause });
  }
  const plugin = module.plugin ?? module.default;
  const fault = faultOf(plugin);
  if (fault !== undefined) throw new ConfigError(`${said} ${fault}`);
  return plugin as Plugin; // its callbacks were typed where it was written
}

/** Node.js takes types away since 22.18; before, it stumbles over the first of them. */
function refuseTypes(path: string, said: string): void {
  const { typescript } = process.features as { readonly typescript?: false | "strip" | "transform" };
  if (extname(path) !== ".ts" || typescript) return;
  throw new ConfigError(
    `${said} is TypeScript, which Node.js ${process.versions.node} does not load: compile it to a .js file (npx tsc), or use Node.js 22.18 or newer`,
  );
}

const callbacks = [
  "start",
  "stop",
  "packageUriWritten",
  "updateExecuted",
  "reboot",
  "factoryReset",
  "configurationApplied",
] as const satisfies readonly (keyof Plugin)[];

/** What is wrong with it, as a sentence goes on. */
function faultOf(plugin: unknown): string | undefined {
  if (typeof plugin !== "object" || plugin === null || !("name" in plugin)) {
    return "exports no plugin: a plugin is a module that exports `plugin`, made with definePlugin of lwm2m-agent/plugin";
  }
  const { name, api = 1 } = plugin as { readonly name: unknown; readonly api?: unknown };
  if (typeof name !== "string" || !/^[A-Za-z0-9-]{1,64}$/.test(name)) {
    return `has a plugin of the name ${JSON.stringify(name)}: give it 1 to 64 letters, digits and "-"`;
  }
  if (typeof api !== "number" || !Number.isInteger(api) || api < 1) {
    return `says api: ${JSON.stringify(api)}: it is the version of the plugin API as a number, such as ${pluginApi}`;
  }
  if (api > pluginApi) {
    return `needs version ${api} of the plugin API, this agent has ${pluginApi}: install a newer lwm2m-agent, or an older version of the plugin`;
  }
  const wrong = callbacks.find((callback) => {
    const value = (plugin as Readonly<Record<string, unknown>>)[callback];
    return value !== undefined && typeof value !== "function";
  });
  return wrong === undefined ? undefined : `has a ${wrong} that is no function`;
}

export const sameName = ({ said }: PluginFile, name: string, other: string) =>
  new ConfigError(`${said} has the name ${name}, as ${other} has: give one of them another`);

const loadingLimit = seconds(30);

/** @throws ConfigError when a module waits for something that does not come */
export async function inTime<T>(
  { said }: PluginFile,
  clock: Clock,
  loading: Promise<T>,
  limit: Millis = loadingLimit,
): Promise<T> {
  let giveUp: (error: ConfigError) => void = () => undefined;
  const overdue = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const timer = clock.after(limit, () =>
    giveUp(
      new ConfigError(
        `${said} was not loaded within ${limit / 1000} s: nothing may wait where it is imported`,
      ),
    ),
  );
  try {
    return await Promise.race([loading, overdue]);
  } finally {
    timer.cancel();
  }
}
