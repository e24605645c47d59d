/**
 * The log of the service. Lines of JSON have stable names: `level`, `time`, `event` (the message as an identifier, to search
 * by), `message`, and the fields of the event.
 */
import { fstatSync } from "node:fs";
import { type DestinationStream, type Logger, pino } from "pino";
import type { Log, LogFields } from "../agent/ports.js";
import { describeLoggedError, type LogLevel } from "./log.js";
import { createRecentLines, type RecentLines } from "./recent-lines.js";

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
}: {
  readonly level: LogLevel;
  readonly format: LogFormat;
}): Promise<ServiceLog> {
  const destination = pino.destination({ dest: 2, sync: true });
  const stream =
    format === "pretty"
      ? (await import("pino-pretty")).default({
          destination: 2,
          sync: true,
          colorize: process.stderr.isTTY && process.env["NO_COLOR"] === undefined,
          ignore: "event",
          messageKey: "message",
          translateTime: "HH:MM:ss.l",
        })
      : destination;
  const recent = createRecentLines(recentLimits);
  const logger = pino(
    {
      level: "debug", // `threshold` decides, so that one change reaches every child
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeLoggedError },
    },
    watched(stream, { recent, hasPriorities: format === "journal" }),
  );
  const threshold: Threshold = { level };
  return {
    ...wrap(logger, threshold),
    get level() {
      return threshold.level;
    },
    setLevel: (next) => {
      threshold.level = next;
    },
    recent: () => recent.all(),
  };
}

interface Threshold {
  level: LogLevel;
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

function wrap(logger: Logger, threshold: Threshold): Log {
  const write =
    (level: Exclude<LogLevel, "silent">) =>
    (event: string, fields: LogFields = {}) => {
      if (ranks[level] >= ranks[threshold.level]) logger[level]({ event: eventId(event), ...fields }, event);
    };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => wrap(logger.child(fields), threshold),
  };
}

/** `registration failed` → `registration-failed` */
export const eventId = (event: string): string =>
  event
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

/** sd-daemon(3): a line that begins with `<4>` is a warning; the journal takes the prefix off. */
const priorities: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };

/** Keeps what passes, and says how much it matters where somebody reads that. */
function watched(
  destination: Pick<DestinationStream, "write">,
  { recent, hasPriorities }: { readonly recent: RecentLines; readonly hasPriorities: boolean },
): DestinationStream {
  const stream = {
    [Symbol.for("pino.metadata")]: true, // has pino set `lastLevel`
    lastLevel: 30,
    write(line: string) {
      recent.add(line.trimEnd());
      destination.write(hasPriorities ? `<${priorities[stream.lastLevel] ?? 6}>${line}` : line);
    },
  };
  return stream;
}
