/** Runs the plugins of one agent: starts and stops them, and puts their callbacks before what the agent does itself. */
import type { FirmwareUpdateHooks } from "../objects/firmware-update/hooks.js";
import type { FirmwareUpdateObject } from "../objects/firmware-update/object.js";
import type { ObjectImplementation } from "./model/definition.js";
import type { ObjectHandle } from "./model/object-handle.js";
import type { ConfigurationApplied, Plugin, PluginAgent } from "./plugin.js";
import type { Log } from "./ports.js";

export interface PluginHostOptions {
  readonly plugins: readonly Plugin[];
  readonly endpointName: string;
  readonly log: Log;
  readonly addObject: (implementation: ObjectImplementation) => void;
  readonly send: PluginAgent["send"];
  readonly firmwareUpdate: () => FirmwareUpdateObject;
  readonly object: (objectId: number) => ObjectHandle;
}

interface Hosted {
  readonly plugin: Plugin;
  readonly agent: PluginAgent;
}

export class PluginHost {
  readonly #hosted: readonly Hosted[];
  readonly #started: Hosted[] = [];
  /** The first Register lists all Objects: later than `start` none can be added. */
  #starting = false;

  constructor({ plugins, endpointName, log, addObject, firmwareUpdate, object, send }: PluginHostOptions) {
    this.#hosted = plugins.map((plugin) => ({
      plugin,
      agent: {
        endpointName,
        log: log.child({ plugin: plugin.name }),
        setFirmwareUpdateState: (objectInstanceId, state) =>
          firmwareUpdate().setFirmwareUpdateState(objectInstanceId, state),
        setFirmwareUpdateResult: (objectInstanceId, result) =>
          firmwareUpdate().setFirmwareUpdateResult(objectInstanceId, result),
        object,
        send,
        addObject: (implementation) => {
          if (!this.#starting) throw new Error("addObject is for the start of a plugin: call it in start()");
          addObject(implementation);
        },
      },
    }));
  }

  async start(): Promise<void> {
    this.#starting = true;
    try {
      for (const hosted of this.#hosted) {
        await hosted.plugin.start?.(hosted.agent);
        this.#started.push(hosted);
      }
    } finally {
      this.#starting = false;
    }
  }

  /** Stops those that started, the last one first; one that fails does not keep the others running. */
  async stop(): Promise<void> {
    for (const { plugin, agent } of this.#started.splice(0).reverse()) {
      try {
        await plugin.stop?.();
      } catch (error) {
        agent.log.error("plugin failed to stop", { error });
      }
    }
  }

  /** Only the hooks that a plugin has: a hook that is there changes what the Firmware Update object accepts. */
  firmwareUpdateHooks(): FirmwareUpdateHooks {
    return {
      ...(this.#has("packageUriWritten") && {
        packageUriWritten: (context) =>
          this.#chain(
            "packageUriWritten",
            { objectInstanceId: context.instanceId, uri: context.uri, signal: context.signal },
            () => context.default(),
          ),
      }),
      ...(this.#has("updateExecuted") && {
        updateExecuted: (context) =>
          this.#chain(
            "updateExecuted",
            { objectInstanceId: context.instanceId, uri: context.uri, signal: context.signal },
            () => context.default(),
          ),
      }),
    };
  }

  reboot(proceed: () => Promise<void>): Promise<void> {
    return this.#chain("reboot", {}, proceed);
  }

  factoryReset(proceed: () => Promise<void>): Promise<void> {
    return this.#chain("factoryReset", {}, proceed);
  }

  /** Every plugin hears of it; the first that throws refuses the configuration. */
  async configurationApplied(event: ConfigurationApplied): Promise<void> {
    for (const { plugin, agent } of this.#hosted) await plugin.configurationApplied?.(event, agent);
  }

  #has(callback: ChainedCallback): boolean {
    return this.#hosted.some(({ plugin }) => plugin[callback] !== undefined);
  }

  /** The first plugin that has the callback is asked; its `proceed` asks the next one, and the last the agent itself. */
  #chain<Callback extends ChainedCallback>(
    callback: Callback,
    event: Omit<EventOf<Callback>, "proceed">,
    proceed: () => Promise<void>,
  ): Promise<void> {
    return this.#hosted
      .filter(({ plugin }) => plugin[callback] !== undefined)
      .reduceRight<() => Promise<void>>(
        (next, { plugin, agent }) =>
          async () => {
            const handle = plugin[callback] as
              | ((event: EventOf<Callback>, agent: PluginAgent) => void | Promise<void>)
              | undefined; // TypeScript does not see that the event belongs to this callback
            await handle?.call(plugin, { ...event, proceed: next } as EventOf<Callback>, agent);
          },
        proceed,
      )();
  }
}

type ChainedCallback = "packageUriWritten" | "updateExecuted" | "reboot" | "factoryReset";
type EventOf<Callback extends ChainedCallback> = Parameters<NonNullable<Plugin[Callback]>>[0];
