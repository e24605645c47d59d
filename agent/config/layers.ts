/** Flags and environment over the file: whoever speaks last is heard, and remembered as the source of what was said. */
import { parse } from "yaml";
import { configVariable, type Environment, environmentPrefix, type Override } from "./override.js";
import type { KeyPath, Problem } from "./problem.js";
import { createJsonSchema, type JsonSchema } from "./schema.js";
import { nearest } from "./suggestion.js";

/** The values with the overrides in them; the given ones stay as they are. */
export function applyOverrides(
  values: Readonly<Record<string, unknown>>,
  overrides: readonly Override[],
): Record<string, unknown> {
  const result = structuredClone(values) as Record<string, unknown>;
  for (const { path, value } of overrides) put(result, path, value);
  return result;
}

function put(target: Record<string, unknown>, [key, ...rest]: KeyPath, value: unknown): void {
  if (key === undefined) return;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const present = target[key];
  const isSection = typeof present === "object" && present !== null && !Array.isArray(present);
  const below = isSection ? (present as Record<string, unknown>) : {};
  target[key] = below;
  put(below, rest, value);
}

/** The last override that said what stands at `path`. */
export const sourceOf = (overrides: readonly Override[], path: KeyPath): Override | undefined =>
  overrides.findLast((override) => override.path.every((part, index) => path[index] === part));

// ---- Environment -------------------------------------------------------------------------------------------------

const serverVariable = `${environmentPrefix}SERVER`;

/** What `LWM2M_AGENT_…` says. Every key with a single value has a variable: `log.level` is LWM2M_AGENT_LOG_LEVEL. */
export function overridesOfEnvironment(env: Environment): {
  readonly overrides: readonly Override[];
  readonly problems: readonly Problem[];
} {
  const stated = Object.entries(env).filter(
    ([name]) => name.startsWith(environmentPrefix) && name !== configVariable,
  );
  if (stated.length === 0) return { overrides: [], problems: [] }; // the schema takes its time
  const keys = environmentKeys();
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  for (const [name, text = ""] of stated) {
    const source = `the environment variable ${name}`;
    if (name === serverVariable) {
      overrides.push({ path: ["servers"], value: [{ uri: text }], source });
      continue;
    }
    const key = keys.get(name);
    if (key === undefined) {
      const meant = nearest(name, [...keys.keys(), serverVariable, configVariable]);
      problems.push({
        source,
        key: "",
        found: "a name that stands for no key",
        expected: `${environmentPrefix}, then a key with a single value such as LOG_LEVEL`,
        ...(meant !== undefined && { hint: `Did you mean ${meant}?` }),
      });
    } else {
      overrides.push({ path: key.path, value: key.isText ? text : scalarOf(text), source });
    }
  }
  return { overrides, problems };
}

interface EnvironmentKey {
  readonly path: KeyPath;
  readonly isText: boolean;
}

/** Names of variables, each with the key that it stands for. */
export function environmentKeys(): ReadonlyMap<string, EnvironmentKey> {
  const keys = new Map<string, EnvironmentKey>();
  const walk = (schema: JsonSchema, path: readonly string[]): void => {
    const branches = schema.anyOf ?? schema.oneOf ?? [];
    const sections = [schema, ...branches].filter(({ properties }) => properties !== undefined);
    for (const { properties = {} } of sections) {
      for (const [key, below] of Object.entries(properties)) walk(below, [...path, key]);
    }
    const types = [schema, ...branches].map(({ type }) => type);
    const isSingle = sections.length === 0 && !types.includes("array") && !types.includes("object");
    if (isSingle) keys.set(variableOf(path), { path, isText: schema.type === "string" });
  };
  walk(createJsonSchema(), []);
  return keys;
}

/** `board.applyDuration` → `LWM2M_AGENT_BOARD_APPLY_DURATION` */
const variableOf = (path: readonly string[]): string =>
  environmentPrefix + path.map((part) => part.replace(/[A-Z]/g, "_$&").toUpperCase()).join("_");

/** `5`, `true`, or else text. */
function scalarOf(text: string): unknown {
  try {
    const value: unknown = parse(text, { maxAliasCount: 0 });
    return typeof value === "number" || typeof value === "boolean" ? value : text;
  } catch {
    return text;
  }
}
