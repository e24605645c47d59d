/** A passphrase comes from a file or from a person at a terminal, never from the command line, which everybody can see. */
import { readFile } from "node:fs/promises";
import { describeError } from "../../platform/system-error.js";
import { ConfigError } from "../model/errors.js";

/** The terminal, as far as it is needed. */
export interface PassphraseTerminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WritableStream;
}

const processTerminal: PassphraseTerminal = { input: process.stdin, output: process.stderr };

/** @throws ConfigError when there is no such file, or nothing in its first line */
export async function readPassphrase(path: string): Promise<string> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`--passphrase-file ${path} cannot be read: ${describeError(cause)}`, { cause });
  }
  const [line = ""] = content.split(/\r?\n/);
  if (line === "") throw new ConfigError(`--passphrase-file ${path}: its first line is empty`);
  return line;
}

const keys = { enter: "\r", newLine: "\n", interrupt: "\u0003", end: "\u0004", erase: "\u007f", back: "\b" };

/**
 * Asks without showing what is typed.
 * @throws ConfigError when there is no terminal, or when the person gives up
 */
export async function askPassphrase(
  question: string,
  { input, output }: PassphraseTerminal = processTerminal,
): Promise<string> {
  if (!input.isTTY) {
    throw new ConfigError("there is no terminal to ask for the passphrase: give it by --passphrase-file");
  }
  output.write(question);
  input.setRawMode(true);
  input.setEncoding("utf8");
  try {
    const typed: string[] = [];
    for await (const piece of input.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
      const characters = [...piece];
      for (const [index, key] of characters.entries()) {
        if (key === keys.enter || key === keys.newLine) {
          const ahead = characters.slice(index + 1).join(""); // belongs to the next question
          if (ahead !== "") input.unshift(ahead);
          return checked(typed.join(""));
        }
        if (key === keys.interrupt || key === keys.end)
          throw new ConfigError("stopped: no passphrase was given");
        if (key === keys.erase || key === keys.back) typed.pop();
        else typed.push(key);
      }
    }
    throw new ConfigError("stopped: no passphrase was given");
  } finally {
    input.setRawMode(false);
    input.pause();
    output.write("\n");
  }
}

function checked(passphrase: string): string {
  if (passphrase === "") throw new ConfigError("an empty passphrase protects nothing");
  return passphrase;
}
