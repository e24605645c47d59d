/**
 * A factory reset that also forgets what an application has kept, except for what belongs to the device itself. When that fails,
 * the device is not reset: a device that has forgotten half is worse than one that has forgotten nothing.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { definePlugin, type Plugin } from "lwm2m-agent/plugin";

export interface FactoryResetOptions {
  readonly folder?: string;
  /** Entries of the folder that stay. */
  readonly kept?: readonly string[];
}

export function createFactoryReset({
  folder = "/var/lib/pump",
  kept = ["calibration.json"],
}: FactoryResetOptions = {}): Plugin {
  return definePlugin({
    name: "factory-reset",
    api: 1,

    async factoryReset({ proceed }, agent) {
      const forgotten = (await readdir(folder)).filter((name) => !kept.includes(name));
      for (const name of forgotten) await rm(join(folder, name), { recursive: true });
      agent.log.info("the application has forgotten", { entries: forgotten.length });
      await proceed(); // the agent's own state, then the restart
    },
  });
}

export const plugin = createFactoryReset();
