/** What can happen to a firmware update, and what follows from it: the words of `table.ts`. */
import type { ResponseCode } from "../../agent/model/errors.js";
import type { ImageFile, PackageFailure, PackageInfo } from "../../agent/ports.js";
import type { UpdateResult } from "./results.js";
import type { Attempt, FirmwareUpdateState, UpdateRequest, Updating, VerifiedPackage } from "./state.js";

/** What a Server asks for. */
export type ServerRequest =
  | {
      readonly type: "packageUriWritten";
      readonly uri: string;
      /** Why it cannot be fetched, as far as its text says. */
      readonly fault?: "invalid-uri" | "unsupported-protocol";
    }
  | { readonly type: "pushBegun" }
  /** An empty Package URI, or a Package of no byte or a single zero. */
  | { readonly type: "resetRequested" }
  | { readonly type: "updateExecuted"; readonly attempt: Attempt; readonly by: Updating["by"] }
  | { readonly type: "cancelExecuted" };

/** An update that nobody has to execute: Automatic Upgrade (/5/0/14). */
export type Upgrade = Pick<UpdateRequest, "attempt" | "by">;

/** Something went wrong; in whose words. */
interface Failed {
  readonly failure: PackageFailure;
  /** Where another Result says more than `failure`. */
  readonly result?: UpdateResult;
  readonly reason: string;
}

/** What has happened in the world, and cannot be refused. */
export type Occurrence =
  | ({ readonly type: "pushRefused" } & Failed)
  | ({ readonly type: "transferFailed" } & Failed)
  | { readonly type: "received"; readonly image: ImageFile }
  | { readonly type: "verified"; readonly package: VerifiedPackage; readonly upgrade?: Upgrade }
  /** The operator lets the update begin. */
  | { readonly type: "permitted"; readonly bootId: string }
  /** Not yet; `deferredSeconds` in all. */
  | { readonly type: "deferred"; readonly deferredSeconds: number; readonly reason: string }
  | ({ readonly type: "forbidden" } & Failed)
  | { readonly type: "applied"; readonly how: "restart" | "running" }
  | ({ readonly type: "applyFailed"; readonly packageIntact: boolean } & Failed)
  /** A plugin has the board install its package, or takes the work back when that failed. */
  | { readonly type: "handedOver"; readonly to: Updating["by"] }
  /** Another component stands in the way of the update that was asked for. */
  | { readonly type: "dependencyMissing"; readonly reason: string }
  | { readonly type: "trialPassed" }
  | { readonly type: "trialFailed"; readonly reason: string }
  | { readonly type: "committed" }
  | { readonly type: "reverted"; readonly how: "restart" | "done" }
  | { readonly type: "revertFailed"; readonly reason: string }
  | {
      readonly type: "outcomeKnown";
      /** `other`: neither the new nor the old image; somebody else installed what runs. */
      readonly outcome: "new" | "old" | "other" | "unknown";
      readonly packageIntact: boolean;
      readonly bootId: string;
    }
  /** By whatever installs it during the boot; the old image runs. */
  | { readonly type: "installationRefused"; readonly failure: PackageFailure; readonly reason: string }
  /** `sameBoot`: as that of the attempt; the agent stopped, not the board. */
  | { readonly type: "agentStarted"; readonly sameBoot: boolean; readonly packageIntact: boolean };

/** What a plugin says about the work that it took over. */
export type PluginReport =
  | { readonly type: "stateReported"; readonly state: 0 | 1 }
  | { readonly type: "stateReported"; readonly state: 2; readonly upgrade?: Upgrade }
  | { readonly type: "stateReported"; readonly state: 3; readonly attempt: Attempt }
  | { readonly type: "resultReported"; readonly result: UpdateResult };

export type FirmwareUpdateEvent = ServerRequest | Occurrence | PluginReport;

/** What whoever is asked about a package gets to know. */
export interface PackageFacts {
  /** Empty when a Server pushed it. */
  readonly uri: string;
  readonly package: PackageInfo | undefined;
  readonly image: ImageFile | undefined;
}

/** An order to the world. Each may be given again after a power cut. */
export type Effect =
  | { readonly do: "download"; readonly uri: string }
  | { readonly do: "cancelTransfer" }
  /** `uri`: where it came from; empty when a Server pushed it. */
  | { readonly do: "verify"; readonly image: ImageFile; readonly uri: string }
  /** Removes the package. */
  | { readonly do: "discard" }
  /** May this update begin? */
  | { readonly do: "askPermission"; readonly request: UpdateRequest; readonly about: PackageFacts }
  | { readonly do: "apply"; readonly update: Updating }
  /** `soon`: one may be on its way already. */
  | { readonly do: "restart"; readonly update: Updating; readonly when: "now" | "soon" }
  | { readonly do: "askOutcome"; readonly update: Updating }
  | { readonly do: "tryOut"; readonly update: Updating }
  /** `update`: what is to stay is the image of this one; absent: whatever runs, as after each boot. */
  | { readonly do: "commit"; readonly update?: Updating }
  | { readonly do: "revert" };

export type Answer = "accepted" | "ignored" | { readonly refused: ResponseCode };

export interface Step {
  readonly state: FirmwareUpdateState;
  readonly effects: readonly Effect[];
  readonly answer: Answer;
}
