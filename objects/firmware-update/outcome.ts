/** How the last update ended, in words: the number of the Update Result alone helps nobody. */
import type { PackageInfo } from "../../agent/ports.js";
import type { FirmwareUpdateEvent } from "./events.js";
import { plainText, type UpdateResult, updateResults } from "./results.js";
import { type FirmwareUpdateState, packageOf } from "./state.js";

export interface UpdateOutcome {
  readonly result: UpdateResult;
  /** The words of whoever knows best: the installer, the downloader, the operator's hook. At most 256 characters. */
  readonly reason: string;
  /** Of the package, as far as it was known. */
  readonly package?: PackageInfo;
  /** Of the firmware that ran when the update began, where it did begin. */
  readonly previousVersion?: string;
  /** Seconds since 1970, by the calendar of then. */
  readonly at: number;
}

/** What `event` ended; undefined when nothing did. */
export function outcomeOf(
  before: FirmwareUpdateState,
  event: FirmwareUpdateEvent,
  after: FirmwareUpdateState,
): Omit<UpdateOutcome, "at"> | undefined {
  if (after === before || (after.name !== "idle" && after.name !== "downloaded")) return undefined;
  const { result } = after;
  if (result === updateResults.initial || result === updateResults.deferred) return undefined;
  const verified = packageOf(before);
  return {
    result,
    reason: plainText(reasonFor(before, event, result)),
    ...(verified && { package: verified.info }),
    ...(before.name === "updating" && { previousVersion: before.attempt.previousVersion }),
  };
}

function reasonFor(before: FirmwareUpdateState, event: FirmwareUpdateEvent, result: UpdateResult): string {
  if (before.name === "updating" && before.setback !== undefined) {
    const { reason } = before.setback;
    return event.type === "revertFailed"
      ? `${reason}; the previous firmware did not come back: ${event.reason}`
      : reason;
  }
  switch (event.type) {
    case "pushRefused":
    case "transferFailed":
    case "applyFailed":
    case "installationRefused":
    case "forbidden":
    case "dependencyMissing":
    case "revertFailed":
      return event.reason;
    case "packageUriWritten":
      return event.fault === "unsupported-protocol"
        ? "nothing here fetches packages from a URI of that scheme"
        : "the Package URI is malformed";
    case "cancelExecuted":
      return "a Server cancelled it";
    case "committed":
      return "the new firmware runs and is to stay";
    case "updateExecuted":
    case "permitted":
      return "a plugin fetched the package, and nothing here can install it";
    case "outcomeKnown":
      return event.outcome === "unknown"
        ? "the board cannot tell which firmware runs after the restart"
        : "the board started the previous firmware";
    case "agentStarted":
      return interruption(before, event.packageIntact);
    default:
      return `a plugin reported Update Result ${result}`;
  }
}

function interruption(before: FirmwareUpdateState, packageIntact: boolean): string {
  if (before.name === "downloading") return "the agent stopped while a Server pushed the package";
  if (!packageIntact) return "the package was gone or damaged when the agent started again";
  return "the update was interrupted more often than it is taken up again";
}
