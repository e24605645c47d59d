/** What an installation does, one thing after the other: as data, so that it can be shown before it is done. */
import { mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describeEnd, ProgramError, runProgram } from "../../../platform/exec/program.js";
import { ConfigError } from "../../model/errors.js";
import { type Clock, seconds } from "../../ports.js";

export type Step =
  | { readonly do: "write"; readonly path: string; readonly content: string }
  | { readonly do: "remove"; readonly path: string }
  | { readonly do: "removeEmpty"; readonly path: string }
  | { readonly do: "removeAll"; readonly path: string }
  | {
      readonly do: "run";
      readonly program: string;
      readonly arguments: readonly string[];
      /** An exit code that is as well as 0. */
      readonly accepts?: number;
    };

export function describeStep(step: Step): string {
  switch (step.do) {
    case "write":
      return `write ${step.path}`;
    case "remove":
      return `remove ${step.path}`;
    case "removeEmpty":
      return `remove ${step.path} if it is empty`;
    case "removeAll":
      return `remove ${step.path} and all that is in it`;
    case "run":
      return `run ${[step.program, ...step.arguments].join(" ")}`;
  }
}

/** @throws ConfigError saying what went wrong; what was done before stays, and may be done again */
export async function performStep(step: Step, clock: Clock): Promise<void> {
  switch (step.do) {
    case "write": {
      await mkdir(dirname(step.path), { recursive: true, mode: 0o755 });
      const draft = `${step.path}~`;
      await writeFile(draft, step.content, { mode: 0o644 });
      return rename(draft, step.path);
    }
    case "remove":
      return rm(step.path, { force: true });
    case "removeEmpty":
      return rmdir(step.path).catch(() => undefined);
    case "removeAll":
      return rm(step.path, { recursive: true, force: true });
    case "run":
      return runStep(step, clock);
  }
}

const patience = seconds(90);

async function runStep(step: Extract<Step, { do: "run" }>, clock: Clock): Promise<void> {
  try {
    const end = await runProgram(step.program, { arguments: step.arguments, timeLimit: patience, clock });
    if (end.exitCode === 0 || (end.exitCode !== undefined && end.exitCode === step.accepts)) return;
    throw new ConfigError(`${describeStep(step)}: it ${describeEnd(end)}: ${end.reason}`);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new ConfigError(`${describeStep(step)}: ${error.message}. The service needs systemd`, {
      cause: error,
    });
  }
}
