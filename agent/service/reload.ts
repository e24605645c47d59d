/** What a changed configuration changes while the service runs. */
import { isDeepStrictEqual } from "node:util";
import { formatKey } from "../config/problem.js";
import type { ServiceConfig } from "../config/service-config.js";

/** Takes effect at once; all other keys need a restart. */
export type Appliers = Readonly<Record<string, (config: ServiceConfig) => void>>;

/** The keys whose values differ, as in `log.level` and `servers[0].uri`; a list that grew or shrank by its own name. */
export function changedKeys(
  before: unknown,
  after: unknown,
  path: readonly (string | number)[] = [],
): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isSection(before) && isSection(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => changedKeys(before[key], after[key], [...path, key]));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((item, index) => changedKeys(item, after[index], [...path, index]));
  }
  return [formatKey(path)];
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A section that came or went counts as all that is in it. */
const changesBetween = (before: ServiceConfig["stated"], after: ServiceConfig["stated"]): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const name = key as keyof ServiceConfig["stated"];
    const [old, now] = [before[name], after[name]];
    const other = old ?? now;
    return isSection(other) ? changedKeys(old ?? {}, now ?? {}, [key]) : changedKeys(old, now, [key]);
  });

/**
 * @param running what the service was started with
 * @param present what was in force until now
 */
export function applyChanges(
  { running, present, next }: Readonly<Record<"running" | "present" | "next", ServiceConfig>>,
  appliers: Appliers,
): { readonly applied: readonly string[]; readonly needRestart: readonly string[] } {
  const applied = changesBetween(present.stated, next.stated).filter((key) => Object.hasOwn(appliers, key));
  for (const key of applied) appliers[key]?.(next);
  const needRestart = changesBetween(running.stated, next.stated).filter(
    (key) => !Object.hasOwn(appliers, key),
  );
  return { applied, needRestart };
}
