import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/**
 * A directory that goes when the test ends.
 * @param place `memory`: on a file system without a disk where there is one, for tests that sync a thousand times and do not
 *   ask what that is worth
 */
export function temporaryDirectory(place: "disk" | "memory" = "disk"): string {
  const parent = place === "memory" && existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const path = mkdtempSync(join(parent, "lwm2m-agent-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
