/** The program as it is packaged, on each Node.js that it is for: those of the `node` package of npm, in a folder of their own. */
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { generate, parse } from "coap-packet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBundle } from "../../../packaging/bundle.js";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../../..");
const versions = [20, 22, 24, 26];

let folder = "";
let program = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-versions-"));
  await createBundle({ root, folder: join(folder, "bundle") });
  program = join(folder, "bundle/dist/agent/cli/main.js");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function install(version: number): Promise<string> {
  const prefix = join(folder, `node-${version}`);
  await run("npm", ["install", "--silent", "--no-fund", "--no-audit", "--prefix", prefix, `node@${version}`]);
  const node = join(prefix, "node_modules/node/bin/node");
  if (!existsSync(node))
    throw new Error(`npm has no Node.js ${version} for this machine: ${node} is missing`);
  return node;
}

describe.each(versions)("Node.js %i", (version) => {
  let node = "";
  beforeAll(async () => {
    node = await install(version);
  });

  test("says what it is, and makes its code cache", async () => {
    expect((await run(node, ["--version"])).stdout).toMatch(new RegExp(`^v${version}\\.`));
    expect((await run(node, [program, "--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    await run(node, [join(program, "../code-cache.js")]);
    const caches = (await readdir(join(program, ".."))).filter((name) => name.endsWith(".cache"));
    expect(caches).toHaveLength(1); // that of the version before is gone
  });

  test("checks a configuration, and registers twice with it", async () => {
    const server = createSocket("udp4");
    try {
      await new Promise<void>((done) => server.bind(0, "127.0.0.1", done));
      const home = await mkdtemp(join(folder, "home-"));
      const file = join(home, "agent.yaml");
      await writeFile(
        file,
        `endpointName: v${version}\nservers:\n  - uri: coap://127.0.0.1:${server.address().port}\nboard:\n  type: none\n`,
      );
      const env = {
        ...process.env,
        STATE_DIRECTORY: join(home, "state"),
        CACHE_DIRECTORY: join(home, "cache"),
        RUNTIME_DIRECTORY: join(home, "run"),
      };
      const { stdout } = await run(node, [program, "check", "--config", file], { env });
      expect(stdout).toContain("0 errors");
      // The second one finds code cache, remembered configuration and registration.
      for (const asks of [/^0\.02 rd$/, /^0\.02 rd\/1$/]) {
        const agent = spawn(node, [program, "run", "--config", file], { env, stdio: "ignore" });
        const exit = new Promise((done) => agent.once("exit", done));
        try {
          expect(await firstRequest(server)).toMatch(asks);
          await new Promise((done) => setTimeout(done, 500)); // until it has the answer on disk
        } finally {
          agent.kill("SIGKILL");
          await exit;
        }
      }
    } finally {
      server.close();
    }
  });

  test("simulates two devices that take an update", async () => {
    const { stdout } = await run(node, [
      program,
      ...["simulate", "--devices", "2", "--socket", join(folder, `s${version}`)],
    ]);
    expect(stdout).toContain("simulated-1: firmware 1.0 → 3.0");
    expect(stdout).toContain("simulated-2: firmware 2.0 → 3.0");
  });
});

/** Answers as a Server does. @returns code and path of the first request */
function firstRequest(server: ReturnType<typeof createSocket>): Promise<string> {
  return new Promise((done) => {
    const answer = (bytes: Buffer, { port, address }: { port: number; address: string }) => {
      const { code, messageId, token, options } = parse(bytes);
      const path = options.filter(({ name }) => name === "Uri-Path").map(({ value }) => value.toString());
      const isNew = path.length === 1;
      const location = ["rd", "1"].map(
        (part) => ({ name: "Location-Path", value: Buffer.from(part) }) as const,
      );
      server.send(
        generate({
          code: isNew ? "2.01" : "2.04",
          ack: true,
          messageId,
          token,
          ...(isNew && { options: location }),
        }),
        port,
        address,
      );
      server.off("message", answer);
      done(`${code} ${path.join("/")}`);
    };
    server.on("message", answer);
  });
}
