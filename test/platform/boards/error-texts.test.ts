import { expect, test } from "vitest";
import { BusyError, PackageError } from "../../../agent/ports.js";
import { type Circumstances, installerError, judgeErrorText } from "../../../platform/boards/error-texts.js";

const rows: readonly (readonly [text: string, circumstances: Circumstances, verdict: string])[] = [
  ["signature verification failed: certificate is not yet valid", { clockIsSet: false }, "clock"],
  ["signature verification failed: certificate has expired", { clockIsSet: false }, "clock"],
  ["signature verification failed: certificate is not yet valid", { clockIsSet: true }, "integrity"],
  ["Verify error: certificate has expired", {}, "integrity"],
  ["signature verification failed: unable to get local issuer certificate", {}, "integrity"],
  ["Authentication of all signatures failed", {}, "integrity"],
  ["HASH mismatch : 0a <--> 0b", {}, "integrity"],
  ["expecting signed artifact, but no signature file found", {}, "integrity"],
  ["Invalid bundle format", {}, "unsupported-package"],
  ["Invalid bundle format", { digestIsWrong: true }, "integrity"],
  ["CPIO Format not recognized: magic not found", {}, "unsupported-package"],
  ["CPIO Format not recognized: magic not found", { digestIsWrong: true }, "integrity"],
  ["Compatible SW not found", {}, "unsupported-package"],
  ["Compatible mismatch: Expected 'a' but bundle manifest has 'b'", {}, "unsupported-package"],
  ["SW not compatible with hardware", {}, "unsupported-package"],
  ["image (device types [x]) not compatible with device y", {}, "unsupported-package"],
  [
    "No downgrading allowed: new version 1.0 <= installed 2.0",
    { digestIsWrong: false },
    "unsupported-package",
  ],
  ["write error: No space left on device", {}, "storage"],
  ["Slot 'rootfs.1' is too small for image", {}, "storage"],
  ["Already processing a different method", {}, "busy"],
  ["Installation in progress", {}, "busy"],
  ["Image invalid or corrupted. Not installing ...", {}, "failed"],
  ["", {}, "failed"],
];

test.each(rows)("%j with %j means %s", (text, circumstances, verdict) => {
  expect(judgeErrorText(text, circumstances)).toBe(verdict);
});

test("a busy installer, and a clock that is not set, are asked again later; all else fails the package", () => {
  expect(installerError("Already processing a different method")).toBeInstanceOf(BusyError);
  expect(installerError("certificate is not yet valid", { clockIsSet: false })).toBeInstanceOf(BusyError);
  expect(installerError("HASH mismatch")).toMatchObject({ failure: "integrity", message: "HASH mismatch" });
  expect(installerError("whatever")).toBeInstanceOf(PackageError);
});
