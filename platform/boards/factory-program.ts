import type { Clock, Millis } from "../../agent/ports.js";
import { runProgram } from "../exec/program.js";

/** A program of the operator's that returns the device to its factory image. */
export interface FactoryProgram {
  readonly program: string;
  readonly arguments?: readonly string[];
}

/** @throws Error in the words of the program when it fails */
export async function runFactoryProgram(
  { program, arguments: programArguments = [] }: FactoryProgram,
  options: { readonly timeLimit: Millis; readonly clock: Clock },
): Promise<void> {
  const { exitCode, reason } = await runProgram(program, { arguments: programArguments, ...options });
  if (exitCode !== 0) throw new Error(`the factory reset failed: ${program}: ${reason}`);
}
