#!/usr/bin/env node
/** The command line. Each command stands in a file of its own; what they do lives in the layers below. */
import { readFileSync } from "node:fs";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { jobsCommand } from "../../jobs/cli.js";
import { keepHeapSmall } from "../../platform/small-heap.js";
import { describeFailure, exitCodes } from "./failure.js";
import { firmwareCommand } from "./firmware.js";
import { simulateCommand } from "./simulate.js";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const arguments_ = hideBin(process.argv);

/** What to ask for help, as far as the words name a command. */
const commandOf = (words: readonly string[]): string => {
  const isCommand = ["simulate", "jobs", "firmware"].includes(words[0] ?? "");
  return [
    "lwm2m-agent",
    ...(isCommand ? words.slice(0, 2).filter((word) => /^[a-z][a-z-]*$/.test(word)) : []),
  ].join(" ");
};

/** yargs counts words and breaks lines; a person wants one sentence. */
const sentenceOf = (message: string): string =>
  message.startsWith("Not enough non-option arguments")
    ? "An argument is missing."
    : message.replace(/\s*\n\s*/g, " ");

keepHeapSmall();
await yargs(arguments_)
  .scriptName("lwm2m-agent")
  .usage("$0 <command>\n\nLwM2M device agent: firmware updates and device management for embedded Linux.")
  .command(simulateCommand)
  .command(jobsCommand)
  .command(firmwareCommand)
  .demandCommand(1, "Say what to do: simulate, jobs or firmware.")
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
        ? `lwm2m-agent: ${sentenceOf(message)}\nTry: ${commandOf(arguments_)} --help\n`
        : `lwm2m-agent: ${describeFailure(error)}\n`,
    );
    process.exit(exitCodes.usage);
  })
  .parseAsync();
