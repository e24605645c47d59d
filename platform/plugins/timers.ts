/**
 * Timers that plugins set. The functions of node:timers are replaced by ones that know whose timer it is; for all others they
 * do what they did. Those of node:timers/promises are not seen: they end by a signal, or with the process.
 */

import { syncBuiltinESMExports } from "node:module";
import timers, { clearImmediate, clearInterval, clearTimeout } from "node:timers";
import { promisify } from "node:util";

type AnyTimer = NodeJS.Timeout | NodeJS.Immediate;
type Callback = (...given: unknown[]) => unknown;
type Set_ = (callback: Callback, ...rest: unknown[]) => AnyTimer;
type Clear = (timer: unknown) => void;

export interface TimerOwners {
  /** Whose code runs now; undefined: the agent's. */
  current(): string | undefined;
  /** Runs what the timer of a plugin was set for. Never throws. */
  fire(plugin: string, act: () => unknown): void;
}

export interface PluginTimers {
  /** Ends all that the plugin has left. @returns how many there were */
  end(plugin: string): number;
  /** The functions are those of Node.js again. */
  restore(): void;
}

const setters = ["setTimeout", "setInterval", "setImmediate"] as const;
const clearers = ["clearTimeout", "clearInterval", "clearImmediate"] as const;

export function watchTimers({ current, fire }: TimerOwners): PluginTimers {
  const owned = new Map<string, Set<AnyTimer>>();
  const functions = timers as unknown as Record<string, Set_ & Clear>; // by name, whatever they take
  const originals = new Map([...setters, ...clearers].map((name) => [name, functions[name]] as const));

  const forget = (timer: AnyTimer) => {
    for (const each of owned.values()) each.delete(timer);
  };
  const setter = (name: (typeof setters)[number]) => {
    const original = originals.get(name) as Set_;
    const set: Set_ = (callback, ...rest) => {
      const plugin = current();
      if (plugin === undefined || typeof callback !== "function") return original(callback, ...rest);
      const own = owned.get(plugin) ?? new Set();
      owned.set(plugin, own);
      const timer = original(
        (...given: unknown[]) => {
          if (name !== "setInterval") own.delete(timer);
          fire(plugin, () => callback(...given));
        },
        ...rest,
      );
      own.add(timer);
      return timer;
    };
    const promised = (original as { [promisify.custom]?: unknown })[promisify.custom];
    return promised === undefined ? set : Object.assign(set, { [promisify.custom]: promised });
  };
  const clearer = (name: (typeof clearers)[number]) => {
    const original = originals.get(name) as Clear;
    return (timer: unknown) => {
      if (typeof timer === "object" && timer !== null) forget(timer as AnyTimer);
      original(timer);
    };
  };
  const put = (name: string, value: unknown) => {
    functions[name] = value as Set_ & Clear;
    (globalThis as unknown as Record<string, unknown>)[name] = value;
  };
  for (const name of setters) put(name, setter(name));
  for (const name of clearers) put(name, clearer(name));
  syncBuiltinESMExports();

  return {
    end(plugin) {
      const own = owned.get(plugin) ?? new Set();
      owned.delete(plugin);
      for (const timer of own) {
        clearTimeout(timer as NodeJS.Timeout);
        clearInterval(timer as NodeJS.Timeout);
        clearImmediate(timer as NodeJS.Immediate);
      }
      return own.size;
    },
    restore() {
      for (const [name, original] of originals) put(name, original);
      syncBuiltinESMExports();
    },
  };
}
