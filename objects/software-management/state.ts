import type { ImageFile, PackageInfo } from "../../agent/ports.js";
import { type SoftwareResult, softwareResults } from "./results.js";

/** Where the package comes from: the Server pushes it, or we fetch it. */
export type Source = { readonly transfer: "push" } | { readonly transfer: "pull"; readonly uri: string };

interface Reporting {
  /** What Update Result (/9/x/9) says. */
  readonly result: SoftwareResult;
}

/** A package may come. */
export interface Initial extends Reporting {
  readonly name: "initial";
}

/** Bytes arrive. */
export interface Downloading extends Reporting {
  readonly name: "downloading";
  readonly source: Source;
}

/** All bytes are here; the installer looks at them. Servers see DOWNLOADED. */
export interface Verifying extends Reporting {
  readonly name: "verifying";
  readonly source: Source;
  readonly image: ImageFile;
}

export interface Delivered extends Reporting {
  readonly name: "delivered";
  readonly image: ImageFile;
  readonly info: PackageInfo;
}

/** Servers see DELIVERED until the software is there. */
export interface Installing extends Reporting {
  readonly name: "installing";
  readonly image: ImageFile;
  readonly info: PackageInfo;
  /** How often the installation was taken up again after an interruption. */
  readonly resumed: number;
}

export interface Installed extends Reporting {
  readonly name: "installed";
  readonly info: PackageInfo;
  /** Activation State (/9/x/12). */
  readonly active: boolean;
  /** What Servers asked for last. Where it differs from `active`, the installer is at it. */
  readonly wanted: boolean;
}

/** Servers see INSTALLED until the software is gone. */
export interface Uninstalling extends Reporting {
  readonly name: "uninstalling";
  readonly info: PackageInfo;
  readonly active: boolean;
  /** A package that replaces the software is to come next. */
  readonly forUpdate: boolean;
}

export type SoftwareState =
  | Initial
  | Downloading
  | Verifying
  | Delivered
  | Installing
  | Installed
  | Uninstalling;

export const initialState: Initial = { name: "initial", result: softwareResults.initial };

/** Update State (/9/x/7): INITIAL, DOWNLOAD STARTED, DOWNLOADED, DELIVERED, INSTALLED. */
export const updateStates: Readonly<Record<SoftwareState["name"], 0 | 1 | 2 | 3 | 4>> = {
  initial: 0,
  downloading: 1,
  verifying: 2,
  delivered: 3,
  installing: 3,
  installed: 4,
  uninstalling: 4,
};

/** Of the package that is delivered, or the software that is installed. */
export const infoOf = (state: SoftwareState): PackageInfo | undefined =>
  "info" in state ? state.info : undefined;

export const isActive = (state: SoftwareState): boolean => "active" in state && state.active;

/** The file that must still be there for the state to hold. */
export const imageOf = (state: SoftwareState): ImageFile | undefined =>
  "image" in state ? state.image : undefined;
