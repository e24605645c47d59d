/** The command line. Each command stands in a file of its own; what they do lives in the layers below. */
import yargs, { type CommandModule } from "yargs";
import { hideBin } from "yargs/helpers";
import { keepHeapSmall } from "../../platform/small-heap.js";
import { commandNames, commands, findCommand } from "./commands.js";
import { describeFailure, exitCodes } from "./failure.js";
import { programVersion } from "./version.js";

/** Runs the command that the words of the command line name. */
export async function main(): Promise<void> {
  const words = hideBin(process.argv);
  const chosen = findCommand(words[0]);
  const completes = words.includes("--get-yargs-completions");
  /** The one that is used as it is; of the others their line in the help. */
  const modules: readonly CommandModule[] = await Promise.all(
    commands.map(async (entry) =>
      entry === chosen || completes
        ? await entry.load()
        : { command: entry.command, describe: entry.describe, handler: () => undefined },
    ),
  );

  keepHeapSmall();
  await modules
    .reduce((parser, module) => parser.command(module), yargs(words))
    .scriptName("lwm2m-agent")
    .usage("$0 <command>\n\nLwM2M device agent: firmware updates and device management for embedded Linux.")
    .completion("completion", "Print a completion script for bash or zsh")
    .demandCommand(1, `Say what to do: ${commandNames.join(", ")} or completion.`)
    .strict()
    .recommendCommands()
    .version(programVersion())
    .alias("help", "h")
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .example("$0 run --server coap://lwm2m.example.com", "Register this device, and stay registered")
    .example("sudo $0 init", "Write /etc/lwm2m-agent/agent.yaml, asking a few questions")
    .epilogue("Each command has a --help of its own, with examples.")
    .fail((message, error) => {
      // yargs gives either its own message, about the command line, or what a command threw.
      process.stderr.write(
        error === undefined || error === null
          ? `lwm2m-agent: ${sentenceOf(message)}\nTry: ${commandOf(words)} --help\n`
          : `lwm2m-agent: ${describeFailure(error)}\n`,
      );
      process.exit(exitCodes.usage);
    })
    .parseAsync();
}

/** What to ask for help, as far as the words name a command. */
const commandOf = (words: readonly string[]): string =>
  [
    "lwm2m-agent",
    ...(findCommand(words[0]) === undefined
      ? []
      : words.slice(0, 2).filter((word) => /^[a-z][a-z-]*$/.test(word))),
  ].join(" ");

/** yargs counts words and breaks lines; a person wants one sentence. */
const sentenceOf = (message: string): string =>
  message.startsWith("Not enough non-option arguments")
    ? "An argument is missing."
    : message.replace(/\s*\n\s*/g, " ");
