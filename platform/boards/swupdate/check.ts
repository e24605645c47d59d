/** What would keep SWUpdate from a good end: asked for by the operator, before there is an update. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { type Finding, seconds } from "../../../agent/ports.js";
import { ProgramError, runProgram } from "../../exec/program.js";
import type { SystemFiles } from "../../linux/files.js";
import { describeError } from "../../system-error.js";
import { BootEnvironmentError, createBootEnvironment } from "../boot-environment.js";
import { canReach } from "./control.js";
import { controlSocket, progressSocket } from "./installation.js";
import type { SwupdateBoardOptions } from "./options.js";

export interface CheckOptions extends SwupdateBoardOptions {
  readonly files: SystemFiles;
  readonly socketDirectory: string;
  /** undefined when it could not be told. */
  readonly runningRoot: string | undefined;
}

export async function checkSwupdate(options: CheckOptions): Promise<readonly Finding[]> {
  return [
    ...(await checkProgram(options.program ?? "swupdate", ["--version"], options)),
    ...(await checkProgram(options.clientProgram ?? "swupdate-client", ["-h"], options)),
    ...(await checkSockets(options)),
    ...(await checkKey(options)),
    ...(await checkHardware(options)),
    ...checkCopies(options),
    ...(await checkEnvironment(options)),
    ...(await checkForeignRestart(options.files)),
  ];
}

const error = (found: string, remedy: string): Finding => ({ level: "error", found, remedy });
const warning = (found: string, remedy: string): Finding => ({ level: "warning", found, remedy });

async function checkProgram(
  program: string,
  words: readonly string[],
  { clock }: CheckOptions,
): Promise<readonly Finding[]> {
  try {
    await runProgram(program, {
      arguments: words,
      environment: { TMPDIR: "/nonexistent" },
      timeLimit: seconds(30),
      clock,
    });
    return [];
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    return [
      error(
        `the program ${program} cannot be run`,
        "install SWUpdate (Debian: package swupdate), or say where it is",
      ),
    ];
  }
}

async function checkSockets({ socketDirectory, clock }: CheckOptions): Promise<readonly Finding[]> {
  const control = join(socketDirectory, controlSocket);
  const progress = join(socketDirectory, progressSocket);
  if (!(await canReach({ path: control, clock }))) {
    const remedy =
      "is swupdate.service running, is the agent in the group swupdate, and, where the sockets are in /tmp, is its unit without PrivateTmp=yes?";
    return [error(`SWUpdate does not listen at ${control}, or does not let us in`, remedy)];
  }
  return access(progress, constants.W_OK).then(
    () => [],
    () => [
      warning(`there is no progress to be had at ${progress}`, "installations work, but show no percentage"),
    ],
  );
}

async function checkKey({ keyPath }: CheckOptions): Promise<readonly Finding[]> {
  if (keyPath === undefined) {
    return [
      warning(
        "no key is configured for SWUpdate, so packages cannot be verified before they are accepted",
        "name the CA or public key that the daemon uses (-k)",
      ),
    ];
  }
  return access(keyPath, constants.R_OK).then(
    () => [],
    (cause: unknown) => [
      error(`the key ${keyPath} cannot be read: ${describeError(cause)}`, "make it readable for the agent"),
    ],
  );
}

async function checkHardware({ hardware, files }: CheckOptions): Promise<readonly Finding[]> {
  if (hardware !== undefined || (await files.exists("etc/hwrevision"))) return [];
  return [
    warning(
      "nothing says which hardware this is, so packages with hardware-compatibility are refused",
      "name it (board:revision) as the daemon does (-H), or write /etc/hwrevision",
    ),
  ];
}

function checkCopies({ copies = [], fallsBack = false, runningRoot }: CheckOptions): readonly Finding[] {
  if (runningRoot === undefined) {
    return [
      error(
        "the root device of what runs cannot be told",
        "see what `swupdate -g` says, or configure a program that knows",
      ),
    ];
  }
  if (copies.length > 0 && !copies.some(({ root }) => root === runningRoot)) {
    return [
      error(
        `${runningRoot} runs, which is none of the configured copies`,
        "name the root devices as `swupdate -g` does",
      ),
    ];
  }
  return fallsBack || (copies.length > 1 && copies.every(({ boot }) => boot !== undefined))
    ? []
    : [
        warning(
          "an image that fails its trial cannot be taken back",
          "name the boot loader's variables of each copy, or say that it falls back by itself",
        ),
      ];
}

async function checkEnvironment({ bootEnvironment = {}, clock }: CheckOptions): Promise<readonly Finding[]> {
  if (bootEnvironment === "none") return [];
  const environment = createBootEnvironment({ ...bootEnvironment, clock });
  try {
    const { recovery_status: recovery } = await environment.read(["recovery_status"]);
    return [
      ...(await environment.check()),
      ...(recovery === "in_progress"
        ? [
            warning(
              "an installation was cut off (recovery_status=in_progress)",
              "the next one that goes well clears it",
            ),
          ]
        : []),
    ];
  } catch (cause) {
    if (!(cause instanceof BootEnvironmentError)) throw cause;
    return [
      error(
        cause.message,
        "give the agent access to the environment, or configure it as none where SWUpdate keeps no state",
      ),
    ];
  }
}

const units = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
const progressUnit = "swupdate-progress.service";

/** Debian's restarts the machine after each good installation, before we have said so to the Server. */
async function checkForeignRestart(files: SystemFiles): Promise<readonly Finding[]> {
  for (const folder of units) {
    for (const name of await files.list(folder)) {
      if (!name.endsWith(".wants") || !(await files.list(`${folder}/${name}`)).includes(progressUnit))
        continue;
      const text = (await files.text(`${folder}/${name}/${progressUnit}`)) ?? "";
      if (!/^ExecStart=.*\s-\w*r/m.test(text)) continue;
      return [
        warning(
          `${progressUnit} restarts the machine by itself after a good installation (/${folder}/${name})`,
          `systemctl disable ${progressUnit}: the agent restarts when all is on record and the Server has been told`,
        ),
      ];
    }
  }
  return [];
}
