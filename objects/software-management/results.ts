import type { PackageFailure } from "../../agent/ports.js";

/** Update Result (/9/x/9) of Software Management 1.0. */
export const softwareResults = {
  initial: 0,
  downloading: 1,
  installed: 2,
  delivered: 3,
  notEnoughStorage: 50,
  outOfMemory: 51,
  connectionLost: 52,
  integrityFailure: 53,
  unsupportedPackage: 54,
  invalidUri: 56,
  deviceError: 57,
  installFailed: 58,
  uninstallFailed: 59,
} as const;

export type SoftwareResult = (typeof softwareResults)[keyof typeof softwareResults];

const byFailure: Readonly<Record<PackageFailure, SoftwareResult>> = {
  storage: softwareResults.notEnoughStorage,
  memory: softwareResults.outOfMemory,
  connection: softwareResults.connectionLost,
  integrity: softwareResults.integrityFailure,
  "unsupported-package": softwareResults.unsupportedPackage,
  "invalid-uri": softwareResults.invalidUri,
  "unsupported-protocol": softwareResults.invalidUri, // the Object has no Result of its own for it
  failed: softwareResults.deviceError,
};

/** Of a package that did not arrive, or is not what it should be. */
export const resultOf = (failure: PackageFailure): SoftwareResult => byFailure[failure];
