/** Who may decide what this board runs: wires the check of signatures to keys, board and downloads. */
import { join } from "node:path";
import { type VersionPolicy, versionRule } from "../objects/firmware-update/version-rule.js";
import { keepSignature } from "../platform/boards/remote/signature.js";
import { fetchSmallFile } from "../platform/download/small-file.js";
import type { FetchSmall, SignatureVerifier, VerificationRules } from "../platform/package/verifier.js";
import type { Packages } from "./downloads.js";
import { type Board, type BoardDescription, type Log, PackageError, type PackageInfo } from "./ports.js";

export interface VerificationOptions extends Partial<VerificationRules> {
  /**
   * Names by which a package may say that it is for this device. The model number and the kind of the board (`raspberry-pi`)
   * unless told.
   */
  readonly compatible?: readonly string[];
}

export interface VerificationSurroundings {
  readonly board: Board;
  readonly log: Log;
  /** Fetches the signature that lies beside a package. */
  readonly fetchSmall: FetchSmall;
}

/** These check the signature of what they install, with keys of their own. */
const boardsWithSignatures = ["rauc", "swupdate"];

/** Nothing of it is loaded before the first package, or the first question. */
export function createVerification(
  { compatible, ...rules }: VerificationOptions,
  { board, log, fetchSmall }: VerificationSurroundings,
): SignatureVerifier {
  let loading: Promise<SignatureVerifier> | undefined;
  const load = () => {
    loading ??= import("../platform/package/verifier.js").then(({ createPackageVerifier }) =>
      createPackageVerifier({
        keys: [],
        signedByBoard: boardsWithSignatures.includes(board.name),
        ...rules,
        compatible: async () => compatible ?? namesOf(board.name, await board.describe()),
        fetchSmall,
        log,
      }),
    );
    return loading;
  };
  return {
    verify: async (image, options) => (await load()).verify(image, options),
    findings: async () => (await load()).findings(),
  };
}

/**
 * Fetches signatures as packages are fetched, and keeps the last one beside the package, for the helper who has no network.
 * @param packagesOf where downloads of at most so many bytes go, by the folder in which they lie meanwhile
 */
export const signatureDownloads = (
  packagesOf: (maximumSize: number) => (directory: string) => Packages,
  cacheDirectory: string,
): FetchSmall =>
  keepSignature(
    (uri, { signal, maximumBytes }) =>
      fetchSmallFile(uri, packagesOf(maximumBytes)(join(cacheDirectory, "signature")), { signal }),
    cacheDirectory,
  );

const namesOf = (name: string, { modelNumber }: BoardDescription): string[] =>
  [modelNumber, name].filter((each) => each !== "");

/** Refuses, as a package that is not for this device, whose version may not take the place of the one that runs. */
export const acceptanceOf =
  (policy: VersionPolicy) =>
  ({ version }: PackageInfo, { firmwareVersion, versionIsOfDistribution }: BoardDescription): void => {
    if (versionIsOfDistribution) return;
    const fault = versionRule(version, firmwareVersion, policy);
    if (fault !== undefined) throw new PackageError("unsupported-package", fault);
  };
