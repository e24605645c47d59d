/** `lwm2m-agent run`: the service. */
import type { CommandModule } from "yargs";
import { keepHeapSmall } from "../../platform/small-heap.js";
import { runService } from "../service/service.js";
import { type ConfigFlags, configSources, withConfigFlags } from "./config-flags.js";
import { programIdentity } from "./version.js";

export const runCommand: CommandModule<object, ConfigFlags> = {
  command: "run",
  describe: "Run the agent of this device",
  builder: (yargs) =>
    withConfigFlags(yargs)
      .usage(
        "$0 run\n\n" +
          "Registers this device with its Servers and serves them until it is told to stop: SIGTERM de-registers and\n" +
          "ends, SIGHUP reads the configuration again. Flags come before the environment (LWM2M_AGENT_LOG_LEVEL …),\n" +
          "this before the file.",
      )
      .example("$0 run", "As /etc/lwm2m-agent/agent.yaml says")
      .example(
        "$0 run --server coap://lwm2m.example.com --endpoint-name pump-7",
        "Quick start: no file at all",
      )
      .example(
        "$0 run --server coap://localhost --board simulated",
        "A device to play with: takes simulated firmware",
      )
      .example("LWM2M_AGENT_LOG_LEVEL=debug $0 run", "With all of the log, once")
      .epilogue(
        "Exit codes: 0 stopped, 1 broken, 65 the state folder is of a newer version, 69 another agent has the state\n" +
          "folder, 73 a folder cannot be written to, 78 the configuration is wrong. `lwm2m-agent check` says what is\n" +
          "wrong before it goes wrong.",
      ) as never, // yargs cannot say that the flags are all there
  handler: (flags) => runAgent(flags),
};

/** Runs the agent until it is told to stop, and ends the process with it. */
export async function runAgent(flags: Partial<ConfigFlags>): Promise<never> {
  keepHeapSmall();
  const exitCode = await runService({
    sources: configSources(flags),
    ...programIdentity(),
    complain: (text) => process.stderr.write(`lwm2m-agent: ${text}\n`),
  });
  process.exit(exitCode); // whatever timers a plugin has forgotten
}
