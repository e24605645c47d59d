/** Finds the running service, for the commands that ask it something. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Argv } from "yargs";
import { defaultDirectories } from "../config/defaults.js";
import { readConfig } from "../config/load.js";
import { type ControlClient, createControlClient } from "../control/client.js";
import { surroundings } from "./config-flags.js";

export interface ConnectionFlags {
  readonly socket: string | undefined;
  readonly config: string | undefined;
  readonly json: boolean;
}

export const withConnection = <T>(yargs: Argv<T>) =>
  yargs
    .option("socket", {
      type: "string",
      requiresArg: true,
      describe: "Control socket of the agent; found by its configuration when left out",
    })
    .option("config", {
      type: "string",
      requiresArg: true,
      describe: "Configuration file of the agent; /etc/lwm2m-agent/agent.yaml when left out",
    })
    .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" });

/** Opens, uses and closes a connection. */
export async function withService<T>(
  flags: ConnectionFlags,
  use: (client: ControlClient) => Promise<T>,
): Promise<T> {
  const client = createControlClient(await controlSocket(flags));
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

const systemSocket = "/run/lwm2m-agent/control.sock";

/** As the flag says, or the configuration; else that of the system's agent, or of this user's own. */
export async function controlSocket({ socket, config }: ConnectionFlags): Promise<string> {
  if (socket !== undefined) return socket;
  const here = surroundings();
  const result = await readConfig({ file: config, flags: [], surroundings: here });
  if ("config" in result) {
    const { control, directories } = result.config.stated;
    const stated = control?.socket ?? (directories?.runtime && join(directories.runtime, "control.sock"));
    if (stated !== undefined) return stated;
  }
  const own = join(defaultDirectories(here).runtime, "control.sock");
  return existsSync(own) ? own : systemSocket;
}

export const print = (...lines: readonly string[]): void =>
  void process.stdout.write(`${lines.join("\n")}\n`);

export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2));
