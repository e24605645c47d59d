/**
 * The log of the service. Lines of JSON have stable names: `level`, `time`, `event` (the message as an identifier, to search
 * by), `message`, and the fields of the event.
 */
import { fstatSync } from "node:fs";
import type { Log, LogFields } from "../agent/ports.js";
import type { LogLevel } from "./log.js";
import { createLineWriter, toJson, type WriteLine } from "./log-lines.js";
import { describeLoggedError } from "./logged-error.js";
import { createRecentLines } from "./recent-lines.js";

export type LogFormat = "json" | "journal" | "pretty";

export interface ServiceLog extends Log {
  readonly level: LogLevel;
  /** Takes effect at once, also for all children. */
  setLevel(level: LogLevel): void;
  /** The last lines as JSON, oldest first, whatever the format of the log is. */
  recent(): readonly string[];
}

/** An hour or so of a device that is well, and what it takes in memory. */
const recentLimits = { lines: 500, size: 256 * 1024, length: 4096 };

/** What goes with this standard error: the journal knows priorities, a terminal is read by people. */
export function chooseLogFormat(env: Readonly<Record<string, string | undefined>>): LogFormat {
  if (process.stderr.isTTY) return "pretty";
  try {
    const { dev, ino } = fstatSync(2);
    return env["JOURNAL_STREAM"] === `${dev}:${ino}` ? "journal" : "json"; // systemd.exec(5)
  } catch {
    return "json"; // standard error is closed
  }
}

export async function createServiceLog({
  level,
  format,
  write = createLineWriter(2),
}: {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly write?: WriteLine;
}): Promise<ServiceLog> {
  const threshold: Threshold = { level };
  const recent = createRecentLines(recentLimits);
  const writeAs = format === "pretty" ? await prettyWriter() : write;
  const writeEntry: WriteEntry = (severity, entry) => {
    const line = toJson(entry);
    recent.add(line);
    writeAs(format === "journal" ? `<${priorities[severity]}>${line}` : line);
  };
  return {
    ...wrap(writeEntry, threshold, {}),
    get level() {
      return threshold.level;
    },
    setLevel: (next) => {
      threshold.level = next;
    },
    recent: () => recent.all(),
  };
}

type Severity = Exclude<LogLevel, "silent">;
type WriteEntry = (severity: Severity, entry: Readonly<Record<string, unknown>>) => void;

/** For people. Loaded for them only: a service writes JSON. */
async function prettyWriter(): Promise<WriteLine> {
  const { default: pretty } = await import("pino-pretty");
  const stream = pretty({
    destination: 2,
    sync: true,
    colorize: process.stderr.isTTY && process.env["NO_COLOR"] === undefined,
    ignore: "event",
    messageKey: "message",
    translateTime: "HH:MM:ss.l",
  });
  return (line) => stream.write(`${line}\n`);
}

interface Threshold {
  level: LogLevel;
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

function wrap(write: WriteEntry, threshold: Threshold, bound: LogFields): Log {
  const log =
    (level: Severity) =>
    (event: string, fields: LogFields = {}) => {
      if (ranks[level] < ranks[threshold.level]) return;
      const time = new Date().toISOString();
      const said = { ...bound, event: eventId(event), ...fields };
      const described = "error" in said ? { ...said, error: describeLoggedError(said.error) } : said;
      write(level, { level, time, ...described, message: event });
    };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => wrap(write, threshold, { ...bound, ...fields }),
  };
}

/** `registration failed` → `registration-failed` */
export const eventId = (event: string): string =>
  event
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

/** sd-daemon(3): a line that begins with `<4>` is a warning; the journal takes the prefix off. */
const priorities: Readonly<Record<Severity, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
