import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { eventId } from "../../../platform/service-log.js";

/** People write filters and alarms against these names, so docs/service.md holds each of them, with its level. */
const root = resolve(import.meta.dirname, "../../..");

/** Calls whose event is put together elsewhere, by file. */
const composed: Readonly<Record<string, readonly string[]>> = {
  "objects/device.ts": ["error reboot failed", "error factory reset failed"],
  "platform/plugins/containment.ts": [
    "error plugin timer failed",
    "error plugin exception not caught",
    "error plugin promise rejected",
  ],
  "objects/software-management/effects.ts": ["warn software not activated", "warn software not deactivated"],
};

const call = /\b\w*[lL]og\??\.(debug|info|warn|error)\(\s*(?:"([^"]*)"|(\S))/g;

/** `level id` of all that the agent logs. */
function eventsInCode(): ReadonlySet<string> {
  const files = execFileSync("git", ["ls-files", "agent", "objects", "platform"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((file) => file.endsWith(".ts") && !file.startsWith("agent/simulation/"));
  const events = new Set<string>();
  const foreign: string[] = [];
  for (const file of files) {
    const code = readFileSync(resolve(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    for (const [, level = "", literal, other] of code.matchAll(call)) {
      if (literal !== undefined) events.add(`${level} ${eventId(literal)}`);
      else if (other !== undefined && composed[file] === undefined && !isWrapper(file)) foreign.push(file);
    }
    for (const each of composed[file] ?? []) {
      const [level = "", ...words] = each.split(" ");
      events.add(`${level} ${eventId(words.join(" "))}`);
    }
  }
  expect(foreign, "an event that is no literal: name what it may be in `composed`").toEqual([]);
  return events;
}

/** These hand on what others say. */
const isWrapper = (file: string) => file === "platform/log.ts" || file === "platform/service-log.ts";

function eventsInDocumentation(): ReadonlySet<string> {
  const page = readFileSync(resolve(root, "docs/service.md"), "utf8");
  const [, section = ""] = /\n### Events\n([\s\S]*?)(?=\n##? |$)/.exec(page) ?? [];
  const events = new Set<string>();
  for (const [, id = "", levels = ""] of section.matchAll(/^\| `([a-z0-9-]+)` \| ([a-z, ]+) \|/gm)) {
    for (const level of levels.split(", ")) events.add(`${level} ${id}`);
  }
  for (const [, level = "", ids = ""] of section.matchAll(
    /^- (debug|info|warn|error): ((?:.|\n(?!\n|- ))*)/gm,
  )) {
    for (const [, id = ""] of ids.matchAll(/`([a-z0-9-]+)`/g)) events.add(`${level} ${id}`);
  }
  return events;
}

test("docs/service.md names every event that the agent logs, and none that it does not", () => {
  const [code, documented] = [eventsInCode(), eventsInDocumentation()];
  expect(code.size).toBeGreaterThan(100);
  expect([...code].filter((event) => !documented.has(event)).sort(), "missing in docs/service.md").toEqual(
    [],
  );
  expect([...documented].filter((event) => !code.has(event)).sort(), "not in the code any more").toEqual([]);
});
