/** File systems come and go through mount(8), which knows loop devices, helpers and locks. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Clock, seconds } from "../../agent/ports.js";
import { wait } from "../../agent/wait.js";
import { runProgram } from "../exec/program.js";
import { describeError, errorCode } from "../system-error.js";

export interface MounterOptions {
  readonly clock: Clock;
  /** `mount` when not given. */
  readonly mountProgram?: string;
  /** `umount` when not given. */
  readonly unmountProgram?: string;
}

export interface MountRequest {
  readonly device: string;
  /** Made when it is not there. */
  readonly folder: string;
  /** As after `-t`. */
  readonly fileSystem: string;
  /** As after `-o`. */
  readonly options: readonly string[];
}

export interface Mounter {
  mount(request: MountRequest): Promise<void>;
  /** Everything written is on the device then. */
  unmount(folder: string): Promise<void>;
  remount(folder: string, access: "ro" | "rw"): Promise<void>;
  isMounted(folder: string): Promise<boolean>;
}

/** A program that mounts said no, or took too long. */
export class MountError extends Error {
  override readonly name = "MountError";
}

/** A slow card that has much to write back. */
const timeLimit = seconds(300);
const maximumTries = 5;
const pause = seconds(0.3);

export function createMounter({
  clock,
  mountProgram = "mount",
  unmountProgram = "umount",
}: MounterOptions): Mounter {
  async function run(program: string, words: readonly string[], doing: string): Promise<void> {
    const errors: string[] = [];
    const onLine = (line: string, stream: string) => {
      if (stream === "error" && errors.length < 10 && !line.includes("dmesg(1)")) errors.push(line.trim());
    };
    let exitCode: number | undefined;
    try {
      ({ exitCode } = await runProgram(program, { clock, timeLimit, arguments: words, onLine }));
    } catch (cause) {
      throw new MountError(`${doing} failed: ${describeError(cause)}`, { cause });
    }
    if (exitCode === 0) return;
    throw new MountError(
      `${doing} failed: ${errors.join("; ") || `${program} ended with ${exitCode ?? "a signal"}`}`,
    );
  }

  /** The loop device of an earlier mount goes away a moment after the mount: mount may find it, and find it gone. */
  async function patiently(act: () => Promise<void>): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        return await act();
      } catch (error) {
        if (tried === maximumTries) throw error;
        await wait(pause, clock, new AbortController().signal);
      }
    }
  }

  return {
    async mount({ device, folder, fileSystem, options }) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const words = ["-t", fileSystem, "-o", options.join(","), "--", device, folder];
      await patiently(() => run(mountProgram, words, `mounting ${device} on ${folder}`));
    },
    unmount: (folder) => run(unmountProgram, ["--", folder], `unmounting ${folder}`),
    remount: (folder, access) =>
      run(mountProgram, ["-o", `remount,${access}`, "--", folder], `remounting ${folder} ${access}`),
    isMounted,
  };
}

/** Another device than that of the folder above it. */
async function isMounted(folder: string): Promise<boolean> {
  try {
    const [own, above] = await Promise.all([stat(folder), stat(dirname(resolve(folder)))]);
    return own.dev !== above.dev;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
