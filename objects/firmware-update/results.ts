import { PackageError, type PackageFailure } from "../../agent/ports.js";

/** Update Result (/5/0/5) of Firmware Update 1.2; the last two are of Advanced Firmware Update (/33629). */
export const updateResults = {
  initial: 0,
  success: 1,
  notEnoughStorage: 2,
  outOfMemory: 3,
  connectionLost: 4,
  integrityFailure: 5,
  unsupportedPackage: 6,
  invalidUri: 7,
  updateFailed: 8,
  unsupportedProtocol: 9,
  cancelled: 10,
  deferred: 11,
  conflictingState: 12,
  dependencyError: 13,
} as const;

export type UpdateResult = (typeof updateResults)[keyof typeof updateResults];

export const isUpdateResult = (value: number): value is UpdateResult =>
  Object.values<number>(updateResults).includes(value);

const resultsByFailure: Readonly<Record<PackageFailure, UpdateResult>> = {
  storage: updateResults.notEnoughStorage,
  memory: updateResults.outOfMemory,
  connection: updateResults.connectionLost,
  integrity: updateResults.integrityFailure,
  "unsupported-package": updateResults.unsupportedPackage,
  "invalid-uri": updateResults.invalidUri,
  "unsupported-protocol": updateResults.unsupportedProtocol,
  failed: updateResults.updateFailed,
};

/** The package would change other components that are being updated themselves. */
export class ConflictError extends PackageError {
  /** Their Object Instances. */
  readonly conflicts: readonly number[];
  constructor(conflicts: readonly number[], message: string) {
    super("unsupported-package", message);
    this.conflicts = conflicts;
  }
}

export const resultOf = (failure: PackageFailure): UpdateResult => resultsByFailure[failure];

/** No words of others make our records, answers and status grow. */
const MAX_REASON = 256;

/** What an installer or an error says of itself, in one line that is safe to store and to show. */
export function plainText(words: string): string {
  const line = words.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return Array.from(line).slice(0, MAX_REASON).join("");
}

export const reasonOf = (error: unknown): string =>
  plainText(error instanceof Error ? error.message : String(error));

/** What an error says about the package; `otherwise` when it says nothing. */
export const failureOf = (error: unknown, otherwise: PackageFailure): PackageFailure =>
  error instanceof PackageError ? error.failure : otherwise;
