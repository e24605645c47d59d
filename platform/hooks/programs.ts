/** Where the operator's hooks are: named one by one, or found in a folder. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { UpdateStage } from "../../agent/ports.js";
import { describeError, errorCode } from "../system-error.js";

export type HookName = `${"before" | "after"}-${UpdateStage}`;

export interface HookProgram {
  /** Absolute path of an executable. */
  readonly program: string;
  readonly arguments?: readonly string[];
}

export interface HookSources {
  /**
   * A folder with an executable `before-apply`, or a folder `before-apply.d` of several that run in the order of their names;
   * so for each hook. It is read each time, and need not exist.
   */
  readonly directory?: string;
  /** Run before those of the folder. */
  readonly programs?: Readonly<Partial<Record<HookName, HookProgram>>>;
}

const stages: readonly UpdateStage[] = ["download", "apply", "restart", "commit"];

export const hookNames: readonly HookName[] = stages.flatMap((stage): HookName[] => [
  `before-${stage}`,
  `after-${stage}`,
]);

/** Of one hook. */
const maximumPrograms = 32;

/** As run-parts has it: no dot, so that no backup, package leftover or README is taken for a program. */
const programName = /^[A-Za-z0-9_-]{1,100}$/;

/**
 * The programs of a hook, in order.
 * @throws Error when the folder cannot be read: not to run a hook that is there would be worse than to stop
 */
export async function findHook(name: HookName, sources: HookSources): Promise<readonly HookProgram[]> {
  const { directory, programs } = sources;
  const named = programs?.[name];
  const found = directory === undefined ? [] : await inFolder(directory, name);
  return [...(named === undefined ? [] : [named]), ...found];
}

async function inFolder(directory: string, name: HookName): Promise<readonly HookProgram[]> {
  const single = (await list(directory)).includes(name) ? [join(directory, name)] : [];
  const folder = join(directory, `${name}.d`);
  const several = (await list(folder)).filter((entry) => programName.test(entry)).toSorted();
  const paths = [...single, ...several.map((entry) => join(folder, entry))];
  if (paths.length > maximumPrograms) {
    throw new Error(`${folder} holds more than ${maximumPrograms} programs`);
  }
  return paths.map((program) => ({ program }));
}

async function list(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return [];
    throw new Error(`the hooks in ${folder} cannot be read: ${describeError(cause)}`, { cause });
  }
}
