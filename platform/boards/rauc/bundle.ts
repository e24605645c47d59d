/** What RAUC's own program says of a bundle. It checks the signature before it says anything. */
import { type Clock, type ImageFile, type Millis, PackageError, seconds } from "../../../agent/ports.js";
import { ProgramError, type ProgramResult, runProgram } from "../../exec/program.js";
import type { SystemFiles } from "../../linux/files.js";
import { onceClockIsSet } from "../clock-set.js";
import { installerError, judgeErrorText } from "../error-texts.js";

export interface BundleOptions {
  /** The program `rauc`. */
  readonly program: string;
  /** In place of RAUC's own choice. */
  readonly configurationPath: string | undefined;
  readonly clock: Clock;
  readonly files: SystemFiles;
  /** How long a certificate that does not fit the time may be due to a clock that is not set. */
  readonly clockLimit: Millis;
  readonly signal: AbortSignal;
  /** Asks RAUC's service, which sees all of the system. Answers why the bundle is refused when it is. */
  readonly askService: () => Promise<BundleInfo | string>;
}

export interface BundleInfo {
  readonly compatible: string;
  readonly version: string;
}

/** A bundle of gigabytes is read whole. */
const timeLimit = seconds(15 * 60);
/** Releases before 1.15.2 verify less than the whole of a larger plain bundle. */
const largestPlainBundle = 2 * 1024 ** 3;
const firstToVerifyAll = [1, 15, 2];

/**
 * Verified by RAUC's keyring.
 * @throws PackageError saying what is wrong with it; the abort reason when `signal` fires
 */
export async function readBundle(image: ImageFile, options: BundleOptions): Promise<BundleInfo> {
  const bundle = await onceClockIsSet(
    async (clockIsSet) => {
      const { result, text } = await info(image, options, "json");
      if (result.exitCode === 0) return parseInfo(result.output);
      const answer = unseen.test(text) ? await options.askService() : text;
      if (typeof answer === "object") return answer;
      if (judgeErrorText(answer, { clockIsSet }) === "clock") return undefined;
      throw installerError(answer);
    },
    { ...options, limit: options.clockLimit },
  );
  if (image.size > largestPlainBundle) await refuseLargePlain(image, options);
  return bundle;
}

/** The program wants to see the device under the bundle, which is not in the `/dev` of a confined service like ours. */
const unseen = /unable to find mounted device for bundle/;

/** `rauc 1.8` → [1, 8]; undefined when it cannot be run or says something else. */
export async function readRaucVersion({
  program,
  clock,
}: Pick<BundleOptions, "program" | "clock">): Promise<readonly number[] | undefined> {
  try {
    const { output } = await runProgram(program, { arguments: ["--version"], timeLimit: seconds(30), clock });
    return /^rauc (\d+(?:\.\d+)*)/m.exec(output)?.[1]?.split(".").map(Number);
  } catch (error) {
    if (error instanceof ProgramError) return undefined;
    throw error;
  }
}

/** Is `version` below `other`? `1.8` is below `1.15`. */
export function isOlder(version: readonly number[], other: readonly number[]): boolean {
  for (const [index, part] of other.entries()) {
    const mine = version[index] ?? 0;
    if (mine !== part) return mine < part;
  }
  return false;
}

async function refuseLargePlain(image: ImageFile, options: BundleOptions): Promise<void> {
  const version = await readRaucVersion(options);
  if (version !== undefined && !isOlder(version, firstToVerifyAll)) return;
  const { result } = await info(image, options, "readable");
  if (/^Bundle Format:\s+plain/m.test(result.output)) {
    throw new PackageError(
      "unsupported-package",
      "RAUC before 1.15.2 does not verify the whole of a plain bundle above 2 GiB: build it with format=verity",
    );
  }
}

async function info(
  image: ImageFile,
  { program, configurationPath, clock, signal }: BundleOptions,
  format: "json" | "readable",
): Promise<{ readonly result: ProgramResult; readonly text: string }> {
  const lines: string[] = [];
  const configuration = configurationPath === undefined ? [] : [`--conf=${configurationPath}`];
  try {
    const result = await runProgram(program, {
      arguments: ["info", ...configuration, `--output-format=${format}`, image.path],
      environment: { LC_ALL: "C" },
      timeLimit,
      clock,
      signal,
      onLine: (line, stream) => {
        if (stream === "error" && lines.length < maximumLines) lines.push(line.trim());
      },
    });
    // Not the last line alone: what is wrong with the certificate stands above it. But that line is the first to be read.
    const words = lines.filter((line) => line !== "" && !progress.test(line)).reverse();
    return { result, text: `RAUC refuses the bundle: ${words.join("; ")}` };
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    throw new PackageError("failed", `the bundle cannot be verified: ${cause.message}`, { cause });
  }
}

const maximumLines = 40;
/** What it says while all is well. */
const progress = /^rauc-(Message|INFO): /;

function parseInfo(output: string): BundleInfo {
  let info: Record<string, unknown> = {};
  try {
    info = JSON.parse(output) as Record<string, unknown>;
  } catch {
    // Said below.
  }
  const { compatible, version } = info;
  if (typeof compatible !== "string") {
    throw new PackageError("failed", "RAUC accepts the bundle, but what it says of it cannot be read");
  }
  return { compatible, version: typeof version === "string" ? version : "" };
}
