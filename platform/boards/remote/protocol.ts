/**
 * What the agent, who has no rights, and the helper, who has them, say to each other. One connection is one request: a line
 * of JSON from the agent, then lines of progress and one answer from the helper. Hanging up ends the work. The requests are
 * the calls of a Board and nothing else: no command, no path but that of the package.
 */
import { DecodeError } from "../../../agent/model/errors.js";
import {
  boolean,
  integer,
  list,
  oneOf,
  optional,
  type Parser,
  shape,
  text,
} from "../../../agent/persistence/record-format.js";
import {
  type BoardDescription,
  BusyError,
  type Finding,
  type ImageFile,
  PackageError,
  type PackageFailure,
  type PackageInfo,
  type UpdateAttempt,
} from "../../../agent/ports.js";

/** Both sides come from one package; a different number means that only one of them was restarted after an upgrade. */
const version = 1;

/** Characters of a line. */
export const maximumRequest = 16 * 1024;
export const maximumAnswer = 256 * 1024;

export type Request =
  | { readonly verb: "inspect"; readonly image: ImageFile }
  | { readonly verb: "apply"; readonly image: ImageFile; readonly attempt: string }
  | { readonly verb: "outcome"; readonly attempt: UpdateAttempt }
  | { readonly verb: PlainVerb };

export type PlainVerb = "bootId" | "describe" | "commit" | "revert" | "restart" | "factoryReset" | "check";

/** What each verb is answered with. */
export interface Results {
  readonly bootId: string;
  readonly describe: BoardDescription;
  readonly inspect: PackageInfo;
  readonly apply: "restart" | "running";
  readonly outcome: "new" | "old" | "unknown";
  readonly commit: null;
  readonly revert: "restart" | "done";
  readonly restart: null;
  readonly factoryReset: null;
  readonly check: readonly Finding[];
}

export type Verb = keyof Results;

export type Answer<V extends Verb> =
  | { readonly progress: number; readonly message?: string }
  | { readonly result: Results[V] }
  | { readonly error: Error };

export const formatRequest = (request: Request): string => `${JSON.stringify({ version, ...request })}\n`;

/** @throws DecodeError for anything but a request of this version */
export function parseRequest(line: string): Request {
  const json = parseJson(line);
  const head = shape({ version: integer(0, Number.MAX_SAFE_INTEGER), verb: oneOf(...verbs) })(json);
  if (head.version !== version) {
    throw new DecodeError(
      `the agent speaks version ${head.version} and the helper ${version}: restart both after an upgrade`,
    );
  }
  switch (head.verb) {
    case "inspect":
      return { verb: head.verb, image: shape({ image })(json).image };
    case "apply":
      return { verb: head.verb, ...shape({ image, attempt: attemptId })(json) };
    case "outcome":
      return { verb: head.verb, attempt: shape({ attempt })(json).attempt };
    default:
      return { verb: head.verb };
  }
}

export const formatProgress = (progress: number, message: string | undefined): string =>
  `${JSON.stringify({ progress, message: message?.slice(0, maximumText) })}\n`;

export const formatResult = (result: Results[Verb]): string => `${JSON.stringify({ result })}\n`;

export function formatError(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 1000);
  const kind = error instanceof PackageError ? error.failure : error instanceof BusyError ? "busy" : "other";
  return `${JSON.stringify({ error: { kind, message } })}\n`;
}

/** @throws DecodeError for anything but an answer to this verb */
export function parseAnswer<V extends Verb>(verb: V, line: string): Answer<V> {
  const json = parseJson(line);
  const given = shape({ progress: optional(fraction), message: optional(text), error: optional(fault) })(
    json,
  );
  if (given.error !== undefined) return { error: errorOf(given.error) };
  if (given.progress !== undefined) {
    return { progress: given.progress, ...(given.message !== undefined && { message: given.message }) };
  }
  const parser: Parser<Results[V]> = results[verb];
  return { result: shape({ result: parser as Parser<unknown> })(json).result as Results[V] }; // what the parser gave
}

// ---- Parts ----------------------------------------------------------------------------------------------------------

const maximumText = 255;

const bounded =
  (pattern: RegExp, what: string): Parser<string> =>
  (json) => {
    const value = text(json);
    if (!pattern.test(value)) throw new DecodeError(`expected ${what}`);
    return value;
  };

const fraction: Parser<number> = (json) => {
  if (typeof json !== "number" || !(json >= 0 && json <= 1)) throw new DecodeError("expected 0 to 1");
  return json;
};

const words = bounded(/^\P{Cc}{0,255}$/u, "at most 255 characters without control characters");
const attemptId = bounded(/^[\w.:-]{1,100}$/, "an attempt id");
const verbs = [
  "bootId",
  "describe",
  "inspect",
  "apply",
  "outcome",
  "commit",
  "revert",
  "restart",
  "factoryReset",
  "check",
] as const satisfies readonly Verb[];

const image: Parser<ImageFile> = shape({
  path: bounded(/^\/[^\0\n]{1,1000}$/, "an absolute path"),
  size: integer(0, Number.MAX_SAFE_INTEGER),
  sha256: bounded(/^[0-9a-f]{64}$/, "a SHA-256 in lower-case hexadecimal"),
});
const packageInfo: Parser<PackageInfo> = shape({ name: words, version: words });
const attempt: Parser<UpdateAttempt> = shape({
  id: attemptId,
  package: packageInfo,
  image,
  bootId: words,
  previousVersion: words,
});

const done: Parser<null> = oneOf(null);
const results: { readonly [V in Verb]: Parser<Results[V]> } = {
  bootId: words,
  describe: shape({
    manufacturer: words,
    modelNumber: words,
    serialNumber: words,
    hardwareVersion: words,
    firmwareVersion: words,
    versionIsOfDistribution: optional(boolean),
  }),
  inspect: packageInfo,
  apply: oneOf("restart", "running"),
  outcome: oneOf("new", "old", "unknown"),
  commit: done,
  revert: oneOf("restart", "done"),
  restart: done,
  factoryReset: done,
  check: list(shape({ level: oneOf("error", "warning", "info"), found: text, remedy: text })),
};

const failures: readonly PackageFailure[] = [
  "storage",
  "memory",
  "connection",
  "integrity",
  "unsupported-package",
  "invalid-uri",
  "unsupported-protocol",
  "failed",
];
const fault = shape({ kind: oneOf(...failures, "busy", "other"), message: text });

function errorOf({ kind, message }: ReturnType<typeof fault>): Error {
  if (kind === "other") return new Error(message);
  return kind === "busy" ? new BusyError(message) : new PackageError(kind, message);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DecodeError("it is not a line of JSON", { cause });
  }
}
