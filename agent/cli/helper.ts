/** `lwm2m-agent helper`: the privileged side of the service. */
import type { CommandModule } from "yargs";
import { runHelper } from "../service/helper.js";
import { type ConfigFlags, configSources, withConfigFlags } from "./config-flags.js";

interface HelperFlags extends ConfigFlags {
  readonly socket: string | undefined;
}

export const helperCommand: CommandModule<object, HelperFlags> = {
  command: "helper",
  describe: "Do for the agent what needs root",
  builder: (yargs) =>
    withConfigFlags(yargs)
      .usage(
        "$0 helper\n\n" +
          "Writes partitions, mounts and restarts for an agent that has no rights: with the calls of a board and no others,\n" +
          "and only packages that it has verified itself. systemd starts it by lwm2m-agent-helper.socket, and it ends when\n" +
          "nobody has asked for a minute.",
      )
      .option("socket", {
        type: "string",
        requiresArg: true,
        describe: "Listen there where no socket unit starts it; /run/lwm2m-agent-helper.sock when left out",
      })
      .example("systemctl enable --now lwm2m-agent-helper.socket", "How it is meant to be started")
      .epilogue("Exit codes: 0 stopped or idle, 1 broken, 78 the configuration is wrong.") as never, // as in run.ts
  handler: async (flags) => {
    const exitCode = await runHelper({
      sources: configSources(flags),
      socket: flags.socket,
      complain: (text) => process.stderr.write(`lwm2m-agent: ${text}\n`),
    });
    process.exit(exitCode);
  },
};
