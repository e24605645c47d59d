/** As much of the agent as a plugin needs in a test: it starts it, holds its Objects, and hears of changes. */
import type { Log, ObjectImplementation, Plugin, PluginAgent } from "lwm2m-agent/plugin";

type Handlers = ObjectImplementation["instances"] extends ReadonlyMap<number, infer H> ? H : never;

export async function startPlugin(plugin: Plugin) {
  const objects: ObjectImplementation[] = [];
  const waiting = new Map<string, () => void>();
  const notUsed = () => {
    throw new Error("this fake has no such thing: add it");
  };
  const agent: PluginAgent = {
    endpointName: "test",
    log: silent,
    addObject: (object) => void objects.push(object),
    object: notUsed,
    send: notUsed,
    setFirmwareUpdateState: notUsed,
    setFirmwareUpdateResult: notUsed,
  };
  await plugin.start?.(agent);
  for (const object of objects) {
    await object.start?.({
      changed: (_instance, ...names) => {
        for (const name of names) waiting.get(name)?.();
      },
      instanceAdded: () => undefined,
      instanceRemoved: () => undefined,
    });
  }
  return {
    /** The handlers of an Object Instance, by the names of the definition. */
    object(id: number, instance = 0): Handlers {
      const handlers = objects.find(({ definition }) => definition.id === id)?.instances.get(instance);
      if (handlers === undefined) throw new Error(`the plugin has added no /${id}/${instance}`);
      return handlers;
    },
    changes: {
      next: (name: string) => new Promise<void>((resolve) => waiting.set(name, resolve)),
    },
    async stop() {
      for (const object of objects) await object.close?.();
      await plugin.stop?.();
    },
  };
}

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
