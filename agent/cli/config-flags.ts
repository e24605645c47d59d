/** The flags that stand for keys of the configuration, shared by the commands that read it. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Argv } from "yargs";
import type { Surroundings } from "../config/defaults.js";
import type { Override } from "../config/override.js";
import type { KeyPath } from "../config/problem.js";
import type { ConfigSources } from "../config/sources.js";

export interface ConfigFlags {
  readonly config: string | undefined;
  readonly server: readonly string[];
  readonly bootstrap: string | undefined;
  readonly "endpoint-name": string | undefined;
  readonly board: string | undefined;
  readonly plugin: readonly string[];
  readonly object: readonly string[];
  readonly "state-directory": string | undefined;
  readonly "cache-directory": string | undefined;
  readonly "runtime-directory": string | undefined;
  readonly "log-level": string | undefined;
  readonly "log-format": string | undefined;
}

const text = (describe: string) => ({ type: "string", requiresArg: true, describe }) as const;
const texts = (describe: string) =>
  ({ type: "string", array: true, nargs: 1, default: [] as string[], describe }) as const;

export const withConfigFlags = <T>(yargs: Argv<T>) =>
  yargs
    .option("config", text("Configuration file; /etc/lwm2m-agent/agent.yaml when left out"))
    .option("server", texts("Register with this Server: coap://host[:port]"))
    .option("bootstrap", text("Ask this Bootstrap-Server for Servers: coap://host[:port]"))
    .option("endpoint-name", text("What Servers know this device by"))
    .option("board", text("How this device takes firmware: the type of board"))
    .option("plugin", texts("Load a plugin module"))
    .option("object", texts("Add an Object: its number, or a definition file of the OMA registry"))
    .option("state-directory", text("Where durable records are kept"))
    .option("cache-directory", text("Where packages are kept until they are installed"))
    .option("runtime-directory", text("Where the control socket is"))
    .option("log-level", text("debug, info, warn, error or silent"))
    .option("log-format", text("json, journal, pretty or auto"));

/** Values are checked with those of the file, so that messages name the flag. */
export function overridesOfFlags(flags: Partial<ConfigFlags>): readonly Override[] {
  const overrides: Override[] = [];
  const set = (flag: string, path: KeyPath, value: unknown) =>
    overrides.push({ path, value, source: `the flag --${flag}` });
  const { server = [], plugin = [], object = [] } = flags;
  if (server.length > 0) {
    set(
      "server",
      ["servers"],
      server.map((uri) => ({ uri })),
    );
  }
  if (flags.bootstrap !== undefined) set("bootstrap", ["bootstrapServer"], { uri: flags.bootstrap });
  const single: readonly (readonly [keyof ConfigFlags, KeyPath])[] = [
    ["endpoint-name", ["endpointName"]],
    ["state-directory", ["directories", "state"]],
    ["cache-directory", ["directories", "cache"]],
    ["runtime-directory", ["directories", "runtime"]],
    ["log-level", ["log", "level"]],
    ["log-format", ["log", "format"]],
  ];
  for (const [flag, path] of single) if (flags[flag] !== undefined) set(flag, path, flags[flag]);
  if (flags.board !== undefined) set("board", ["board"], { type: flags.board });
  if (plugin.length > 0) set("plugin", ["plugins"], plugin.map(fromHere));
  if (object.length > 0) {
    set(
      "object",
      ["objects"],
      object.map((each) => (/^\d+$/.test(each) ? Number(each) : fromHere(each))),
    );
  }
  return overrides;
}

/** A path of the command line counts from where the command was given, not from the file. */
const fromHere = (path: string): string => (path.startsWith("/") ? path : `${process.cwd()}/${path}`);

export const configSources = (flags: Partial<ConfigFlags>): ConfigSources => ({
  file: flags.config,
  flags: overridesOfFlags(flags),
  surroundings: surroundings(),
});

export const surroundings = (): Surroundings => ({
  env: process.env,
  uid: process.getuid?.() ?? 0,
  hostname: hostname(),
  machineId: machineId(),
});

function machineId(): string {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim();
  } catch {
    return "";
  }
}
