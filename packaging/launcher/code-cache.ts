/**
 * Makes the code cache of the bundled program, `node code-cache.js`: runs the agent against a Server of its own on loopback until
 * it is registered, so that what a start needs is compiled, and nothing else. Called when the package is installed, and
 * when Node.js changes.
 */
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type vm from "node:vm";
import { cacheFile, load } from "./main.js";

/** The first one leaves the checked configuration behind, with which the second one starts as most starts do. */
const rehearsals = ["first", "second"] as const;
const timeLimit = 30_000;
/** After the registration: what is set up behind it belongs to a start, too. */
const settling = 1000;

if (process.argv[2] === undefined) rehearse();
else perform(process.argv[2] === "second");

function rehearse(): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lwm2m-agent-"));
  try {
    for (const rehearsal of rehearsals) {
      const { status, stderr } = spawnSync(process.execPath, [__filename, rehearsal], {
        cwd: folder,
        env: {
          PATH: process.env["PATH"],
          HOME: folder,
          STATE_DIRECTORY: folder,
          CACHE_DIRECTORY: folder,
          RUNTIME_DIRECTORY: folder,
        },
        encoding: "utf8",
        timeout: timeLimit,
      });
      if (status !== 0) throw new Error(`the agent does not start here:\n${stderr}`);
    }
  } catch (error) {
    process.stderr.write(
      `lwm2m-agent: no code cache was made, so each start takes longer: ${String(error)}\n`,
    );
    process.exitCode = 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function perform(isLast: boolean): void {
  const server = dgram.createSocket("udp4");
  server.on("message", (register, from) => {
    server.send(created(register), from.port, from.address);
    setTimeout(() => {
      if (isLast) keep(cacheFile(), script.createCachedData());
      process.exit(0);
    }, settling);
  });
  let script: vm.Script;
  server.bind(isLast ? Number(fs.readFileSync("port", "utf8")) : 0, "127.0.0.1", () => {
    if (!isLast) writeConfiguration(server.address().port);
    process.argv = [process.execPath, __filename, "run", "--config", "agent.yaml"];
    const loaded = load();
    script = loaded.script;
    void loaded.program.main();
  });
}

/** The second rehearsal has the same port, or else it had another configuration. */
function writeConfiguration(port: number): void {
  fs.writeFileSync("port", `${port}`);
  fs.writeFileSync(
    "agent.yaml",
    `endpointName: rehearsal\nservers:\n  - uri: coap://127.0.0.1:${port}\nboard:\n  type: none\n`,
  );
}

/** RFC 7252 §3: 2.01 Created of the Register, at /rd/0. */
function created(register: Buffer): Buffer {
  const tokenLength = (register[0] ?? 0) & 0x0f;
  return Buffer.concat([
    Buffer.of(0x60 | tokenLength, 0x41),
    register.subarray(2, 4 + tokenLength),
    Buffer.of(0x82, ...Buffer.from("rd"), 0x01, ...Buffer.from("0")),
  ]);
}

/** In one step, and in place of those of another Node.js or program. */
function keep(file: string, data: Buffer): void {
  const folder = path.dirname(file);
  fs.writeFileSync(`${file}.new`, data, { mode: 0o644 });
  fs.renameSync(`${file}.new`, file);
  for (const entry of fs.readdirSync(folder)) {
    if (entry.endsWith(".cache") && entry !== path.basename(file)) fs.rmSync(path.join(folder, entry));
  }
}
