/** `lwm2m-agent status`: what the running service is doing. */
import { setTimeout as wait } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { type ConnectionFlags, print, printJson, withConnection, withService } from "./service-client.js";
import { renderStatus } from "./status-view.js";

interface StatusFlags extends ConnectionFlags {
  readonly watch: boolean;
}

const watchInterval = 1000;

export const statusCommand: CommandModule<object, StatusFlags> = {
  command: "status",
  describe: "Show what the running agent is doing",
  builder: (yargs) =>
    withConnection(yargs)
      .usage(
        "$0 status\n\nWhere the device is registered, since when, and what an update is doing. The exit code is 0 when the\n" +
          "agent answered, 2 when it did not.",
      )
      .option("watch", {
        type: "boolean",
        default: false,
        alias: "w",
        describe: "Show it anew each second, until Ctrl-C",
      })
      .example("$0 status --watch", "Follow a firmware update")
      .example("$0 status --json | jq .servers", "For programs: fields are added, never changed") as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      let drawn = 0;
      for (;;) {
        const status = await client.ask<"status">({ method: "status" });
        if (flags.json) {
          if (flags.watch) print(JSON.stringify(status));
          else printJson(status);
        } else {
          const up = flags.watch && drawn > 0 && process.stdout.isTTY ? `\u001b[${drawn}A\u001b[J` : "";
          const lines = renderStatus(status, new Date());
          process.stdout.write(`${up}${lines.map((line) => `${line}\n`).join("")}`);
          drawn = lines.length;
        }
        if (!flags.watch) return;
        await wait(watchInterval);
      }
    }),
};
