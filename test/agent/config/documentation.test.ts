/** Every piece of configuration in the documentation is one that the agent takes. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../../../agent/config/load.js";
import { formatProblem } from "../../../agent/config/problem.js";

const root = resolve(import.meta.dirname, "../../..");

const pages = [
  join(root, "README.md"),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, "docs", name)),
];

const examples = pages.flatMap((page) => {
  const text = readFileSync(page, "utf8");
  const blocks = text.matchAll(/^( *)```ya?ml\n([\s\S]*?)^\1```$/gm);
  return Array.from(blocks, ({ 1: indent = "", 2: yaml = "", index }) => ({
    place: `${relative(root, page)}, line ${text.slice(0, index).split("\n").length}`,
    yaml: yaml.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
});

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-documentation-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What is wrong with it, as `lwm2m-agent check` says it. An example that is about something else names no Server. */
async function problemsOf(yaml: string): Promise<readonly string[]> {
  const file = join(folder, "agent.yaml");
  const names = /^(servers|bootstrapServer):/m.test(yaml);
  await writeFile(file, names ? yaml : `${yaml}\nservers: [{ uri: coap://localhost }]\n`);
  const surroundings = { env: {}, uid: 0, hostname: "kitchen", machineId: "" };
  const result = await readConfig({ file, flags: [], surroundings });
  return "problems" in result ? result.problems.map(formatProblem) : [];
}

test("there are examples for each board that needs a configuration", () => {
  const all = examples.map(({ yaml }) => yaml).join("\n");
  for (const type of ["raspberry-pi", "edison", "command", "rauc", "swupdate"]) {
    expect(all).toContain(`type: ${type}`);
  }
});

test.each(examples)("the configuration in $place is taken", async ({ yaml }) => {
  expect(await problemsOf(yaml)).toEqual([]);
});

test("a key that is not there would be found", async () => {
  expect(await problemsOf("firmware: { key: [/etc/release.pub] }")).toEqual([
    expect.stringContaining("Did you mean keys?"),
  ]);
});
