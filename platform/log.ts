import { type Logger, pino } from "pino";
import pinoPretty from "pino-pretty";
import { ConfigError, DecodeError, RequestError } from "../agent/model/errors.js";
import { BusyError, type Log, PackageError, TransportError } from "../agent/ports.js";

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

/** What the world does wrong is said in a sentence; what the program does wrong, with its stack. */
const foreseen = [BusyError, ConfigError, DecodeError, PackageError, RequestError, TransportError];

export const describeLoggedError = (error: unknown) =>
  error instanceof Error && foreseen.some((kind) => error instanceof kind)
    ? `${error.name}: ${error.message}`
    : pino.stdSerializers.err(error as Error); // it passes on what is none

const wrap = (logger: Logger): Log => ({
  debug: (event, fields = {}) => logger.debug(fields, event),
  info: (event, fields = {}) => logger.info(fields, event),
  warn: (event, fields = {}) => logger.warn(fields, event),
  error: (event, fields = {}) => logger.error(fields, event),
  child: (fields) => wrap(logger.child(fields)),
});
