/** Reads the configuration from all of its sources: flags > environment > file > defaults. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkConfig, type Fault } from "./check.js";
import { complete } from "./complete.js";
import { type ConfigDocument, maximumFileSize, parseDocument } from "./document.js";
import { applyOverrides, overridesOfEnvironment, sourceOf } from "./layers.js";
import type { Override } from "./override.js";
import { ConfigProblems, formatKey, type Problem, showValue } from "./problem.js";
import type { ServiceConfig } from "./service-config.js";
import { type ConfigSources, chooseFile } from "./sources.js";

/** @throws ConfigProblems with all that is wrong */
export async function loadConfig(sources: ConfigSources): Promise<ServiceConfig> {
  const result = await readConfig(sources);
  if ("problems" in result) throw new ConfigProblems(result.problems);
  return result.config;
}

export async function readConfig(
  sources: ConfigSources,
): Promise<{ readonly config: ServiceConfig } | { readonly problems: readonly Problem[] }> {
  const { flags, surroundings } = sources;
  const { file, mayBeAbsent } = chooseFile(sources);
  const environment = overridesOfEnvironment(surroundings.env);
  const overrides = [...environment.overrides, ...flags];
  const read = await readDocument(file, { mayBeAbsent, overrides });
  if ("problems" in read) return { problems: [...read.problems, ...environment.problems] };
  const { document, isPresent } = read;

  const values = applyOverrides(document.values, overrides);
  const { config, faults } = checkConfig(values);
  const problems = [
    ...faults.map((fault) => located(fault, { document, isPresent, overrides, values })),
    ...environment.problems,
  ];
  if (problems.length > 0) return { problems: problems.sort(byPlace) };
  return { config: complete(config, { file: isPresent ? file : undefined, surroundings }) };
}

async function readDocument(
  file: string,
  { mayBeAbsent, overrides }: { readonly mayBeAbsent: boolean; readonly overrides: readonly Override[] },
): Promise<
  | { readonly document: ConfigDocument; readonly isPresent: boolean }
  | { readonly problems: readonly Problem[] }
> {
  const fault = (found: string, expected: string, hint?: string) => ({
    problems: [{ source: file, key: "", found, expected, ...(hint !== undefined && { hint }) }],
  });
  try {
    const { size } = await stat(file);
    if (size > maximumFileSize) return fault(`${size} bytes`, `a file of at most ${maximumFileSize} bytes`);
    const content = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
    const parsed = parseDocument(file, content);
    return "problems" in parsed ? parsed : { document: parsed.document, isPresent: true };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (
      code === "ENOENT" &&
      mayBeAbsent &&
      overrides.some(({ path }) => path[0] === "servers" || path[0] === "bootstrapServer")
    ) {
      const position = () => ({ line: 1, column: 1 });
      return { document: { file, values: {}, position }, isPresent: false };
    }
    switch (code) {
      case "ENOENT":
        return fault(
          "no such file",
          "a configuration file",
          mayBeAbsent
            ? "Write one with `lwm2m-agent init`, or start with --server coap://host"
            : "Write one with `lwm2m-agent init --output <file>`",
        );
      case "EACCES":
        return fault("a file that may not be read", "read access for this user", `Try: chmod a+r ${file}`);
      case "EISDIR":
        return fault("a folder", "a file", `Name the file in it, such as ${join(file, "agent.yaml")}`);
      case "ERR_ENCODING_INVALID_ENCODED_DATA":
        return fault("bytes that are no UTF-8", "text in UTF-8");
      default:
        return fault((error as Error).message, "a file that can be read");
    }
  }
}

interface Located {
  readonly document: ConfigDocument;
  readonly isPresent: boolean;
  readonly overrides: readonly Override[];
  readonly values: Readonly<Record<string, unknown>>;
}

function located(fault: Fault, { document, isPresent, overrides, values }: Located): Problem {
  const { path, of, kind, expected, hint } = fault;
  const override = sourceOf(overrides, path);
  const position = document.position(path, of);
  const place =
    override !== undefined
      ? { source: override.source }
      : isPresent
        ? { source: document.file, ...position }
        : { source: "the configuration" };
  const found =
    kind === "unknown" ? "an unknown key" : kind === "missing" ? "nothing" : showFound(fault, values);
  return { ...place, key: formatKey(path), found, expected, ...(hint !== undefined && { hint }) };
}

/** Where a secret belongs to, somebody may have written it: it must not get into a log. */
const secretKeys = /^(key|password|passphrase|secret|psk)$/i;

function showFound({ path, of }: Fault, values: unknown): string {
  if (of === "value" && secretKeys.test(String(path.at(-1)))) return "a value that is not shown";
  if (of === "key") return `the key ${String(path.at(-1))}`;
  let value: unknown = values;
  for (const part of path) value = (value as Record<string | number, unknown> | undefined)?.[part];
  if (typeof value === "string" && /:\/\/[^/\s]*@/.test(value)) return "an address with a user or a password";
  return showValue(value);
}

const byPlace = (a: Problem, b: Problem): number =>
  (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
