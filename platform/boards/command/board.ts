/**
 * A board whose steps are programs of the operator's: for whatever has no board of its own here. Only `apply` must be there;
 * docs/firmware.md says what each is told, and what its exit codes mean.
 */
import { createReadStream } from "node:fs";
import {
  type ApplyOptions,
  type Board,
  type BoardDescription,
  BusyError,
  type Clock,
  type Finding,
  type ImageFile,
  type Log,
  PackageError,
  type PackageInfo,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { checkExecutable } from "../../exec/executable.js";
import { ProgramError, type ProgramResult, runProgram } from "../../exec/program.js";
import { imageVariables, packageVariables, type Variables } from "../../exec/update-variables.js";
import { readBootId } from "../../linux/boot-id.js";
import { describeError } from "../../system-error.js";
import { createRestart, type RestartOptions } from "../restart.js";
import { type DescriptionSources, describeBoard } from "./description.js";
import { type Fields, parseFields, parseProgress } from "./output.js";
import { type Command, type CommandStep, judge, timeLimits } from "./steps.js";

export interface CommandBoardOptions {
  /** The steps that are programs. Without `apply` there is nothing to update. */
  readonly commands: Readonly<Partial<Record<CommandStep, Command>>> & { readonly apply: Command };
  /** What the board is; what is not said comes from the step `describe`, the device tree and os-release. */
  readonly description?: DescriptionSources;
  /** `/` when not given: where device tree and os-release are. */
  readonly root?: string;
  readonly bootIdFile?: string;
  /** Where no program does it; by systemctl when not given. */
  readonly restart?: RestartOptions;
  readonly clock: Clock;
  readonly log: Log;
}

export const createCommandBoard = (options: CommandBoardOptions): Board => new CommandBoard(options);

/** Of what a program says beside its progress, per run. */
const maximumLoggedLines = 200;

class CommandBoard implements Board {
  readonly name = "command";
  readonly #options: CommandBoardOptions;
  readonly #closing = new AbortController();
  /** What is being changed now. */
  #changing: CommandStep | undefined;
  #description: Promise<BoardDescription> | undefined;
  /** The last package that the program found good, so that `apply` can name it. */
  #inspected: { readonly sha256: string; readonly info: PackageInfo } | undefined;

  constructor(options: CommandBoardOptions) {
    this.#options = options;
  }

  bootId(): Promise<string> {
    return readBootId(this.#options.bootIdFile);
  }

  describe(): Promise<BoardDescription> {
    this.#description ??= this.#describe();
    return this.#description;
  }

  async inspect(image: ImageFile, options: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    const { signal } = options;
    signal.throwIfAborted();
    const command = this.#options.commands.inspect;
    if (command === undefined) return { name: "firmware", version: "" };
    const result = await this.#run("inspect", command, imageVariables(image), { signal, image });
    judge("inspect", command, result);
    const info = packageInfoOf(command, result);
    this.#inspected = { sha256: image.sha256, info };
    return info;
  }

  apply(image: ImageFile, options: ApplyOptions): Promise<"restart" | "running"> {
    return this.#change("apply", async () => {
      const { signal, attempt } = options;
      const { apply } = this.#options.commands;
      const info =
        this.#inspected?.sha256 === image.sha256 ? this.#inspected.info : await this.inspect(image, options);
      const variables = {
        ...imageVariables(image),
        ...packageVariables(info),
        LWM2M_ATTEMPT: attempt,
        LWM2M_PREVIOUS_VERSION: (await this.describe()).firmwareVersion,
      };
      const progress = rising(options.progress);
      const result = await this.#run("apply", apply, variables, { signal, image, progress });
      const judgement = judge("apply", apply, result);
      progress(1);
      return judgement === "restart" ? "restart" : "running";
    });
  }

  async outcome(attempt: UpdateAttempt): Promise<"new" | "old" | "unknown"> {
    const { commands, log } = this.#options;
    const command = commands.outcome;
    if (command === undefined) return compareVersions(attempt, (await this.describe()).firmwareVersion);
    const variables = {
      ...imageVariables(attempt.image),
      ...packageVariables(attempt.package),
      LWM2M_ATTEMPT: attempt.id,
      LWM2M_PREVIOUS_VERSION: attempt.previousVersion,
      LWM2M_PREVIOUS_BOOT_ID: attempt.bootId,
    };
    const { exitCode, output, reason } = await this.#run("outcome", command, variables);
    const word = output.trim();
    if (exitCode === 0 && (word === "new" || word === "old" || word === "unknown")) return word;
    log.warn("outcome unclear", { program: command.program, exitCode, output: word.slice(0, 100), reason });
    return "unknown";
  }

  async commit(): Promise<void> {
    const { commit } = this.#options.commands;
    if (commit === undefined) return; // the image that was written last is the one that starts
    await this.#change("commit", async () => judge("commit", commit, await this.#run("commit", commit)));
  }

  async revert(): Promise<"restart" | "done"> {
    const { revert } = this.#options.commands;
    if (revert === undefined)
      throw new Error("the previous image cannot come back: there is no program for the step revert");
    return this.#change("revert", async () => judge("revert", revert, await this.#run("revert", revert)));
  }

  async restart(): Promise<void> {
    const { commands, restart = { by: "systemctl" }, clock } = this.#options;
    if (commands.restart === undefined) return createRestart(restart, clock)();
    judge("restart", commands.restart, await this.#run("restart", commands.restart));
  }

  async factoryReset(): Promise<void> {
    const command = this.#options.commands["factory-reset"];
    if (command === undefined) throw new Error("there is no program for the step factory-reset");
    const judgement = await this.#change("factory-reset", async () =>
      judge("factory-reset", command, await this.#run("factory-reset", command)),
    );
    if (judgement === "restart") await this.restart();
  }

  async check(): Promise<readonly Finding[]> {
    const { commands } = this.#options;
    const steps = Object.entries(commands) as [CommandStep, Command][];
    const findings = await Promise.all(
      steps.map(([step, { program }]) => checkExecutable(program, `the program of the step ${step}`)),
    );
    return [...findings.flat(), ...missingSteps(commands)];
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the agent is closing"));
  }

  async #describe(): Promise<BoardDescription> {
    const { commands, description = {}, root = "/" } = this.#options;
    return describeBoard(description, await this.#printed(commands.describe), root);
  }

  /** A program that fails leaves the description to the others: the board must be manageable all the same. */
  async #printed(command: Command | undefined): Promise<Fields> {
    if (command === undefined) return new Map();
    try {
      const result = await this.#run("describe", command);
      judge("describe", command, result);
      return parseFields(result.output);
    } catch (error) {
      this.#description = undefined; // it may work the next time
      this.#options.log.warn("board not described", {
        program: command.program,
        reason: describeError(error),
      });
      return new Map();
    }
  }

  /** One change at a time: two installers at once destroy a slot. */
  async #change<T>(step: CommandStep, work: () => Promise<T>): Promise<T> {
    if (this.#changing !== undefined) throw new BusyError(`the step ${this.#changing} is under way`);
    this.#changing = step;
    try {
      return await work();
    } finally {
      this.#changing = undefined;
      this.#description = undefined; // another version may run now
    }
  }

  /** @throws PackageError `failed` when the program could not be run to its end */
  async #run(
    step: CommandStep,
    command: Command,
    variables: Variables = {},
    options: {
      readonly signal?: AbortSignal;
      readonly image?: ImageFile;
      readonly progress?: ApplyOptions["progress"];
    } = {},
  ): Promise<ProgramResult> {
    const { image, progress } = options;
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal ? [options.signal] : [])]);
    signal.throwIfAborted();
    try {
      return await runProgram(command.program, {
        clock: this.#options.clock,
        timeLimit: command.timeLimit ?? timeLimits[step],
        environment: { LWM2M_STEP: step, ...variables },
        signal,
        onLine: this.#listener(step, progress),
        progressFd: progress !== undefined,
        ...(command.arguments && { arguments: command.arguments }),
        ...(image && command.imageOnInput && { input: createReadStream(image.path) }),
      });
    } catch (cause) {
      if (signal.aborted) throw cause;
      const why =
        cause instanceof ProgramError ? cause.message : `the image cannot be read: ${describeError(cause)}`;
      throw new PackageError("failed", `the step ${step} could not be done: ${why}`, { cause });
    }
  }

  #listener(step: CommandStep, progress: ApplyOptions["progress"] | undefined) {
    let logged = 0;
    return (line: string, stream: "output" | "error" | "progress") => {
      const told = stream === "error" || progress === undefined ? undefined : parseProgress(line);
      if (told !== undefined) progress?.(told.fraction, told.message);
      else if (logged++ < maximumLoggedLines) this.#options.log.debug("program says", { step, line });
    };
  }
}

function packageInfoOf({ program }: Command, { output }: ProgramResult): PackageInfo {
  try {
    const fields = parseFields(output);
    const [name, version] = [fields.get("name") ?? "firmware", fields.get("version") ?? ""];
    if (version === "") throw new SyntaxError("there is no version");
    return { name, version };
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new PackageError("failed", `${program} did not say what the package is: ${cause.message}`, {
      cause,
    });
  }
}

/** Without a program that knows better. A package without version is told by the version that it replaced. */
function compareVersions(attempt: UpdateAttempt, running: string): "new" | "old" | "unknown" {
  const { package: wanted, previousVersion } = attempt;
  if (wanted.version !== "" && running === wanted.version) return "new";
  if (running === previousVersion) return "old";
  return wanted.version === "" ? "new" : "unknown";
}

/** A program that counts again from the start, or in two places, does not take back what was told. */
function rising(progress: ApplyOptions["progress"]): ApplyOptions["progress"] {
  let highest = 0;
  return (fraction, message) => {
    highest = Math.max(highest, fraction);
    progress(highest, message);
  };
}

function missingSteps(commands: CommandBoardOptions["commands"]): readonly Finding[] {
  const findings: Finding[] = [];
  if (commands.revert === undefined) {
    findings.push({
      level: "warning",
      found: "there is no program for the step revert: an image that does not work stays",
      remedy: "Name a program that lets the previous image start again",
    });
  }
  if (commands.inspect === undefined) {
    findings.push({
      level: "warning",
      found:
        "there is no program for the step inspect: a package for another board is found out while it is installed",
      remedy: "Name a program that prints the name and version of a package, or require signed packages",
    });
  }
  if (commands["factory-reset"] === undefined) {
    findings.push({
      level: "info",
      found: "there is no program for the step factory-reset: a Server that asks for it is refused",
      remedy: "",
    });
  }
  return findings;
}
