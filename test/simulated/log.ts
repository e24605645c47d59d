import type { Log, LogFields } from "../../agent/ports.js";

export interface RecordingLog extends Log {
  readonly lines: { readonly level: string; readonly event: string; readonly fields: LogFields }[];
}

/** Keeps every line, for tests that ask what was said. */
export function createRecordingLog(
  lines: RecordingLog["lines"] = [],
  inherited: LogFields = {},
): RecordingLog {
  const at =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void lines.push({ level, event, fields: { ...inherited, ...fields } });
  return {
    lines,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createRecordingLog(lines, { ...inherited, ...fields }),
  };
}
