#!/usr/bin/env node
/** The command line. Each command stands in a file of its own; what they do lives in the layers below. */
import { readFileSync } from "node:fs";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { jobsCommand } from "../../jobs/cli.js";
import { keepHeapSmall } from "../../platform/small-heap.js";
import { describeFailure, exitCodes } from "./failure.js";
import { simulateCommand } from "./simulate.js";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

keepHeapSmall();
await yargs(hideBin(process.argv))
  .scriptName("lwm2m-agent")
  .usage("$0 <command>\n\nLwM2M device agent: firmware updates and device management for embedded Linux.")
  .command(simulateCommand)
  .command(jobsCommand)
  .demandCommand(1, "Say what to do: simulate or jobs.")
  .strict()
  .recommendCommands()
  .version(version)
  .alias("help", "h")
  .wrap(Math.min(110, process.stdout.columns ?? 110))
  .epilogue("Each command has a --help of its own, with examples.")
  .fail((message, error) => {
    // yargs gives either its own message, about the command line, or what a command threw.
    process.stderr.write(
      error === undefined || error === null
        ? `lwm2m-agent: ${message}\nTry: lwm2m-agent --help\n`
        : `lwm2m-agent: ${describeFailure(error)}\n`,
    );
    process.exit(exitCodes.usage);
  })
  .parseAsync();
