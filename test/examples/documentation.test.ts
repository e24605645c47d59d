/** What docs/plugins.md shows is what there is. */
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readConfig } from "../../agent/config/load.js";
import { plugin } from "../../examples/plugins/uptime.js";
import { type ManagedAgent, startManagedAgent } from "../agent/managed-agent.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFile(join(root, path), "utf8");

/** The code of this language, without the indentation of the list that it stands in. */
async function blocks(language: string): Promise<readonly string[]> {
  const text = await read("docs/plugins.md");
  return [...text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([^]*?)^ *\`\`\`$`, "gm"))].map(
    ([, indentation = "", code = ""]) => code.replaceAll(new RegExp(`^${indentation}`, "gm"), ""),
  );
}

let managed: ManagedAgent | undefined;
afterEach(() => managed?.close());

test("the Object of the first ten minutes is the example, and works", async () => {
  expect(await blocks("ts")).toEqual([await read("examples/plugins/uptime.ts")]);
  managed = await startManagedAgent({ plugins: [plugin] });
  expect(Number(await managed.read([33_020, 0, 0]))).toBeGreaterThan(0);
  await managed.write([33_020, 0, 1], "cellar");
  expect(await managed.read([33_020, 0, 1])).toBe("cellar");
  await managed.execute([33_020, 0, 2]);
  expect(await managed.read([33_020, 0, 1])).toBe("");
});

test("the configuration of scripts is one that the agent takes", async () => {
  const [scripts = ""] = await blocks("yaml");
  const file = join(temporaryDirectory(), "agent.yaml");
  await writeFile(file, `servers: [{ uri: coap://localhost }]\n${scripts}`);
  const surroundings = { env: {}, uid: 0, hostname: "kitchen", machineId: "" };
  expect(await readConfig({ file, flags: [], surroundings })).toMatchObject({
    config: {
      scripts: [
        {
          object: join(file, "../3303.xml"),
          program: "/etc/lwm2m-agent/scripts/temperature",
          resources: [5700, 5701],
          instances: [0],
          pollInterval: 10,
          timeLimit: 5,
        },
      ],
    },
  });
});
