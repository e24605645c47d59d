/**
 * What plugins are doing, in a file that outlives the process: when an endless loop ends it, the next one reads whose loop it
 * was. The file lies in the runtime folder, in memory: a power cut takes it away, and nobody is blamed for one.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";

export interface PluginWork {
  readonly plugin: string;
  /** Its module, where it is known. */
  readonly file?: string;
  readonly callback: string;
}

export interface PluginActivity {
  /** Has the thread: nothing else runs until it returns. */
  readonly inside: PluginWork | undefined;
  /** Waits for something and will go on. */
  readonly pending: readonly PluginWork[];
}

export interface PluginMarker {
  write(activity: PluginActivity): void;
  /** Nothing is to be read from it any more. */
  remove(): void;
}

const maximumPending = 32;

export function openMarker(path: string): PluginMarker {
  const file = openSync(path, "w", 0o600);
  let isOpen = true;
  let length = 0;
  return {
    write({ inside, pending }) {
      if (!isOpen) return;
      const text = JSON.stringify({ inside: inside ?? null, pending: pending.slice(0, maximumPending) });
      const bytes = Buffer.from(text);
      if (bytes.length < length) ftruncateSync(file, 0);
      writeSync(file, bytes, 0, bytes.length, 0);
      length = bytes.length;
    },
    remove() {
      if (!isOpen) return;
      isOpen = false;
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
}

/** undefined when the last process ended in order, outside of all plugins, or with the power. */
export function readMarker(path: string): PluginActivity | undefined {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // none, or cut off
  }
  if (typeof found !== "object" || found === null) return undefined;
  const { inside, pending } = found as { inside?: unknown; pending?: unknown };
  const activity: PluginActivity = {
    inside: isWork(inside) ? inside : undefined,
    pending: Array.isArray(pending) ? pending.filter(isWork) : [],
  };
  return activity.inside === undefined && activity.pending.length === 0 ? undefined : activity;
}

const isWork = (value: unknown): value is PluginWork =>
  typeof value === "object" &&
  value !== null &&
  "plugin" in value &&
  typeof value.plugin === "string" &&
  (!("file" in value) || typeof value.file === "string") &&
  "callback" in value &&
  typeof value.callback === "string";
