/** What a running service shows: metrics and status page over HTTP, and the diagnosis of a device. */
import { execFile } from "node:child_process";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { freePort } from "../agent/service/pages/free-port.js";
import { run, start, withFolder } from "./program.js";

const execute = promisify(execFile);
const limit = { timeout: 60_000 };

async function configure(folder: string, more = ""): Promise<string> {
  const file = join(folder, "agent.yaml");
  await writeFile(
    file,
    [
      "endpointName: pump-7",
      `servers: [{ uri: "coap://127.0.0.1:${await freePort()}", lifetime: 5 min }]`,
      "board: { type: simulated }",
      `directories: { state: ${folder}/state, cache: ${folder}/cache, runtime: ${folder}/run }`,
      more,
    ].join("\n"),
  );
  return file;
}

const filesIn = async (archive: string): Promise<readonly string[]> => {
  const { stdout } = await execute("tar", ["-tzf", archive]);
  return stdout
    .trim()
    .split("\n")
    .map((name) => name.replace(/^[^/]+\//, ""));
};

test("metrics and status page are there when they are configured, and go with the service", limit, () =>
  withFolder(async (folder) => {
    const port = await freePort();
    const file = await configure(folder, `metrics: { port: ${port} }\nstatusPage: { port: ${port} }`);
    const service = start("run", "--config", file);
    await service.logged('"event":"local-pages"');
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^lwm2m_agent_starts_total 1$/m);
    expect(metrics).toMatch(/\n# EOF\n$/);
    expect((await run("metrics", "--config", file)).stdout).toMatch(/^lwm2m_agent_starts_total 1$/m);
    const status = (await (await fetch(`http://127.0.0.1:${port}/status.json`)).json()) as { log: unknown[] };
    expect(status).toMatchObject({
      endpointName: "pump-7",
      firmware: { version: "1.0", state: "No update" },
    });
    expect(status.log.length).toBeGreaterThan(0);
    service.kill("SIGTERM");
    expect((await service.ended).exitCode).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();

    const second = start("run", "--config", file);
    await second.logged('"event":"local-pages"');
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toMatch(
      /^lwm2m_agent_starts_total 2$/m,
    );
    second.kill("SIGTERM");
    await second.ended;
  }),
);

test("a diagnosis is one file, with the running agent and without", limit, () =>
  withFolder(async (folder) => {
    const file = await configure(folder);
    const service = start("run", "--config", file);
    await service.logged('"event":"board-started"');
    const archive = join(folder, "running.tar.gz");
    const { exitCode, stdout, stderr } = await run("diagnostics", "--config", file, "-o", archive);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain(`${archive}: `);
    expect((await stat(archive)).mode & 0o777).toBe(0o600);
    expect(await filesIn(archive)).toEqual(
      expect.arrayContaining([
        "README.txt",
        "status.json",
        "metrics.txt",
        "log/recent.jsonl",
        "state/starts",
      ]),
    );
    const again = await run("diagnostics", "--config", file, "-o", archive);
    expect(again).toMatchObject({
      exitCode: 2,
      stderr: `lwm2m-agent: ${archive} cannot be written: it is there already. Name another file with --output\n`,
    });
    service.kill("SIGTERM");
    await service.ended;

    const without = join(folder, "stopped.tar.gz");
    const later = await run("diagnostics", "--config", file, "-o", without, "--json");
    expect(JSON.parse(later.stdout)).toMatchObject({
      path: without,
      missing: expect.arrayContaining([expect.stringMatching(/^status\.json: no agent runs here/)]),
    });
    expect(await filesIn(without)).toEqual(expect.arrayContaining(["README.txt", "state.txt", "board.json"]));
  }),
);
