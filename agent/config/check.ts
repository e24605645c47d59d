/** Checks plain data against the schema and says all that is wrong with it, in words. */
import type { z } from "zod";
import type { KeyPath } from "./problem.js";
import { configKeys, type StatedConfig } from "./schema.js";
import { objectIds } from "./sections/extensions.js";
import { whyNoServerUri } from "./sections/servers.js";
import { nearest } from "./suggestion.js";

/** Something is wrong at `path`; where that was said is known to whoever put the layers together. */
export interface Fault {
  readonly path: KeyPath;
  /** The key itself, or the value that stands there. */
  readonly of: "key" | "value";
  readonly kind: "unknown" | "missing" | "wrong";
  readonly expected: string;
  readonly hint?: string;
}

/** Each top-level key by itself, so that one fault hides no other; faults between keys come last. */
export function checkConfig(values: Readonly<Record<string, unknown>>): {
  readonly config: StatedConfig;
  readonly faults: readonly Fault[];
} {
  const faults: Fault[] = [];
  const checked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const schema = Object.hasOwn(configKeys, key) ? configKeys[key as keyof typeof configKeys] : undefined;
    if (schema === undefined) {
      faults.push(unknownKey([key], Object.keys(configKeys)));
      continue;
    }
    if (value === null || value === undefined) {
      faults.push({
        path: [key],
        of: "value",
        kind: "wrong",
        expected: "a value",
        hint: "Leave the key out otherwise",
      });
      continue;
    }
    const result = schema.safeParse(value);
    if (result.success) checked[key] = result.data;
    else faults.push(...result.error.issues.flatMap((issue) => faultsOf(issue, key, value)));
  }
  const config = checked as StatedConfig; // key by key as its schema says
  return { config, faults: [...faults, ...faultsBetween(config, values)] };
}

function faultsOf(issue: z.core.$ZodIssue, key: string, root: unknown): readonly Fault[] {
  const below = issue.path as (string | number)[]; // there are no symbols in plain data
  const path = [key, ...below];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((unknown) => unknownKey([...path, unknown], siblings(key, below, root)));
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    const options = "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    return [wrong(path, root, below, `one of ${options.join(", ")}`, options)];
  }
  if (issue.code === "invalid_key") {
    return [{ path, of: "key", kind: "wrong", expected: issue.issues[0]?.message ?? "another key" }];
  }
  const options = issue.code === "invalid_value" ? issue.values.map(String) : [];
  return [wrong(path, root, below, issue.message, options)];
}

function wrong(
  path: KeyPath,
  root: unknown,
  below: KeyPath,
  expected: string,
  options: readonly string[],
): Fault {
  const value = valueAt(root, below);
  if (value === undefined) return { path, of: "key", kind: "missing", expected };
  const hint = hintFor(path, value, expected, options);
  return { path, of: "value", kind: "wrong", expected, ...(hint !== undefined && { hint }) };
}

function hintFor(
  path: KeyPath,
  value: unknown,
  expected: string,
  options: readonly string[],
): string | undefined {
  if (typeof value === "string") {
    const meant = nearest(value, options);
    if (meant !== undefined) return `Did you mean ${meant}?`;
    if (path.at(-1) === "uri") return whyNoServerUri(value);
    if (expected === "true or false") {
      if (/^(yes|on|true)$/i.test(value)) return "Write true, without quotes";
      if (/^(no|off|false)$/i.test(value)) return "Write false, without quotes";
    }
    if (expected.startsWith("a whole number") && /^-?\d+$/.test(value)) return "Write it without quotes";
    if (expected.startsWith("an absolute path")) return `Begin with a slash: ${`/${value}`.slice(0, 60)}`;
  }
  if (typeof value === "number" || typeof value === "boolean") {
    const wantsText = /^(a name|text|a path|an absolute path|the name|a version$)/.test(expected);
    if (wantsText) return `Write it in quotes: "${value}"`;
  }
  if (path[0] === "objects" && typeof value === "number") {
    return `Object ${value} needs its definition file; by number there are ${objectIds.join(", ")}`;
  }
  if (expected.startsWith("a list") && !Array.isArray(value)) return 'Begin each entry with "- "';
  return undefined;
}

function unknownKey(path: KeyPath, known: readonly string[]): Fault {
  const meant = nearest(String(path.at(-1)), known);
  return {
    path,
    of: "key",
    kind: "unknown",
    expected: known.length === 0 ? "no key here" : `one of ${known.join(", ")}`,
    ...(meant !== undefined && { hint: `Did you mean ${meant}?` }),
  };
}

function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

// ---- Which keys there are ------------------------------------------------------------------------------------------

/** The keys that the schema has where an unknown one was found. */
function siblings(key: string, path: KeyPath, root: unknown): readonly string[] {
  let schema: z.core.$ZodType = configKeys[key as keyof typeof configKeys];
  let value = root;
  for (const part of [...path, undefined]) {
    schema = unwrapped(schema, value);
    if (part === undefined) break;
    const def = schema._zod.def as AnyDef;
    const next: z.core.$ZodType | undefined =
      typeof part === "number" ? def.element : def.shape === undefined ? def.valueType : def.shape[part];
    if (next === undefined) return [];
    schema = next;
    value = valueAt(value, [part]);
  }
  return Object.keys((schema._zod.def as AnyDef).shape ?? {});
}

/** Of any schema, the parts that lead further. */
interface AnyDef {
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
}

/** What is inside of "optional" and the like; of a union, the branch that the value means. */
function unwrapped(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  const { innerType, in: input, options } = schema._zod.def as AnyDef;
  if (innerType !== undefined) return unwrapped(innerType, value);
  if (input !== undefined) return unwrapped(input, value);
  if (options === undefined) return schema;
  const type = valueAt(value, ["type"]);
  const isTagged = (option: z.core.$ZodType) =>
    (option._zod.def as AnyDef).shape?.["type"]?._zod.values?.has(type as string) === true;
  const known = (option: z.core.$ZodType) =>
    Object.keys((option._zod.def as AnyDef).shape ?? {}).filter((key) => valueAt(value, [key]) !== undefined)
      .length;
  const branch = options.find(isTagged) ?? options.toSorted((a, b) => known(b) - known(a))[0];
  return branch === undefined ? schema : unwrapped(branch, value);
}

// ---- Between keys --------------------------------------------------------------------------------------------------

/** What is wrong only together. Keys that are wrong by themselves are left out of it. */
function faultsBetween(config: StatedConfig, values: Readonly<Record<string, unknown>>): readonly Fault[] {
  const faults: Fault[] = [];
  const { servers, bootstrapServer, version = "1.2", minimumVersion, queueMode, awakeTime } = config;
  const isStated = (key: string) => Object.hasOwn(values, key);
  const named = (servers ?? []).map(({ shortServerId }, index) => shortServerId ?? index + 1);
  if ((servers ?? []).length === 0 && bootstrapServer === undefined) {
    if (!(isStated("servers") && servers === undefined) && !isStated("bootstrapServer")) {
      faults.push({
        path: ["servers"],
        of: "key",
        kind: "missing",
        expected:
          'at least one Server, as in "servers: [{ uri: coap://lwm2m.example.com }]", or a bootstrapServer',
        hint: "`lwm2m-agent init` writes a configuration",
      });
    }
  }
  for (const [index, id] of named.entries()) {
    if (named.indexOf(id) === index) continue;
    faults.push({
      path: ["servers", index, "shortServerId"],
      of: "value",
      kind: "wrong",
      expected: `another number than servers[${named.indexOf(id)}] has, which is ${id}`,
    });
  }
  if (minimumVersion !== undefined && minimumVersion > version) {
    faults.push({
      path: ["minimumVersion"],
      of: "value",
      kind: "wrong",
      expected: `no newer one than version, which is ${version}`,
    });
  }
  if (awakeTime !== undefined && queueMode !== true) {
    faults.push({
      path: ["awakeTime"],
      of: "key",
      kind: "wrong",
      expected: "it together with queueMode: true",
    });
  }
  const canOwn = new Set(named);
  for (const [index, { owner, acl }] of (config.accessControl ?? []).entries()) {
    if (servers === undefined || bootstrapServer !== undefined) break; // the Bootstrap-Server may name others
    const expected = `the Short Server ID of one of the servers: ${named.join(", ")}`;
    if (owner !== undefined && !canOwn.has(owner)) {
      faults.push({ path: ["accessControl", index, "owner"], of: "value", kind: "wrong", expected });
    }
    for (const id of Object.keys(acl)) {
      if (id === "0" || canOwn.has(Number(id))) continue;
      faults.push({
        path: ["accessControl", index, "acl", id],
        of: "key",
        kind: "wrong",
        expected: `${expected}, or 0`,
      });
    }
  }
  return faults;
}
