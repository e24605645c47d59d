/** The system around the agent: versions, network, journal, and what the updaters say of themselves. */
import { lookup } from "node:dns/promises";
import { statfs } from "node:fs/promises";
import { arch, loadavg, networkInterfaces, platform, release, uptime } from "node:os";
import { describeEnd, ProgramError, runProgram } from "../../../platform/exec/program.js";
import { SystemFiles } from "../../../platform/linux/files.js";
import { readConnectivity, systemNetwork } from "../../../platform/linux/network.js";
import { readMemory } from "../../../platform/linux/system.js";
import { createRecentLines } from "../../../platform/recent-lines.js";
import { describeError } from "../../../platform/system-error.js";
import type { Directories } from "../../config/defaults.js";
import type { ServiceConfig } from "../../config/service-config.js";
import { type Clock, seconds } from "../../ports.js";
import { maskArguments } from "./redaction.js";

const root = new SystemFiles("/");
const patience = seconds(10);

export async function systemFacts(directories: Directories): Promise<object> {
  return {
    node: process.versions,
    kernel: `${platform()} ${release()} ${arch()}`,
    commandLine: maskArguments(((await root.text("proc/cmdline")) ?? "").split(" ")),
    osRelease: ((await root.text("etc/os-release")) ?? "").split("\n"),
    model: await root.text("proc/device-tree/model"),
    uptimeSeconds: Math.round(uptime()),
    loadAverage: loadavg(),
    memory: await readMemory(root),
    watchdogs: await root.list("sys/class/watchdog"),
    user: process.getuid?.(),
    freeSpace: await freeSpace(directories),
  };
}

async function freeSpace(directories: Directories) {
  const all = Object.entries({ root: "/", ...directories });
  const found = await Promise.all(
    all.map(async ([name, path]) => {
      const about = await statfs(path).catch(() => undefined);
      return [
        name,
        about && { path, bytes: about.bavail * about.bsize, of: about.blocks * about.bsize },
      ] as const;
    }),
  );
  return Object.fromEntries(found);
}

// ---- Network -------------------------------------------------------------------------------------------------------

export async function networkFacts(config: ServiceConfig | undefined): Promise<object> {
  return {
    interfaces: networkInterfaces(),
    connectivity: await readConnectivity(root, systemNetwork),
    resolvConf: ((await root.text("etc/resolv.conf")) ?? "").split("\n"),
    hosts: await resolved(config),
  };
}

/** Do the names of the Servers lead anywhere? */
async function resolved(config: ServiceConfig | undefined): Promise<readonly object[]> {
  const uris = [...(config?.servers ?? []), config?.stated.bootstrapServer].flatMap(
    (server) => server?.uri ?? [],
  );
  return Promise.all(
    uris.map(async (uri) => {
      const host = URL.canParse(uri) ? new URL(uri).hostname.replace(/^\[|\]$/g, "") : uri;
      try {
        return { host, addresses: (await lookup(host, { all: true })).map(({ address }) => address) };
      } catch (error) {
        return { host, failed: describeError(error) };
      }
    }),
  );
}

// ---- Programs ------------------------------------------------------------------------------------------------------

/** Bounded, the newest lines: the journal of a device that has run for months is long. */
const journalLimits = { lines: 4000, size: 2 * 1024 * 1024, length: 4096 };

/** Of the agent and its helper. @throws Error when there is no journal, or none for this user */
export async function journal(clock: Clock): Promise<string> {
  const recent = createRecentLines(journalLimits);
  const { exitCode, reason } = await runProgram("journalctl", {
    arguments: [
      ...["--no-pager", "--quiet", "--output=short-iso", `--lines=${journalLimits.lines}`],
      ...["--unit=lwm2m-agent.service", "--unit=lwm2m-agent-helper.service"],
    ],
    timeLimit: patience,
    clock,
    onLine: (line, stream) => stream === "output" && recent.add(line),
  });
  if (exitCode !== 0) throw new Error(`journalctl: ${reason}`);
  const lines = recent.all();
  if (lines.length === 0) throw new Error("the journal shows this user nothing of lwm2m-agent: try as root");
  return lines.map((line) => `${line}\n`).join("");
}

export interface ProgramFact {
  readonly name: string;
  /** undefined where there is no such program. */
  run(clock: Clock): Promise<string | undefined>;
}

const program = (name: string, path: string, ...words: readonly string[]): ProgramFact => ({
  name,
  async run(clock) {
    try {
      const end = await runProgram(path, { arguments: words, timeLimit: patience, clock });
      return `${end.output}${end.exitCode === 0 ? "" : `\n(${describeEnd(end)}) ${end.reason}\n`}`;
    } catch (error) {
      if (error instanceof ProgramError && error.kind === "not-started") return undefined;
      throw error;
    }
  },
});

export const programFacts: readonly ProgramFact[] = [
  program(
    "units",
    "systemctl",
    ...["status", "--no-pager", "--full", "--lines=0"],
    ...["lwm2m-agent.service", "lwm2m-agent-helper.socket", "lwm2m-agent-helper.service"],
  ),
  program("failed-units", "systemctl", "--no-pager", "--failed"),
  program("rauc-version", "rauc", "--version"),
  program("rauc-status", "rauc", "status", "--detailed"),
  program("swupdate-version", "swupdate", "--version"),
];
