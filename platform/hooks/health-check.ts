/** The operator's program that says whether a new image does its work. Exit code 0: it does; anything else: not yet. */
import { type Clock, type Finding, type Millis, seconds } from "../../agent/ports.js";
import { checkExecutable } from "../exec/executable.js";
import { describeEnd, runProgram } from "../exec/program.js";

export interface HealthCheckOptions {
  /** Absolute path of an executable. */
  readonly program: string;
  readonly arguments?: readonly string[];
  /** Of one run; 60 s when not given. */
  readonly timeLimit?: Millis;
  readonly clock: Clock;
}

export interface HealthCheck {
  /**
   * Asks once: the trial asks again as long as it lasts.
   * @throws Error saying why the device is not well: the last words of the program on standard error, or how it ended
   */
  health(signal: AbortSignal): Promise<void>;
  /** What would keep the program from running, and who could change it. */
  check(): Promise<readonly Finding[]>;
}

export function createHealthCheck(options: HealthCheckOptions): HealthCheck {
  const { program, arguments: words = [], timeLimit = seconds(60), clock } = options;
  return {
    async health(signal) {
      const result = await runProgram(program, { arguments: words, timeLimit, clock, signal });
      if (result.exitCode === 0) return;
      throw new Error(result.reason === "" ? `${program} ${describeEnd(result)}` : result.reason);
    },
    check: () => checkExecutable(program, "the health check"),
  };
}
