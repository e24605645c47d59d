import type { Clock, DownloadStorage, Log, Random } from "../ports.js";
import { type DownloadLimits, type DownloadOptions, defaultDownloadLimits } from "./options.js";
import { Pace } from "./pace.js";
import { Schedule } from "./schedule.js";
import type { TransferSettings } from "./transfer.js";

export interface TransferPorts {
  readonly storage: DownloadStorage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Shared by all that shall not be faster together; one of its own when not given. */
  readonly pace?: Pace;
}

/** The options with their defaults, and what works by them. */
export function createTransferSettings(options: DownloadOptions, ports: TransferPorts): TransferSettings {
  const { clock } = ports;
  return {
    ...ports,
    pace: ports.pace ?? new Pace(options.bandwidthLimit, clock),
    schedule: new Schedule(options, ports),
    limits: limitsOf(options),
  };
}

function limitsOf(options: DownloadOptions): DownloadLimits {
  const { connectTimeout, stallTimeout, minimumRate, totalTime } = { ...defaultDownloadLimits, ...options };
  const { redirects, attempts, retryDelay, maximumRetryDelay } = { ...defaultDownloadLimits, ...options };
  return {
    connectTimeout,
    stallTimeout,
    minimumRate,
    totalTime,
    redirects,
    attempts,
    retryDelay,
    maximumRetryDelay,
  };
}
