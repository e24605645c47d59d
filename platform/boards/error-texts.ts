/**
 * What the words of installers mean. RAUC, SWUpdate, Mender and boot scripts say in text alone why they refused; the table
 * turns that into what the Firmware Update object can report. The words themselves belong into the log and into a reason
 * that people see: a number alone helps nobody.
 */
import { BusyError, PackageError, type PackageFailure } from "../../agent/ports.js";

/** `busy`: the installer works for somebody else: wait and ask again · `clock`: wait until the clock is set, and ask again */
export type InstallerVerdict = PackageFailure | "busy" | "clock";

export interface Circumstances {
  /** Does this device know what time it is? A certificate may then be as wrong as it looks. True when not given. */
  readonly clockIsSet?: boolean;
  /** The package has another digest than was announced: what does not look like a package is then a damaged one. */
  readonly digestIsWrong?: boolean;
}

/** In this order: the first text that is found decides. Letters of either case. */
const table: readonly (readonly [
  RegExp,
  InstallerVerdict | ((circumstances: Circumstances) => InstallerVerdict),
])[] = [
  [
    /certificate is not yet valid|certificate has expired/i,
    ({ clockIsSet = true }) => (clockIsSet ? "integrity" : "clock"),
  ],
  [
    /signature verification failed|authentication of all signatures failed|hash mismatch|no signature file/i,
    "integrity",
  ],
  [
    /invalid bundle format|cpio format not recognized|compatible sw not found/i,
    ({ digestIsWrong = false }) => (digestIsWrong ? "integrity" : "unsupported-package"),
  ],
  [
    /compatible mismatch|not compatible with hardware|not compatible with device|no downgrading allowed/i,
    "unsupported-package",
  ],
  [/no space left|too small for/i, "storage"],
  [/already processing|installation in progress/i, "busy"],
];

/** @param text whatever the installer said, one line or all of them */
export function judgeErrorText(text: string, circumstances: Circumstances = {}): InstallerVerdict {
  const verdict = table.find(([words]) => words.test(text))?.[1] ?? "failed";
  return typeof verdict === "function" ? verdict(circumstances) : verdict;
}

/** The error that a board raises for what its installer said. */
export function installerError(
  text: string,
  circumstances: Circumstances = {},
  options?: ErrorOptions,
): PackageError | BusyError {
  const verdict = judgeErrorText(text, circumstances);
  if (verdict === "busy") return new BusyError(text, options);
  if (verdict === "clock") return new BusyError(`waiting until the clock is set: ${text}`, options);
  return new PackageError(verdict, text, options);
}
