/**
 * The environment of U-Boot, through `fw_printenv` and `fw_setenv`. Two families of these programs are in the field, U-Boot's
 * own ("classic") and libubootenv, which differ in how they take several variables at once, in what they say of a variable
 * that is not there, and in what they do with an environment that they cannot read.
 */
import { readFile } from "node:fs/promises";
import { type Clock, type Finding, seconds } from "../../agent/ports.js";
import { runProgram } from "../exec/program.js";
import { describeError } from "../system-error.js";

export interface BootEnvironmentOptions {
  readonly clock: Clock;
  /** `fw_printenv` when not given. */
  readonly printProgram?: string;
  /** `fw_setenv` when not given. */
  readonly setProgram?: string;
  /** Where the copies are (`-c`); the program's own when not given, /etc/fw_env.config. */
  readonly configuration?: string;
  /**
   * Initial content for an environment that cannot be read (`-f`, libubootenv only). Not given: neither read nor written
   * then, which is right wherever the boot loader has written it once.
   */
  readonly defaults?: string;
}

/** A variable with its new value; undefined deletes it. */
export type BootVariables = Readonly<Record<string, string | undefined>>;

export interface BootEnvironment {
  /**
   * The values of these variables. What is missing or empty is undefined: U-Boot does not tell them apart.
   * @throws BootEnvironmentError when the environment cannot be read
   */
  read<Name extends string>(names: readonly Name[]): Promise<Readonly<Record<Name, string | undefined>>>;
  /**
   * Changes several variables in one write, durably, and reads them back. Nothing is written where all is as it should be.
   * @throws BootEnvironmentError when they are not there afterwards
   */
  write(changes: BootVariables): Promise<void>;
  check(): Promise<readonly Finding[]>;
}

/** The environment cannot be read or written; the message says what the program said. */
export class BootEnvironmentError extends Error {
  override readonly name = "BootEnvironmentError";
}

/**
 * How the lines of a script look: `name value` and `name value=` are not what the other family takes.
 * classic first: libubootenv ignores its lines without a word, while the classic program takes `name=value` for the name of
 * a variable, finds `name`, and deletes it, since no value follows.
 */
const scriptForms: readonly ((name: string, value: string | undefined) => string)[] = [
  (name, value) => (value === undefined ? name : `${name} ${value}`),
  (name, value) => `${name}=${value ?? ""}`,
];

const timeLimit = seconds(30);
const defaultConfiguration = "/etc/fw_env.config";
/** What both families say on standard error before they go on with something that is not the environment. */
const notTheEnvironment = /using default|bad crc/i;
/** classic, of one missing variable among several: no reason to doubt the others. */
const notDefined = /"[^"]*" not defined/;

export function createBootEnvironment(options: BootEnvironmentOptions): BootEnvironment {
  const { clock, printProgram = "fw_printenv", setProgram = "fw_setenv", configuration, defaults } = options;
  /** Known after the first write that arrived. */
  let form: (typeof scriptForms)[number] | undefined;

  const common = [
    ...(configuration === undefined ? [] : ["-c", configuration]),
    ...(defaults === undefined ? [] : ["-f", defaults]),
  ];

  async function run(program: string, words: readonly string[], input?: Uint8Array) {
    const errors: string[] = [];
    try {
      const result = await runProgram(program, {
        clock,
        timeLimit,
        arguments: [...common, ...words],
        ...(input && { input }),
        onLine: (line, stream) => {
          if (stream === "error" && errors.length < 100) errors.push(line);
        },
      });
      return { ...result, errors };
    } catch (cause) {
      throw new BootEnvironmentError(describeError(cause), { cause });
    }
  }

  async function read<Name extends string>(names: readonly Name[]) {
    for (const name of names) checkName(name);
    const { exitCode, output, errors, reason } = await run(printProgram, names);
    const doubt = defaults === undefined ? errors.find((line) => notTheEnvironment.test(line)) : undefined;
    // classic ends with 1 where a variable is missing, as it does where nothing can be read; libubootenv with 0.
    const isRead = exitCode === 0 || (exitCode === 1 && errors.some((line) => notDefined.test(line)));
    if (doubt !== undefined || !isRead) {
      throw new BootEnvironmentError(
        `the boot environment cannot be read: ${doubt ?? said(reason, exitCode)}`,
      );
    }
    const lines = new Map<string, string>();
    for (const line of output.split("\n")) {
      const end = line.indexOf("=");
      if (end > 0 && !lines.has(line.slice(0, end))) lines.set(line.slice(0, end), line.slice(end + 1));
    }
    return Object.fromEntries(names.map((name) => [name, lines.get(name) || undefined])) as Record<
      Name,
      string | undefined
    >;
  }

  async function differing(changes: BootVariables): Promise<string | undefined> {
    const found = await read(Object.keys(changes));
    return Object.keys(changes).find((name) => found[name] !== changes[name]);
  }

  async function write(changes: BootVariables): Promise<void> {
    for (const [name, value] of Object.entries(changes)) checkVariable(name, value);
    // Each write wears the flash, and a power cut cannot hurt what is not written.
    let missing = await differing(changes);
    if (missing === undefined) return;
    for (const candidate of form === undefined ? scriptForms : [form]) {
      const lines = Object.entries(changes).map(([name, value]) => `${candidate(name, value)}\n`);
      const { exitCode, reason } = await run(setProgram, ["-s", "-"], Buffer.from(lines.join("")));
      if (exitCode !== 0) {
        throw new BootEnvironmentError(`the boot environment cannot be written: ${said(reason, exitCode)}`);
      }
      missing = await differing(changes);
      if (missing === undefined) {
        form = candidate;
        return;
      }
    }
    throw new BootEnvironmentError(`${setProgram} reported success, but ${missing} has not changed`);
  }

  async function check(): Promise<readonly Finding[]> {
    return [...(await checkCopies(configuration ?? defaultConfiguration)), ...(await checkReading(read))];
  }

  return { read, write, check };
}

/** `device offset size …`, one line per copy. */
async function checkCopies(path: string): Promise<readonly Finding[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    return [
      {
        level: "error",
        found: `${path}, which says where the boot environment is, cannot be read: ${describeError(error)}`,
        remedy:
          "install it with the boot loader's tools, or name another file in the configuration of the board",
      },
    ];
  }
  const copies = text.split("\n").filter((line) => /^\s*[^#\s]/.test(line));
  if (copies.length >= 2) return [];
  return [
    copies.length === 0
      ? {
          level: "error",
          found: `${path} names no copy of the boot environment`,
          remedy: "add a line `device offset size` for each copy",
        }
      : {
          level: "warning",
          found: `${path} names one copy of the boot environment: a power cut while it is written loses it`,
          remedy: "build the boot loader with a redundant environment and name both copies",
        },
  ];
}

async function checkReading(read: BootEnvironment["read"]): Promise<readonly Finding[]> {
  try {
    await read(["bootdelay"]);
    return [];
  } catch (error) {
    return [
      {
        level: "error",
        found: describeError(error),
        remedy:
          "install fw_printenv and fw_setenv (Debian: libubootenv-tool) and give the agent the right to read and write the device",
      },
    ];
  }
}

const said = (reason: string, exitCode: number | undefined) =>
  reason === "" ? `the program ended with ${exitCode ?? "a signal"}` : reason;

function checkName(name: string): void {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name))
    throw new RangeError(`"${name}" is no name of a boot variable`);
}

/**
 * Values can be code of the boot loader, so only plain words are written; none that one of the families would read in
 * another way (a `=`, a comment, blanks at an end).
 */
function checkVariable(name: string, value: string | undefined): void {
  checkName(name);
  if (value !== undefined && !/^[A-Za-z0-9_.:/@-]+( [A-Za-z0-9_.:/@-]+)*$/.test(value)) {
    throw new RangeError(`"${value}" is no value that is written to the boot variable ${name}`);
  }
}
