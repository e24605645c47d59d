/**
 * Keeps plugins apart from the agent in one process: whose code runs is known at each moment, also in timers and promises, so
 * that what goes wrong in it is logged with the plugin's name and ends nothing.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Log, PluginContainment } from "../../agent/ports.js";
import type { PluginMarker, PluginWork } from "./marker.js";
import { watchTimers } from "./timers.js";

export interface ContainmentOptions {
  readonly log: Log;
  /** Absent: an endless loop leaves no trace. */
  readonly marker?: PluginMarker;
  /**
   * The modules of plugins, by name: the marker names them, and where nothing else says whose error it is, its stack does. May
   * grow.
   */
  readonly files?: ReadonlyMap<string, string>;
  /** Something went wrong in a plugin that nobody waits for. */
  readonly onTrouble?: (plugin: string, what: string) => void;
}

export interface ProcessContainment extends PluginContainment {
  /** Timers are those of Node.js again, and what nobody catches ends the process. */
  close(): void;
}

export function createProcessContainment({
  log,
  marker,
  files = new Map(),
  onTrouble = () => undefined,
}: ContainmentOptions): ProcessContainment {
  const owner = new AsyncLocalStorage<string | undefined>();
  const stack: (PluginWork | undefined)[] = [];
  const pending = new Set<PluginWork>();
  const mark = () => marker?.write({ inside: stack.at(-1), pending: [...pending] });

  /** Runs `act`; its work, if any, has the thread meanwhile. */
  function during<T>(plugin: string | undefined, work: PluginWork | undefined, act: () => T): T {
    stack.push(work);
    mark();
    try {
      return owner.run(plugin, act);
    } finally {
      stack.pop();
      if (stack.length > 0 || work !== undefined) mark();
    }
  }

  function inside<T>(plugin: string, callback: string, act: () => T): T {
    const file = files.get(plugin);
    const work = { plugin, callback, ...(file !== undefined && { file }) };
    const result = during(plugin, work, act);
    if (result instanceof Promise) {
      const settle = () => {
        pending.delete(work);
        mark();
      };
      pending.add(work);
      mark();
      result.then(settle, settle);
    }
    return result;
  }

  function report(plugin: string, event: string, error: unknown): void {
    log.error(event, { plugin, error });
    onTrouble(plugin, `${event.replace(/^plugin /, "")}: ${error instanceof Error ? error.message : error}`);
  }

  const timers = watchTimers({
    current: () => owner.getStore(),
    fire(plugin, act) {
      try {
        inside(plugin, "a timer", act);
      } catch (error) {
        report(plugin, "plugin timer failed", error);
      }
    },
  });
  const ownerOf = (error: unknown): string | undefined => {
    const present = owner.getStore();
    if (present !== undefined || !(error instanceof Error)) return present;
    return [...files].find(([, file]) => error.stack?.includes(file))?.[0];
  };
  const stopListening = listen((event, error) => {
    const plugin = ownerOf(error);
    if (plugin !== undefined) report(plugin, event, error);
    return plugin !== undefined;
  });

  return {
    inside,
    outside: (act) => (owner.getStore() === undefined ? act() : during(undefined, undefined, act)),
    endTimers: (plugin) => timers.end(plugin),
    close() {
      timers.restore();
      stopListening();
    },
  };
}

/** What is not a plugin's ends the process as it would have without us. */
function listen(isHandled: (event: string, error: unknown) => boolean): () => void {
  const onException = (error: unknown) => {
    if (!isHandled("plugin exception not caught", error)) throw error;
  };
  const onRejection = (reason: unknown) => {
    if (!isHandled("plugin promise rejected", reason)) throw reason;
  };
  process.on("uncaughtException", onException);
  process.on("unhandledRejection", onRejection);
  return () => {
    process.off("uncaughtException", onException);
    process.off("unhandledRejection", onRejection);
  };
}
