/**
 * Runs the plugins of one agent: starts and stops them, and puts their callbacks before what the agent does itself. Whatever a
 * plugin does, the agent goes on: what throws is logged with its name, what does not return is given up.
 */
import type { FirmwareUpdateHooks } from "../objects/firmware-update/hooks.js";
import type { FirmwareUpdateObject } from "../objects/firmware-update/object.js";
import type { ObjectImplementation } from "./model/definition.js";
import { RequestError } from "./model/errors.js";
import type { ObjectHandle } from "./model/object-handle.js";
import type { ConfigurationApplied, Plugin, PluginAgent } from "./plugin.js";
import { callPlugin, type NotCounted, PluginOverdue } from "./plugin-call.js";
import { type Containing, containHandle, containObject } from "./plugin-object.js";
import {
  type Clock,
  type Log,
  type Millis,
  millis,
  PackageError,
  type PluginContainment,
  seconds,
} from "./ports.js";

export interface PluginTimeLimits {
  /** Of start, configurationApplied, reboot and factoryReset; of stop at most 10 s. 30 s unless told. */
  readonly callback?: Millis;
  /** Of packageUriWritten and updateExecuted; a day unless told. */
  readonly update?: Millis;
}

export interface PluginHealth {
  readonly name: string;
  /** `failed`: its start came to nothing, and it is not asked in this run */
  readonly health: "running" | "failed";
  /** Of a plugin that runs: what last went wrong in it. */
  readonly reason?: string;
}

export interface PluginHostOptions {
  readonly plugins: readonly Plugin[];
  readonly endpointName: string;
  readonly log: Log;
  readonly clock: Clock;
  /** None: what plugins do is not told from what the agent does. */
  readonly containment?: PluginContainment;
  readonly timeLimits?: PluginTimeLimits;
  readonly hasObject: (objectId: number) => boolean;
  readonly addObject: (implementation: ObjectImplementation) => void;
  readonly send: PluginAgent["send"];
  readonly firmwareUpdate: () => FirmwareUpdateObject;
  readonly object: (objectId: number) => ObjectHandle;
}

const defaultCallbackLimit = seconds(30);
const defaultUpdateLimit = seconds(86_400);
/** The unit ends a service that takes longer to stop than half a minute, all plugins together. */
const stopLimit = seconds(10);

const uncontained: PluginContainment = {
  inside: (_plugin, _callback, act) => act(),
  outside: (act) => act(),
  endTimers: () => 0,
};

interface Hosted {
  readonly plugin: Plugin;
  readonly agent: PluginAgent;
  /** Objects that it adds while it starts; undefined at all other times. The first Register lists all of them. */
  adding?: ObjectImplementation[] | undefined;
  state: "waiting" | "running" | "failed" | "stopped";
  trouble?: string;
}

export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #containment: PluginContainment;
  readonly #hosted: readonly Hosted[];

  constructor(options: PluginHostOptions) {
    this.#options = options;
    this.#containment = options.containment ?? uncontained;
    this.#hosted = options.plugins.map((plugin) => this.#host(plugin));
  }

  /** One that cannot start is left out; the others go on. */
  async start(): Promise<void> {
    for (const hosted of this.#hosted) await this.#start(hosted);
  }

  /** Stops those that started, the last one first; one that fails does not keep the others running. */
  async stop(): Promise<void> {
    for (const hosted of [...this.#hosted].reverse()) {
      if (hosted.state !== "running") continue;
      hosted.state = "stopped";
      await this.#call(hosted, "stop", this.#stopLimit, () => hosted.plugin.stop?.()).catch(() => undefined); // it was logged
      this.#endTimers(hosted);
    }
  }

  health(): readonly PluginHealth[] {
    return this.#hosted.map(({ plugin: { name }, state, trouble }) => ({
      name,
      health: state === "failed" ? "failed" : "running",
      ...(trouble !== undefined && { reason: trouble }),
    }));
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
            {
              objectInstanceId: context.instanceId,
              uri: context.uri,
              signal: context.signal,
              image: () => this.#containment.outside(() => context.image()),
            },
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

  /** Every plugin hears of it; the first that throws, or does not return, refuses the configuration. */
  async configurationApplied(event: ConfigurationApplied): Promise<void> {
    for (const hosted of this.#hosted) {
      const { plugin, agent } = hosted;
      if (hosted.state === "failed" || plugin.configurationApplied === undefined) continue;
      await this.#call(hosted, "configurationApplied", this.#callbackLimit, () =>
        plugin.configurationApplied?.(event, agent),
      );
    }
  }

  // ---- One plugin --------------------------------------------------------------------------------------------------

  #host(plugin: Plugin): Hosted {
    const { endpointName, log, firmwareUpdate, object, send, hasObject } = this.#options;
    const { inside, outside } = this.#containment;
    const containing: Containing = {
      outside,
      inside: (callback, act) =>
        reported(
          () => inside(plugin.name, callback, act),
          (error) => this.#report(hosted, callback, error),
        ),
    };
    const hosted: Hosted = {
      plugin,
      state: "waiting",
      agent: {
        endpointName,
        log: log.child({ plugin: plugin.name }),
        setFirmwareUpdateState: (...given) =>
          outside(() => firmwareUpdate().setFirmwareUpdateState(...given)),
        setFirmwareUpdateResult: (...given) =>
          outside(() => firmwareUpdate().setFirmwareUpdateResult(...given)),
        object: (objectId) => containHandle(object(objectId), containing),
        send: (...given) => outside(() => send(...given)),
        addObject: (implementation) => {
          const { adding } = hosted;
          if (adding === undefined) {
            throw new Error("addObject is for the start of a plugin: call it in start()");
          }
          const { id, name } = implementation.definition;
          if (hasObject(id) || adding.some(({ definition }) => definition.id === id)) {
            throw new Error(`Object ${id} exists already; ${name} cannot take its number`);
          }
          adding.push(containObject(implementation, containing));
        },
      },
    };
    return hosted;
  }

  async #start(hosted: Hosted): Promise<void> {
    const { plugin, agent } = hosted;
    const added: ObjectImplementation[] = [];
    hosted.adding = added;
    try {
      await this.#call(hosted, "start", this.#callbackLimit, () => plugin.start?.(agent));
      for (const object of added) this.#options.addObject(object);
      hosted.state = "running";
    } catch {
      hosted.state = "failed";
      agent.log.error("plugin left out", {
        reason: hosted.trouble,
        advice: "the agent runs without it: correct the plugin, then restart the service",
      });
      this.#endTimers(hosted);
    } finally {
      hosted.adding = undefined;
    }
  }

  #endTimers({ plugin, agent }: Hosted): void {
    const timers = this.#containment.endTimers(plugin.name);
    if (timers > 0) agent.log.warn("plugin left timers", { timers, advice: "end them in stop()" });
  }

  /** Logs, with the plugin's name, what goes wrong. */
  async #call(
    hosted: Hosted,
    callback: string,
    limit: Millis,
    act: (notCounted: NotCounted) => void | Promise<void>,
  ): Promise<void> {
    const { clock } = this.#options;
    const call = { plugin: hosted.plugin.name, callback, limit, clock, containment: this.#containment };
    try {
      await callPlugin(call, act);
    } catch (error) {
      this.#report(hosted, callback, error);
      throw error;
    }
  }

  #report(hosted: Hosted, callback: string, error: unknown): void {
    const { log } = hosted.agent;
    if (error instanceof PackageError || error instanceof RequestError) {
      log.warn("plugin refused", { callback, error });
      return;
    }
    hosted.trouble = `${callback}: ${error instanceof Error ? error.message : String(error)}`;
    if (error instanceof PluginOverdue) log.error("plugin callback given up", { callback, error });
    else log.error("plugin callback failed", { callback, error });
  }

  // ---- Chains ------------------------------------------------------------------------------------------------------

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
      .filter(({ plugin, state }) => plugin[callback] !== undefined && state !== "failed")
      .reduceRight<() => Promise<void>>(
        (next, hosted) => () => this.#ask(hosted, callback, event, next),
        () => this.#containment.outside(proceed),
      )();
  }

  async #ask<Callback extends ChainedCallback>(
    hosted: Hosted,
    callback: Callback,
    event: Omit<EventOf<Callback>, "proceed">,
    next: () => Promise<void>,
  ): Promise<void> {
    const { plugin, agent } = hosted;
    const handle = plugin[callback] as
      | ((event: EventOf<Callback>, agent: PluginAgent) => void | Promise<void>)
      | undefined; // TypeScript does not see that the event belongs to this callback
    const isUpdate = callback === "packageUriWritten" || callback === "updateExecuted";
    const given = new AbortController();
    let hasProceeded = false;
    try {
      await this.#call(hosted, callback, isUpdate ? this.#updateLimit : this.#callbackLimit, (notCounted) => {
        const proceed = async () => {
          if (given.signal.aborted) throw new Error(`${callback} was given up: it is too late to proceed`);
          hasProceeded = true;
          await notCounted(next);
        };
        return handle?.call(plugin, { ...until(given.signal, event), proceed } as EventOf<Callback>, agent);
      });
    } catch (error) {
      given.abort(error);
      if (isUpdate || !(error instanceof PluginOverdue)) throw error;
      // A Server that wants a reboot wants it most when something hangs.
      if (!hasProceeded) await next();
    }
  }

  get #callbackLimit(): Millis {
    return this.#options.timeLimits?.callback ?? defaultCallbackLimit;
  }

  get #stopLimit(): Millis {
    return millis(Math.min(this.#callbackLimit, stopLimit));
  }

  get #updateLimit(): Millis {
    return this.#options.timeLimits?.update ?? defaultUpdateLimit;
  }
}

/** Whoever asked for it hears of the failure as well. */
function reported<T>(act: () => T, report: (error: unknown) => void): T {
  try {
    const result = act();
    if (result instanceof Promise) result.catch(report);
    return result;
  } catch (error) {
    report(error);
    throw error;
  }
}

/** The event, whose signal fires also when the callback is given up. */
const until = <Event extends object>(signal: AbortSignal, event: Event): Event =>
  "signal" in event && event.signal instanceof AbortSignal
    ? { ...event, signal: AbortSignal.any([event.signal, signal]) }
    : event;

type ChainedCallback = "packageUriWritten" | "updateExecuted" | "reboot" | "factoryReset";
type EventOf<Callback extends ChainedCallback> = Parameters<NonNullable<Plugin[Callback]>>[0];
