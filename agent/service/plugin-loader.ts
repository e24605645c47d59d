/** Loads modules of plugins. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "../model/errors.js";
import type { Plugin } from "../plugin.js";

/**
 * @param said how the module was named, as in `--plugin ./a.js`
 * @throws ConfigError when it cannot be loaded, or is no plugin
 */
export async function loadPlugin(path: string, said: string): Promise<Plugin> {
  const hint = "a plugin is a module that exports `plugin`, made with definePlugin of lwm2m-agent/plugin";
  let module: { plugin?: unknown; default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as typeof module;
  } catch (cause) {
    throw new ConfigError(`${said} cannot be loaded: ${(cause as Error).message}`, { cause });
  }
  const plugin = module.plugin ?? module.default;
  if (
    typeof plugin !== "object" ||
    plugin === null ||
    !("name" in plugin) ||
    typeof plugin.name !== "string"
  ) {
    throw new ConfigError(`${said} exports no plugin: ${hint}`);
  }
  return plugin as Plugin; // its callbacks were typed where it was written
}
