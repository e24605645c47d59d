import type { ImageFile, PackageInfo } from "../../agent/ports.js";
import { type UpdateResult, updateResults } from "./results.js";

/** Where the package comes from: the Server pushes it, or we fetch it. */
export type Source = { readonly transfer: "push" } | { readonly transfer: "pull"; readonly uri: string };

/** A package that the board says it can install. */
export interface VerifiedPackage {
  readonly image: ImageFile;
  readonly info: PackageInfo;
}

/** What was known when the update was executed. */
export interface Attempt {
  readonly id: string;
  /** Of the boot in which the image was, or is being, written. */
  readonly bootId: string;
  /** Of the firmware that ran then. */
  readonly previousVersion: string;
  /** Short Server IDs of those that we were registered with: what worked then may be asked of the new image. */
  readonly servers?: readonly number[];
}

/** An Update that was asked for, and that the operator has yet to allow. */
export interface UpdateRequest {
  readonly attempt: Attempt;
  readonly by: "board" | "plugin";
  /**
   * How long it has been put off, in seconds that the agent ran: the calendar of a board without a battery jumps back
   * years with each boot.
   */
  readonly deferredSeconds: number;
}

/** Why an update is being taken back, and what it ends in. */
export interface Setback {
  readonly result: UpdateResult;
  readonly reason: string;
}

interface Reporting {
  /** What Update Result (/5/0/5) says. */
  readonly result: UpdateResult;
}

export interface Idle extends Reporting {
  readonly name: "idle";
  /** Stays readable when its package failed; empty otherwise. */
  readonly uri: string;
}

/** Bytes arrive. */
export interface Downloading extends Reporting {
  readonly name: "downloading";
  readonly source: Source;
}

/** All bytes are here; the board looks at them. Servers see Downloading. */
export interface Verifying extends Reporting {
  readonly name: "verifying";
  readonly source: Source;
  readonly image: ImageFile;
}

export interface Downloaded extends Reporting {
  readonly name: "downloaded";
  readonly source: Source;
  /** undefined: a plugin fetched it and keeps it. */
  readonly package?: VerifiedPackage;
  /** Still Downloaded, but only until the operator allows it. */
  readonly request?: UpdateRequest;
}

/**
 * - `apply`: the image is being written · `restart`: it is complete, the restart is due
 * - `trial`: it runs, and has yet to prove itself · `commit`: it has, and is to stay
 * - `revert`: it has not, and the previous one is to come back
 */
export type UpdateStep = "apply" | "restart" | "trial" | "commit" | "revert";

export type Updating = Reporting & {
  readonly name: "updating";
  readonly source: Source;
  /** The last step that is certain. Each can be repeated. */
  readonly step: UpdateStep;
  readonly attempt: Attempt;
  /** How often the update was taken up again after an interruption. */
  readonly resumed: number;
  /** How long its restart has been put off, with what came before. */
  readonly deferredSeconds?: number;
  /** How often the agent started while the new image was on trial. */
  readonly starts?: number;
  readonly setback?: Setback;
  /** Boots into the new image since it was to go. */
  readonly reverts?: number;
} & (
    | { readonly by: "board"; readonly package: VerifiedPackage }
    | { readonly by: "plugin"; readonly package?: VerifiedPackage }
  );

export type FirmwareUpdateState = Idle | Downloading | Verifying | Downloaded | Updating;

export const initialState: Idle = { name: "idle", result: updateResults.initial, uri: "" };

/** State (/5/0/3). */
export type StateNumber = 0 | 1 | 2 | 3;

export const stateNumbers: Readonly<Record<FirmwareUpdateState["name"], StateNumber>> = {
  idle: 0,
  downloading: 1,
  verifying: 1,
  downloaded: 2,
  updating: 3,
};

export const stateNames = ["Idle", "Downloading", "Downloaded", "Updating"] as const;

/** Package URI (/5/0/1). */
export function uriOf(state: FirmwareUpdateState): string {
  if (state.name === "idle") return state.uri;
  return state.source.transfer === "pull" ? state.source.uri : "";
}

/** Of the package that is downloaded or being installed. */
export const packageOf = (state: FirmwareUpdateState): VerifiedPackage | undefined =>
  state.name === "downloaded" || state.name === "updating" ? state.package : undefined;

/** The file that must still be there for the state to hold. */
export const imageOf = (state: FirmwareUpdateState): ImageFile | undefined =>
  state.name === "verifying" ? state.image : packageOf(state)?.image;
