/** The plugins of the service: found, loaded one by one, kept apart from the agent. None of them keeps it from starting. */
import { basename, join } from "node:path";
import { createFileStore } from "../../platform/files/store.js";
import { openMarker, type PluginMarker } from "../../platform/plugins/marker.js";
import type { ServiceConfig } from "../config/service-config.js";
import type { ServiceStatus } from "../control/status.js";
import type { PluginHealth } from "../main.js";
import { ConfigError } from "../model/errors.js";
import type { Plugin } from "../plugin.js";
import type { Clock, Log, PluginContainment } from "../ports.js";
import { markerName, type PluginBlame, takeBlame } from "./plugin-blame.js";
import { findPluginFiles, inTime, loadTrustedPlugin, type PluginFile, sameName } from "./plugin-loader.js";
import { scriptOptions } from "./script-options.js";

export interface ServicePlugins {
  /** Those that can be started. */
  readonly plugins: readonly Plugin[];
  /** undefined without plugins. */
  readonly containment: PluginContainment | undefined;
  /** Of all that there should be, with what their host says of those that started. */
  health(hosted: readonly PluginHealth[]): ServiceStatus["plugins"];
  /** The process ends in order. Calling it again is harmless. */
  close(): void;
}

export interface ServicePluginsOptions {
  readonly config: ServiceConfig;
  readonly clock: Clock;
  readonly log: Log;
}

type Left = ServiceStatus["plugins"][number];

const none: ServicePlugins = {
  plugins: [],
  containment: undefined,
  health: () => [],
  close: () => undefined,
};

export async function loadPlugins(options: ServicePluginsOptions): Promise<ServicePlugins> {
  const { config, log } = options;
  const left: Left[] = [];
  const leave = (name: string, health: Left["health"], reason: string) => {
    left.push({ name, health, reason });
    log.error("plugin left out", { plugin: name, reason });
  };
  let found: readonly PluginFile[] = [];
  try {
    found = await findPluginFiles(config.plugins, config.pluginDirectory);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    leave(basename(config.pluginDirectory), "failed", error.message);
  }
  const scripts = await scriptPlugins(options);
  if (found.length === 0) {
    return { ...none, plugins: scripts, health: (hosted) => [...scripts.map(healthFrom(hosted)), ...left] };
  }

  const marker = join(config.directories.runtime, markerName);
  const blame = await takeBlame({
    store: createFileStore(config.directories.state),
    log,
    marker,
    files: found.map(({ path }) => path),
  });
  return contained({ ...options, scripts, found, blame, left, leave, marker: openMarker(marker) });
}

async function scriptPlugins({ config, clock }: ServicePluginsOptions): Promise<readonly Plugin[]> {
  if (config.scripts.length === 0) return [];
  const { createScriptPlugin } = await import("../scripts.js");
  return scriptOptions(config).map(({ name, ...options }) => createScriptPlugin(name, options, clock));
}

const healthFrom =
  (hosted: readonly PluginHealth[], troubles: ReadonlyMap<string, string> = new Map()) =>
  ({ name }: Plugin): Left => {
    const of = hosted.find((each) => each.name === name);
    return { name, health: of?.health ?? "running", reason: of?.reason ?? troubles.get(name) ?? null };
  };

interface Contained extends ServicePluginsOptions {
  readonly scripts: readonly Plugin[];
  readonly found: readonly PluginFile[];
  readonly blame: PluginBlame;
  readonly left: readonly Left[];
  readonly leave: (name: string, health: Left["health"], reason: string) => void;
  readonly marker: PluginMarker;
}

async function contained(options: Contained): Promise<ServicePlugins> {
  const { clock, log, scripts, found, blame, left, leave, marker } = options;
  const { createProcessContainment } = await import("../../platform/plugins/containment.js");
  const files = new Map<string, string>();
  const troubles = new Map<string, string>();
  const containment = createProcessContainment({
    log,
    marker,
    files,
    onTrouble: (plugin, what) => troubles.set(plugin, what),
  });
  const removeMarker = () => marker.remove();
  process.once("exit", removeMarker); // an end that is in order, though it may be early

  const plugins: Plugin[] = [...scripts];
  for (const { name } of scripts) files.set(name, "scripts of the configuration");
  for (const file of found) {
    const out = blame.whyLeftOut(file.path);
    if (out !== undefined) {
      leave(out.plugin, "left out", out.reason);
      continue;
    }
    const label = basename(file.path);
    files.set(label, file.path);
    try {
      const loading = containment.inside(label, "load", () => loadTrustedPlugin(file));
      const plugin = await inTime(file, clock, loading);
      const same = files.get(plugin.name);
      if (same !== undefined) throw sameName(file, plugin.name, same);
      files.set(plugin.name, file.path);
      plugins.push(plugin);
      const end = blame.lastEnd(file.path);
      if (end !== undefined) troubles.set(plugin.name, end);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      leave(label, "failed", error.message);
    } finally {
      files.delete(label);
    }
  }
  return {
    plugins,
    containment,
    health: (hosted) => [...plugins.map(healthFrom(hosted, troubles)), ...left],
    close() {
      process.off("exit", removeMarker);
      marker.remove();
      containment.close();
    },
  };
}
