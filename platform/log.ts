import { type Logger, pino } from "pino";
import pinoPretty from "pino-pretty";
import type { Log } from "../agent/ports.js";
import { describeLoggedError } from "./logged-error.js";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** For a person at a terminal; otherwise one JSON object a line, as journald and log shippers like it. */
  readonly pretty: boolean;
}

/** The log of the process, on standard error: standard output belongs to what a command answers. */
export function createLog({ level, pretty }: LogOptions): Log {
  const destination = pretty
    ? pinoPretty({
        destination: 2,
        sync: true,
        colorize: true,
        ignore: "pid,hostname",
        translateTime: "HH:MM:ss.l",
      })
    : pino.destination({ dest: 2, sync: true });
  return wrap(pino({ level, base: null, serializers: { error: describeLoggedError } }, destination));
}

const wrap = (logger: Logger): Log => ({
  debug: (event, fields = {}) => logger.debug(fields, event),
  info: (event, fields = {}) => logger.info(fields, event),
  warn: (event, fields = {}) => logger.warn(fields, event),
  error: (event, fields = {}) => logger.error(fields, event),
  child: (fields) => wrap(logger.child(fields)),
});
