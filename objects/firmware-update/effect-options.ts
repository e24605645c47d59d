/** What performing the effects takes, and what is heard of them meanwhile. */
import type {
  Board,
  BoardDescription,
  Clock,
  Downloader,
  DownloadProgress,
  Log,
  Millis,
  PackageInfo,
  PackageStorage,
  PackageVerifier,
  StageContext,
  UpdateGate,
  UpdateStage,
} from "../../agent/ports.js";
import type { Occurrence } from "./events.js";
import type { FirmwareUpdateHooks } from "./hooks.js";
import { type Updating, uriOf } from "./state.js";
import type { Connectivity, TrialOptions, TrialPhase } from "./trial.js";

/** How far a download or an installation is. */
export type FirmwareUpdateProgress =
  | ({ readonly phase: "downloading" } & DownloadProgress)
  /** `fraction` from 0 to 1 · `message`: what the installer says of its work. */
  | { readonly phase: "installing"; readonly fraction: number; readonly message?: string };

/** What an update waits for. */
export interface Waiting {
  readonly stage: UpdateStage;
  readonly reason: string;
}

export interface EffectOptions {
  readonly downloaders: readonly Downloader[];
  readonly storage: PackageStorage;
  readonly board: Board;
  readonly clock: Clock;
  readonly log: Log;
  /** The instance of the Object that this is; 0 unless told. */
  readonly objectInstanceId?: number;
  readonly hooks?: FirmwareUpdateHooks;
  /**
   * Between the answer to Update and the installation: the time for observers to hear of State 3 (0.5 s unless told).
   */
  readonly settleDelay?: Millis;
  /** Takes the place of `settleDelay`: resolves when observers have heard. */
  beforeApply?(): Promise<void>;
  /** Sees each package before the board does. Absent: the board alone judges it. */
  readonly verifier?: PackageVerifier;
  /**
   * May this package take the place of what runs? Asked when it is verified.
   * @throws PackageError when it may not
   */
  acceptance?(offered: PackageInfo, running: BoardDescription): void;
  /** The operator's say before each stage. */
  readonly gate?: UpdateGate;
  /** What the new image has to show before it is to stay. Absent: that it runs is proof enough. */
  readonly trial?: TrialOptions;
  /** The board is asked to restart when it resolves: why the next boot comes. */
  beforeRestart?(why: "firmware-update" | "rollback", signal: AbortSignal): Promise<void>;
  /** For the trial, and for the record of who answered before the update. */
  readonly connectivity?: Connectivity;
}

/** What Servers wrote that has a say here, as it is now. */
export interface Wishes {
  readonly severity: number;
  readonly maximumDeferSeconds?: number;
}

/** One effect while it is performed. */
export interface Work {
  readonly signal: AbortSignal;
  /** Says what happened; nothing after the work was cancelled. */
  report(occurrence: Occurrence): Promise<void>;
  progress(progress: FirmwareUpdateProgress): void;
  /** undefined: it goes on. */
  waiting(waiting: Waiting | undefined): void;
  /** `ends`: on the clock. */
  trying(phase: TrialPhase, ends: Millis): void;
}

/** For whoever has a say before a stage. */
export const stageContext = (
  { severity }: Wishes,
  known: Partial<StageContext> & Pick<StageContext, "uri" | "signal">,
): StageContext => ({ package: undefined, image: undefined, attempt: undefined, severity, ...known });

export function stageContextOf(update: Updating, wishes: Wishes, signal: AbortSignal): StageContext {
  const { package: verified, attempt } = update;
  return stageContext(wishes, {
    uri: uriOf(update),
    ...(verified && { package: verified.info, image: verified.image }),
    attempt: attempt.id,
    signal,
  });
}
