/** What the steps of a command board are, and what their exit codes say. Documented in docs/firmware.md. */
import { BusyError, type Millis, PackageError, seconds } from "../../../agent/ports.js";
import { describeEnd, type ProgramResult } from "../../exec/program.js";

export interface Command {
  /** Absolute path of an executable; it is never looked at by a shell. */
  readonly program: string;
  /** Handed on as they are. */
  readonly arguments?: readonly string[];
  /** After it the program and its children are ended. A default per step when not given. */
  readonly timeLimit?: Millis;
  /** The image comes on standard input, too: for `inspect` and `apply`. */
  readonly imageOnInput?: boolean;
}

export type CommandStep =
  | "describe"
  | "inspect"
  | "apply"
  | "outcome"
  | "commit"
  | "revert"
  | "restart"
  | "factory-reset";

const minutes = (count: number) => seconds(count * 60);

export const timeLimits: Readonly<Record<CommandStep, Millis>> = {
  describe: seconds(30),
  inspect: minutes(10),
  apply: minutes(120),
  outcome: minutes(1),
  commit: minutes(5),
  revert: minutes(30),
  restart: minutes(1),
  "factory-reset": minutes(60),
};

/**
 * What the exit code of a step means. 1 and 2 have no meaning of their own: that is how shells and interpreters end when
 * they are broken.
 * @throws BusyError, PackageError
 */
export function judge(step: CommandStep, { program }: Command, result: ProgramResult): "done" | "restart" {
  const { exitCode, reason } = result;
  const words =
    reason === "" ? `${program}, the program of the step ${step}, ${describeEnd(result)}` : reason;
  switch (exitCode) {
    case 0:
      return "done";
    case 3:
      return "restart";
    case 4:
      throw new BusyError(words);
    case 5:
      throw new PackageError("integrity", words);
    case 6:
      throw new PackageError("unsupported-package", words);
    case 7:
      throw new PackageError("storage", words);
    default:
      throw new PackageError("failed", words);
  }
}
