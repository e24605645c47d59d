/** What the boot loader of an Edison says of an update: its variables, as a table. */
import type { PackageFailure } from "../../../agent/ports.js";

export type OtaVariables = Readonly<
  Record<"ota_status" | "ota_abort" | "ota_done" | "ota_abort_reason", string | undefined>
>;

/**
 * - `not-started`: the boot loader has not seen the request · `refused`: it has, and installed nothing, or not all
 * - `written`: the images are in place; which one runs is another question
 * - `silent`: it says nothing of any update
 */
export type OtaVerdict =
  | { readonly verdict: "not-started" | "written" | "silent" }
  | { readonly verdict: "refused"; readonly failure: PackageFailure; readonly reason: string };

/** We write it before the restart, and nobody else uses it: gone, it proves that U-Boot has run its part. */
export const statusBeforeRestart = "9";

const refused = (failure: PackageFailure, reason: string): OtaVerdict => ({
  verdict: "refused",
  failure,
  reason,
});

export function judgeOta({ ota_status, ota_abort, ota_done, ota_abort_reason }: OtaVariables): OtaVerdict {
  switch (ota_status) {
    case statusBeforeRestart:
      return { verdict: "not-started" };
    case "1":
      return refused("failed", "the boot loader could not read ota_update.scr");
    case "2":
      return refused("failed", "ota_update.scr is broken");
    case "0":
      if (isSet(ota_abort))
        return refused(failureOf(ota_abort_reason ?? ""), ota_abort_reason ?? "no reason given");
      // 0 alone says only that the script came to an end, by its own `exit` too.
      return isSet(ota_done)
        ? { verdict: "written" }
        : refused("failed", "ota_update.scr ended before the images were written");
    default:
      return { verdict: "silent" };
  }
}

const isSet = (value: string | undefined) => value === "1";

/** The words of the script in the factory image; for the root file system it says "bad hash". */
function failureOf(reason: string): PackageFailure {
  if (/hash mismatch|bad hash/i.test(reason)) return "integrity";
  return /too small/i.test(reason) ? "storage" : "failed";
}
