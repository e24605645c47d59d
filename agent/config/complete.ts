/** From what the operator said to all that the service needs to know. */
import { dirname, join, resolve } from "node:path";
import { defaultDirectories, defaultEndpointName, type Surroundings } from "./defaults.js";
import type { StatedConfig } from "./schema.js";
import type { ServiceConfig } from "./service-config.js";

/** Its modules are plugins, without being named. */
const defaultPluginDirectory = "/etc/lwm2m-agent/plugins.d";

const day = 86_400;

/** Fills in what was not said, and makes paths absolute. */
export function complete(
  stated: StatedConfig,
  { file, surroundings }: { readonly file: string | undefined; readonly surroundings: Surroundings },
): ServiceConfig {
  const folder = file === undefined ? process.cwd() : dirname(file);
  const directories = { ...defaultDirectories(surroundings), ...present(stated.directories ?? {}) };
  return {
    stated,
    file,
    endpointName: stated.endpointName ?? defaultEndpointName(surroundings),
    servers: (stated.servers ?? []).map(({ confirmableNotifications, ...server }, index) => ({
      ...server,
      shortServerId: server.shortServerId ?? index + 1,
      lifetime: server.lifetime ?? day,
      ...(confirmableNotifications !== undefined && {
        defaultNotificationMode: confirmableNotifications ? 1 : 0,
      }),
    })),
    board: stated.board ?? { type: "auto" },
    objects: (stated.objects ?? []).map((object) =>
      typeof object === "string" ? resolve(folder, object) : object,
    ),
    plugins: (stated.plugins ?? []).map((path) => resolve(folder, path)),
    scripts: (stated.scripts ?? []).map(({ object, ...script }) => ({
      ...script,
      object: resolve(folder, typeof object === "number" ? `${object}.xml` : object),
    })),
    pluginDirectory: stated.pluginDirectory ?? defaultPluginDirectory,
    directories,
    log: { level: stated.log?.level ?? "info", format: stated.log?.format ?? "auto" },
    metrics: localPort(stated.metrics),
    statusPage: localPort(stated.statusPage),
    control: {
      socket: stated.control?.socket ?? join(directories.runtime, "control.sock"),
      group: stated.control?.group,
    },
  };
}

const localPort = (stated: StatedConfig["metrics"]) =>
  stated && { port: stated.port, address: stated.address ?? "127.0.0.1" };

/** Without the keys that are there and say nothing. */
const present = <T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
