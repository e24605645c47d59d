/** The operator's program that says whether a new image does its work. Exit code 0: it does; anything else: not yet. */
import {
  type Clock,
  type Finding,
  type HealthCheck,
  type Millis,
  seconds,
  type UpdateAttempt,
} from "../../agent/ports.js";
import { checkExecutable } from "../exec/executable.js";
import { describeEnd, ProgramError, runProgram } from "../exec/program.js";
import { imageVariables, packageVariables, type Variables } from "../exec/update-variables.js";
import { wait } from "../wait.js";

export interface HealthCheckOptions {
  /** Absolute path of an executable. */
  readonly program: string;
  readonly arguments?: readonly string[];
  /** Of one run; 60 s when not given. */
  readonly timeLimit?: Millis;
  /** Between two runs; 10 s when not given. */
  readonly interval?: Millis;
  readonly clock: Clock;
}

export interface ProgramHealthCheck extends HealthCheck {
  check(): Promise<readonly Finding[]>;
}

export function createHealthCheck(options: HealthCheckOptions): ProgramHealthCheck {
  const { program, interval = seconds(10), clock } = options;
  return {
    async passed({ attempt, refused, signal }) {
      for (;;) {
        const reason = await ask(options, variablesOf(attempt), signal);
        if (reason === undefined) return;
        refused(reason);
        await wait(interval, clock, signal);
      }
    },
    check: () => checkExecutable(program, "the health check"),
  };
}

/** Why the device is not well; undefined when it is. A program that cannot run or takes too long says no. */
async function ask(
  { program, arguments: words = [], timeLimit = seconds(60), clock }: HealthCheckOptions,
  environment: Variables,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const options = { arguments: words, environment, timeLimit, clock, signal };
    const result = await runProgram(program, options);
    if (result.exitCode === 0) return undefined;
    return result.reason === "" ? `${program} ${describeEnd(result)}` : result.reason;
  } catch (error) {
    if (error instanceof ProgramError) return error.message;
    throw error;
  }
}

const variablesOf = (attempt: UpdateAttempt): Variables => ({
  LWM2M_ATTEMPT: attempt.id,
  LWM2M_PREVIOUS_VERSION: attempt.previousVersion,
  ...imageVariables(attempt.image),
  ...packageVariables(attempt.package),
});
