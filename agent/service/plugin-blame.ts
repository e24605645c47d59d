/**
 * Who ended the last process: an endless loop in a plugin stops everything, until the watchdog ends it. Three such ends in a row,
 * and the plugin is left out, until its file changes: a device must not start for ever into the same loop.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { createFileStore } from "../../platform/files/store.js";
import { type PluginActivity, type PluginWork, readMarker } from "../../platform/plugins/marker.js";
import { PersistentRecord } from "../persistence/persistent-record.js";
import { integer, list, shape, text } from "../persistence/record-format.js";
import type { Log, Store } from "../ports.js";

/** After so many ends in a row. */
export const endsUntilLeftOut = 3;

interface Blame {
  readonly file: string;
  readonly plugin: string;
  readonly callback: string;
  readonly ends: number;
  /** When the file was last changed, in seconds since 1970. */
  readonly changedAt: number;
}

export interface PluginBlame {
  /** Why the plugin of this file is left out; undefined when it is not. */
  whyLeftOut(path: string): LeftOut | undefined;
  /** Of one that the last process ended in, and that is tried again. */
  lastEnd(path: string): string | undefined;
}

export interface LeftOut {
  readonly plugin: string;
  readonly reason: string;
}

export const markerName = "plugin-activity";

const recordName = "plugin-ends";

export interface BlameOptions {
  readonly store: Store;
  readonly log: Log;
}

const count = integer(0, Number.MAX_SAFE_INTEGER);

const openRecord = ({ store, log }: BlameOptions) =>
  new PersistentRecord<readonly Blame[]>({
    ...{ store, log, name: recordName, version: 1, initial: [] },
    parse: list(shape({ file: text, plugin: text, callback: text, ends: count, changedAt: count })),
  });

/** What is on record in this folder, for who only looks. */
export async function readBlame(directory: string, log: Log): Promise<PluginBlame> {
  const isThere = await stat(join(directory, recordName)).catch(() => undefined); // a store would make the folder
  if (isThere === undefined) return blameOf([]);
  const record = openRecord({ store: createFileStore(directory), log });
  await record.load();
  return blameOf(await stillTrue(record.value));
}

/**
 * Reads what the last process left, and counts it.
 * @param marker its path
 * @param files the modules of the plugins that there are now
 */
export async function takeBlame({
  marker,
  files,
  ...options
}: BlameOptions & { readonly marker: string; readonly files: readonly string[] }): Promise<PluginBlame> {
  const { log } = options;
  const record = openRecord(options);
  await record.load();
  const before = await stillTrue(record.value);
  const culprit = findCulprit(readMarker(marker), log);
  const file = culprit?.file !== undefined && files.includes(culprit.file) ? culprit.file : undefined;
  const after = before.filter((blame) => blame.ends >= endsUntilLeftOut && blame.file !== file);
  if (culprit !== undefined && file !== undefined) {
    const ends = (before.find((blame) => blame.file === file)?.ends ?? 0) + 1;
    const blame = { file, plugin: culprit.plugin, callback: culprit.callback, ends };
    after.push({ ...blame, changedAt: (await changedAt(file)) ?? 0 });
    log.error("plugin ended the agent", {
      ...blame,
      advice: "it had the process when that was ended: an endless loop, if it was the watchdog",
    });
  }
  if (after.length > 0 || record.value.length > 0) await record.update(() => after);
  return blameOf(after);
}

/** Who has the thread is it. Of several that only waited, nobody can say. */
function findCulprit(activity: PluginActivity | undefined, log: Log): PluginWork | undefined {
  if (activity === undefined) return undefined;
  const { inside, pending } = activity;
  const [first, ...others] = pending;
  if (inside !== undefined || others.length === 0) return inside ?? first;
  log.error("plugins were at work when the agent was ended", {
    plugins: pending.map(({ plugin, callback }) => `${plugin}: ${callback}`),
  });
  return undefined;
}

const changedAt = (file: string): Promise<number | undefined> =>
  stat(file).then(
    ({ mtimeMs }) => Math.floor(mtimeMs / 1000),
    () => undefined,
  );

/** Whoever changes the file, or touches it, wants it tried again. */
async function stillTrue(blames: readonly Blame[]): Promise<readonly Blame[]> {
  const times = await Promise.all(blames.map(({ file }) => changedAt(file)));
  return blames.filter((blame, index) => blame.changedAt === times[index]);
}

const blameOf = (blames: readonly Blame[]): PluginBlame => {
  const find = (path: string) => blames.find(({ file }) => file === path);
  return {
    whyLeftOut(path) {
      const blame = find(path);
      if (blame === undefined || blame.ends < endsUntilLeftOut) return undefined;
      const { file, plugin, callback, ends } = blame;
      return {
        plugin,
        reason: `the agent was ended in it ${ends} times in a row, in ${callback}; once it is corrected: touch ${file} && systemctl restart lwm2m-agent`,
      };
    },
    lastEnd(path) {
      const blame = find(path);
      return blame && `the agent was ended in it, in ${blame.callback} (${blame.ends} in a row)`;
    },
  };
};
