/** Each command of docs/firmware/signing.md, as it stands there, in its order. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";

const root = resolve(import.meta.dirname, "../../..");
const main = join(root, "dist/agent/cli/main.js");
const page = readFileSync(join(root, "docs/firmware/signing.md"), "utf8");

const fences = [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
const blocks = (language: string) => fences.flatMap(([, tag, text = ""]) => (tag === language ? text : []));

test("every command of the page does what the page says", async () => {
  const folder = temporaryDirectory();
  /** The page speaks of the whole system; the test has a folder of its own. */
  const here = (text: string) =>
    text.replaceAll("/etc/lwm2m-agent", join(folder, "etc")).replaceAll("sudo ", "");
  mkdirSync(join(folder, "etc"));
  writeFileSync(join(folder, "fw.bin"), "the image");
  const [firmware = ""] = blocks("yaml");
  const device = [
    "endpointName: pump",
    "servers: [{ uri: coap://localhost }]",
    "board: { type: simulated }",
    `directories: { state: ${folder}/s, cache: ${folder}/c, runtime: ${folder}/r }`,
  ];
  writeFileSync(join(folder, "etc/agent.yaml"), [...device, here(firmware)].join("\n"));
  const program = `lwm2m-agent() { ${process.execPath} ${main} "$@"; }`;
  let said = "";
  for (const block of blocks("sh")) {
    const script = `set -euo pipefail; ${program}; ${here(block)}`;
    const { stdout } = await promisify(execFile)("bash", ["-c", script], {
      cwd: folder,
      env: { ...process.env, LWM2M_AGENT_CONFIG: join(folder, "etc/agent.yaml") },
    });
    said += stdout;
  }
  const [keyId = ""] = /key [0-9a-f]{16}/.exec(said) ?? [];
  for (const line of blocks("").join("").trim().split("\n")) {
    expect(said).toContain(here(line).replace(/key [0-9a-f]{16}/, keyId));
  }
  expect(said.match(/Signature Verified Successfully/g)).toHaveLength(2);
  expect(said.match(/^\S+: good$/gm)).toEqual([
    "fw.bin: good",
    "gateway-1.4.0.bundle: good",
    "own.bundle: good",
    "fw.bin: good",
  ]);
});
