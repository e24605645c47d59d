/** `lwm2m-agent hold` and `release`: the operator's word on when updates may be installed. */
import type { CommandModule } from "yargs";
import { ConfigError } from "../model/errors.js";
import { type ConnectionFlags, print, printJson, withConnection, withService } from "./service-client.js";

interface HoldFlags extends ConnectionFlags {
  readonly reason: string;
  readonly until: string | undefined;
}

export const holdCommand: CommandModule<object, HoldFlags> = {
  command: "hold",
  describe: "Let no update be installed for now",
  builder: (yargs) =>
    withConnection(yargs)
      .usage(
        "$0 hold --reason <text>\n\n" +
          "Packages are still downloaded and verified; an update that a Server orders waits until the hold is over. It\n" +
          "outlasts restarts of the agent and of the device.",
      )
      .option("reason", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "Why, for the log and for `status`",
      })
      .option("until", {
        type: "string",
        requiresArg: true,
        describe:
          "When it ends: a time as 2026-12-01T06:00:00Z, or a span as 30min, 8h, 2d; else with `release`",
      })
      .example(
        '$0 hold --reason "season of the harvest" --until 2026-10-15',
        "Until a day, in the morning (UTC)",
      )
      .example('$0 hold --reason "technician at work" --until 2h', "For two hours") as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      const until = flags.until === undefined ? null : timeOf(flags.until, new Date()).toISOString();
      const { replaced } = await client.ask<"hold">({ method: "hold", reason: flags.reason, until });
      if (flags.json) return printJson({ reason: flags.reason, until, replaced });
      print(
        `Updates are held ${until === null ? "until lwm2m-agent release" : `until ${until}`}: ${flags.reason}`,
      );
      if (replaced !== null) print(`Before, they were ${replaced}`);
    }),
};

export const releaseCommand: CommandModule<object, ConnectionFlags> = {
  command: "release",
  describe: "Let updates be installed again",
  builder: (yargs) =>
    withConnection(yargs)
      .usage("$0 release\n\nEnds a hold; an update that waits for it goes on at once.")
      .example("$0 release", "After `lwm2m-agent hold`") as never,
  handler: (flags) =>
    withService(flags, async (client) => {
      const result = await client.ask<"release">({ method: "release" });
      if (flags.json) printJson(result);
      else
        print(
          result.held === null
            ? "Nothing was held."
            : `Updates may be installed again. They were ${result.held}`,
        );
    }),
};

const spanUnits: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** @throws ConfigError when it is neither a time nor a span */
export function timeOf(text: string, now: Date): Date {
  const [, amount, unit] = /^(\d{1,6}) ?(s|min|h|d)$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) {
    return new Date(now.getTime() + Number(amount) * (spanUnits[unit] ?? 0));
  }
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new ConfigError(`--until ${text}: give a time as 2026-12-01T06:00:00Z, or a span as 30min, 8h, 2d`);
  }
  return date;
}
