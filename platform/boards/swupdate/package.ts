/** What SWUpdate itself says of a package: signature, hardware and the hash of every image, without writing any. */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type Clock,
  type ImageFile,
  type Millis,
  PackageError,
  type PackageInfo,
  seconds,
} from "../../../agent/ports.js";
import { ProgramError, runProgram } from "../../exec/program.js";
import type { SystemFiles } from "../../linux/files.js";
import { onceClockIsSet } from "../clock-set.js";
import { installerError, judgeErrorText } from "../error-texts.js";
import { withoutPlace } from "./control-message.js";
import type { SwupdateBoardOptions } from "./options.js";

export interface CheckPackageOptions
  extends Pick<SwupdateBoardOptions, "program" | "keyPath" | "hardware" | "noDowngrading" | "workDirectory"> {
  /** `stable,copy2`; undefined where packages do not ask for it. */
  readonly selection: string | undefined;
  readonly clock: Clock;
  readonly files: SystemFiles;
  readonly clockLimit: Millis;
  readonly signal: AbortSignal;
}

const timeLimit = seconds(30 * 60);
const maximumErrors = 20;

/**
 * Name and version of a package that this device can install.
 * @throws PackageError saying why it cannot; the abort reason when `signal` fires
 */
export async function checkPackage(image: ImageFile, options: CheckPackageOptions): Promise<PackageInfo> {
  // A folder of its own: in the daemon's, the check would take over its sockets and remove them at its end.
  const folder = join(options.workDirectory ?? dirname(image.path), "swupdate-check");
  try {
    return await onceClockIsSet((clockIsSet) => check(image, folder, clockIsSet, options), {
      ...options,
      limit: options.clockLimit,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function check(
  image: ImageFile,
  folder: string,
  clockIsSet: boolean,
  options: CheckPackageOptions,
): Promise<PackageInfo | undefined> {
  const { program = "swupdate", clock, signal } = options;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const errors: string[] = [];
  const found = new Map<string, string>();
  const onLine = (line: string) => {
    const [, error] = /(?:SWUPDATE failed \[\d+\]|^\[ERROR\])\s*(.*)/.exec(line) ?? [];
    if (error !== undefined && errors.length < maximumErrors) errors.push(withoutPlace(error));
    const [, key, value] = /\[get_common_fields\] : (Version|Description) (.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && !found.has(key)) found.set(key, value.trim());
  };
  try {
    const { exitCode } = await runProgram(program, {
      arguments: checkArguments(image, options),
      environment: { TMPDIR: folder, LC_ALL: "C" },
      timeLimit,
      clock,
      signal,
      onLine,
    });
    // Said before the end, but believed only after it: all of it is what the signature vouches for.
    if (exitCode === 0) return { name: found.get("Description") ?? "", version: found.get("Version") ?? "" };
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    throw new PackageError("failed", `the package cannot be checked: ${cause.message}`, { cause });
  }
  const text = `SWUpdate refuses the package: ${errors.join("; ")}`;
  if (judgeErrorText(text, { clockIsSet }) === "clock") return undefined;
  throw installerError(text);
}

function checkArguments(image: ImageFile, options: CheckPackageOptions): readonly string[] {
  const { keyPath, hardware, selection, noDowngrading } = options;
  const given = (flag: string, value: string | undefined) => (value === undefined ? [] : [flag, value]);
  return [
    ...["-c", "-i", image.path, "-l", "5"],
    ...given("-k", keyPath),
    ...given("-H", hardware),
    ...given("-e", selection),
    ...given("-N", noDowngrading),
  ];
}
