import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A directory that goes when the test ends. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "lwm2m-agent-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
