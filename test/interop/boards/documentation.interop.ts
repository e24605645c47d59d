/** The commands of docs/firmware.md for RAUC and SWUpdate, as they stand there. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requirePrograms, run } from "./programs.js";

const folder = mkdtempSync(join(tmpdir(), "documentation-"));
const page = readFileSync(resolve(import.meta.dirname, "../../../docs/firmware.md"), "utf8");

beforeAll(() => requirePrograms("rauc", "swupdate", "openssl", "cpio", "mksquashfs"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The shell blocks of one section. */
function commandsOf(section: string): string {
  const [, text = ""] = page.split(`\n## ${section}\n`);
  const blocks = [...(text.split("\n## ")[0] ?? "").matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
  if (blocks.length === 0) throw new Error(`docs/firmware.md has no commands for ${section}`);
  return blocks.map(([, block]) => block).join("\n");
}

const runCommands = (section: string) => run("bash", ["-e", "-c", commandsOf(section)], { cwd: folder });

test("what the page says of RAUC makes keys and a bundle that they verify", () => {
  expect(JSON.parse(runCommands("RAUC").trim().split("\n").at(-1) ?? "")).toMatchObject({
    compatible: "acme-gateway",
    version: "2.0.0",
  });
});

test("what it says of SWUpdate makes a package that passes the check, with the same keys", () => {
  expect(runCommands("SWUpdate")).toContain("SWUPDATE successful");
});
