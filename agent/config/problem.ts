import { ConfigError } from "../model/errors.js";

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Where it was said: a file, `the environment variable …` or `the flag …`. */
  readonly source: string;
  /** Counted from 1; undefined outside of files. */
  readonly line?: number;
  readonly column?: number;
  /** As in `servers[0].lifetime`; empty for the file as a whole. */
  readonly key: string;
  /** As in `"abc"`, or `nothing`. */
  readonly found: string;
  /** A phrase, as in `a whole number from 1 to 65534`. */
  readonly expected: string;
  /** A sentence on what to do, where there is more to say than what is expected. */
  readonly hint?: string;
}

/** `/etc/lwm2m-agent/agent.yaml:4:13: servers[0].lifetime: found "abc", expected …. Hint.` */
export function formatProblem({ source, line, column, key, found, expected, hint }: Problem): string {
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  const what = `found ${found}, expected ${expected}`;
  return [place, ...(key === "" ? [] : [key]), what].join(": ") + (hint === undefined ? "" : `. ${hint}`);
}

/** All that is wrong, at once. */
export class ConfigProblems extends ConfigError {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

export type KeyPath = readonly (string | number)[];

/** `servers[0].lifetime` */
export const formatKey = (path: KeyPath): string =>
  path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );

const longestShown = 60;

/** A value for people, on one line and not too long. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") {
    const keys = Object.keys(value);
    return keys.length === 0 ? "an empty section" : `a section with ${keys.slice(0, 3).join(", ")}`;
  }
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length <= longestShown ? shown : `${shown.slice(0, longestShown)}…`;
}
