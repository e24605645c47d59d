/** Short commands that tell the running service something. */
import type { CommandModule } from "yargs";
import { logLevels } from "../control/protocol.js";
import { ConfigError } from "../model/errors.js";
import { exitCodes } from "./failure.js";
import { type ConnectionFlags, print, printJson, withConnection, withService } from "./service-client.js";

type LogLevel = (typeof logLevels)[number];

export const logLevelCommand: CommandModule<object, ConnectionFlags & { level?: LogLevel }> = {
  command: "log-level [level]",
  describe: "Show or change what the running agent logs",
  builder: (yargs) =>
    withConnection(yargs)
      .usage(
        "$0 log-level [level]\n\nChanges it until the agent is restarted; log.level in the configuration stays as it is.",
      )
      .positional("level", { choices: logLevels, describe: "From which level on; shown when left out" })
      .example("$0 log-level debug", "See every message, in: journalctl -fu lwm2m-agent")
      .example("$0 log-level info", "Back to normal") as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      const { level } = flags;
      if (level === undefined) {
        const { logLevel } = await client.ask<"status">({ method: "status" });
        if (flags.json) printJson({ logLevel });
        else print(logLevel);
        return;
      }
      const { before } = await client.ask<"logLevel">({ method: "logLevel", level });
      if (flags.json) printJson({ before, logLevel: level });
      else print(`The agent logs from ${level} on; before it was ${before}.`);
    }),
};

export const reloadCommand: CommandModule<object, ConnectionFlags> = {
  command: "reload",
  describe: "Have the running agent read its configuration again",
  builder: (yargs) =>
    withConnection(yargs)
      .usage(
        "$0 reload\n\nTakes over what can be changed while it runs, and says what needs a restart. The exit code is 1 when the\n" +
          "configuration is wrong: then the one from before stays in force.",
      )
      .example("$0 reload", "The same as: systemctl reload lwm2m-agent") as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      const result = await client.ask<"reload">({ method: "reload" });
      const { applied, needRestart, problems } = result;
      process.exitCode = problems.length === 0 ? exitCodes.success : exitCodes.failure;
      if (flags.json) return printJson(result);
      if (problems.length > 0)
        return print("Nothing is taken over:", ...problems.map((problem) => `  ${problem}`));
      print(applied.length === 0 ? "Nothing to take over." : `Taken over: ${applied.join(", ")}.`);
      if (needRestart.length > 0) {
        print(`After a restart only (systemctl restart lwm2m-agent): ${needRestart.join(", ")}.`);
      }
    }),
};

export const triggerUpdateCommand: CommandModule<object, ConnectionFlags & { server?: number }> = {
  command: "trigger-update [server]",
  describe: "Have the running agent tell its Servers now that it is there",
  builder: (yargs) =>
    withConnection(yargs)
      .usage(
        "$0 trigger-update [server]\n\nSends a registration Update at once, so that a Server sends what it keeps for the device.",
      )
      .positional("server", { type: "number", describe: "Short Server ID; all Servers when left out" })
      .example("$0 trigger-update", "To every Server that the device is registered with") as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      const { server } = flags;
      if (server !== undefined && !(Number.isInteger(server) && server >= 1 && server <= 65_534)) {
        throw new ConfigError("server is a Short Server ID, a whole number from 1 to 65534");
      }
      const result = await client.ask<"triggerUpdate">({
        method: "triggerUpdate",
        ...(server !== undefined && { shortServerId: server }),
      });
      if (flags.json) printJson(result);
      else print(`An Update goes to ${result.servers.map((id) => `Server ${id}`).join(", ")}.`);
    }),
};

export const metricsCommand: CommandModule<object, ConnectionFlags> = {
  command: "metrics",
  describe: "Print what monitoring collects, as OpenMetrics text",
  builder: (yargs) =>
    withConnection(yargs)
      .usage("$0 metrics")
      .example(
        "$0 metrics > /var/lib/prometheus/node-exporter/lwm2m-agent.prom",
        "For the textfile collector of node_exporter, from a timer",
      ) as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      const text = await client.ask<"metrics">({ method: "metrics" });
      if (flags.json) printJson({ openMetrics: text });
      else process.stdout.write(text);
    }),
};
