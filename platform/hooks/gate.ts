/**
 * The operator's executables before and after each stage of an update. Exit code 0: go on · 75 (EX_TEMPFAIL): later ·
 * anything else: the update fails. docs/firmware.md says what they are told.
 */
import {
  type Clock,
  type Finding,
  type Log,
  type Millis,
  PackageError,
  type StageContext,
  seconds,
  type UpdateGate,
  type UpdateStage,
} from "../../agent/ports.js";
import { checkExecutable } from "../exec/executable.js";
import { describeEnd, type ProgramResult, runProgram } from "../exec/program.js";
import { imageVariables, oneLine, packageVariables, type Variables } from "../exec/update-variables.js";
import { findHook, type HookName, type HookProgram, type HookSources, hookNames } from "./programs.js";

export interface HookGateOptions extends HookSources {
  /** Of each program; 5 minutes when not given. */
  readonly timeLimit?: Millis;
  readonly clock: Clock;
  readonly log: Log;
}

export interface HookGate extends UpdateGate {
  /** What would keep hooks from running, and who could change them. */
  check(): Promise<readonly Finding[]>;
}

/** EX_TEMPFAIL of sysexits.h. */
const temporary = 75;

export function createHookGate(options: HookGateOptions): HookGate {
  /** Runs the programs of a hook until one does not end with 0. */
  async function run(name: HookName, stage: UpdateStage, context: StageContext) {
    for (const hook of await findHook(name, options)) {
      const result = await runHook(name, hook, { ...variablesOf(context), LWM2M_STAGE: stage }, context);
      if (result.exitCode !== 0) return { hook, ...result };
    }
    return undefined;
  }

  function runHook(name: HookName, hook: HookProgram, variables: Variables, { signal }: StageContext) {
    const { clock, log, timeLimit = seconds(300) } = options;
    log.debug("hook runs", { hook: name, program: hook.program });
    return runProgram(hook.program, {
      clock,
      timeLimit,
      signal,
      environment: { LWM2M_HOOK: name, ...variables },
      ...(hook.arguments && { arguments: hook.arguments }),
    });
  }

  return {
    async before(stage, context) {
      const name: HookName = `before-${stage}`;
      let stopped: Awaited<ReturnType<typeof run>>;
      try {
        stopped = await run(name, stage, context);
      } catch (cause) {
        if (context.signal.aborted) throw cause;
        throw new PackageError("failed", `the hook ${name} could not be run: ${messageOf(cause)}`, { cause });
      }
      if (stopped === undefined) return "go";
      const words = wordsOf(stopped);
      if (stopped.exitCode === temporary) return { later: words };
      throw new PackageError("failed", `the hook ${name} refused: ${words}`);
    },
    async after(stage, context) {
      const name: HookName = `after-${stage}`;
      const stopped = await run(name, stage, context);
      if (stopped !== undefined) throw new Error(`the hook ${name} failed: ${wordsOf(stopped)}`);
    },
    async check() {
      const findings = await Promise.all(hookNames.map((name) => checkHook(name, options)));
      return findings.flat();
    },
  };
}

async function checkHook(name: HookName, sources: HookSources): Promise<readonly Finding[]> {
  try {
    const programs = await findHook(name, sources);
    const findings = await Promise.all(
      programs.map(({ program }) => checkExecutable(program, `the hook ${name}`)),
    );
    return findings.flat();
  } catch (cause) {
    return [
      {
        level: "error",
        found: messageOf(cause),
        remedy: "Give the agent the right to read the folder of hooks",
      },
    ];
  }
}

const variablesOf = ({ uri, severity, attempt, image, package: info }: StageContext): Variables => ({
  LWM2M_URI: oneLine(uri),
  LWM2M_SEVERITY: `${severity}`,
  LWM2M_ATTEMPT: attempt ?? "",
  ...imageVariables(image),
  ...packageVariables(info),
});

const wordsOf = ({ hook, ...result }: ProgramResult & { readonly hook: HookProgram }): string =>
  result.reason === "" ? `${hook.program} ${describeEnd(result)}` : result.reason;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
