import { execFileSync } from "node:child_process";
import { cpSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { exampleScripts } from "./two-slots.js";

const page = readFileSync(resolve(import.meta.dirname, "../../../../docs/firmware.md"), "utf8");

/** The first block of shell below a heading. */
const commandsBelow = (heading: string): string =>
  /```sh\n([\s\S]*?)```/.exec(page.slice(page.indexOf(`\n${heading}\n`)))?.[1] ?? "";

test("the commands by which docs/firmware.md tries the example do what it says", () => {
  const folder = temporaryDirectory();
  cpSync(exampleScripts, join(folder, "examples", "command-board"), { recursive: true });
  const commands = commandsBelow("### Try it without a board");
  const output = execFileSync("sh", ["-e", "-c", commands.replace("slot-b; echo", "slot-b || echo")], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(output.split("\n")).toEqual([
    "name=gateway",
    "version=2.0",
    "5 writing slot b",
    "80 reading it back",
    "100 done",
    "3",
    "b",
    "VERSION_ID=2.0",
    "",
  ]);
});
