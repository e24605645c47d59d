/** What would go wrong on this device, for `lwm2m-agent check`. Changes nothing, except that it tries to write. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { createSystemClock } from "../../platform/clock.js";
import { SystemFiles } from "../../platform/linux/files.js";
import { checkWatchdog } from "../../platform/linux/watchdog.js";
import { systemRandom } from "../../platform/random.js";
import { describeError } from "../../platform/system-error.js";
import type { ServiceConfig } from "../config/service-config.js";
import { ConfigError } from "../model/errors.js";
import { readObjectFile } from "../optional-objects.js";
import type { Board, BoardDescription, Finding, Log } from "../ports.js";
import { createVerification } from "../verification.js";
import { healthCheck, hookGate, verificationOptions } from "./agent-options.js";
import { createBoard } from "./boards.js";
import { downloadOptions } from "./download-options.js";
import { readBlame } from "./plugin-blame.js";
import { findPluginFiles, inTime, loadTrustedPlugin, sameName } from "./plugin-loader.js";
import { scriptOptions } from "./script-options.js";

export async function findingsOf(config: ServiceConfig, log: Log): Promise<readonly Finding[]> {
  return [
    ...(await configurationFile(config.file)),
    ...endpointName(config),
    ...(await folders(config)),
    ...(await objectFiles(config)),
    ...(await plugins(config, log)),
    ...(await scripts(config)),
    ...(await operatorPrograms(config, log)),
    ...(await secrets(config)),
    ...(await board(config, log)),
    ...(await watchdog(config)),
  ];
}

/** On a board that is none of ours nothing is installed that could hang. */
const watchdog = async ({ board: { type } }: ServiceConfig): Promise<readonly Finding[]> =>
  type === "none" || type === "simulated" ? [] : checkWatchdog(new SystemFiles("/"));

const finding = (level: Finding["level"], found: string, remedy = ""): Finding => ({ level, found, remedy });

async function configurationFile(file: string | undefined): Promise<readonly Finding[]> {
  if (file === undefined) return [];
  const { uid, mode } = await stat(file);
  const isOpen = (mode & 0o002) !== 0;
  const isForeign = uid !== 0 && uid !== process.getuid?.();
  if (!isOpen && !isForeign) return [];
  return [
    finding(
      "warning",
      `${file} can be changed by ${isOpen ? "everybody" : `user ${uid}`}, who could then take over the agent`,
      `chown root ${file} && chmod 644 ${file}`,
    ),
  ];
}

const endpointName = ({ stated, endpointName }: ServiceConfig): readonly Finding[] =>
  stated.endpointName === undefined
    ? [
        finding(
          "warning",
          `endpointName is not set: Servers know this device as ${endpointName}, which follows from the host name`,
          `add endpointName: ${endpointName}`,
        ),
      ]
    : [];

async function folders({ directories }: ServiceConfig): Promise<readonly Finding[]> {
  const checked = await Promise.all(
    Object.entries(directories).map(async ([name, path]) => {
      const present = await nearestPresent(path);
      try {
        await access(present, constants.W_OK | constants.X_OK);
        return [];
      } catch (error) {
        return [
          finding(
            "warning",
            `directories.${name}: user ${process.getuid?.()} may not write to ${present}: ${describeError(error)}`,
            "check as the user of the service: sudo -u lwm2m-agent lwm2m-agent check",
          ),
        ];
      }
    }),
  );
  return checked.flat();
}

/** The folder, or the one above it in which it will be made. */
async function nearestPresent(path: string): Promise<string> {
  for (let each = path; ; each = dirname(each)) {
    if (each === "/" || (await stat(each).catch(() => undefined)) !== undefined) return each;
  }
}

/** What is wrong for the operator, as an error; anything else is ours. */
async function attempt(act: () => Promise<unknown>): Promise<readonly Finding[]> {
  try {
    await act();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [finding("error", error.message)];
  }
}

async function objectFiles({ objects }: ServiceConfig): Promise<readonly Finding[]> {
  const files = objects.flatMap((object) => (typeof object === "string" ? [object] : []));
  return (await Promise.all(files.map((file) => attempt(() => readObjectFile(file))))).flat();
}

async function plugins(config: ServiceConfig, log: Log): Promise<readonly Finding[]> {
  const clock = createSystemClock();
  const names = new Map<string, string>();
  const findings: Finding[] = [];
  const blame = await readBlame(config.directories.state, log).catch(
    () => undefined, // another user's state folder; that it cannot be written to was said
  );
  const load = async () => {
    for (const file of await findPluginFiles(config.plugins, config.pluginDirectory)) {
      const out = blame?.whyLeftOut(file.path);
      if (out !== undefined)
        findings.push(finding("error", `the plugin ${out.plugin} is left out: ${out.reason}`));
      else {
        const found = await attempt(async () => {
          const { name } = await inTime(file, clock, loadTrustedPlugin(file));
          const same = names.get(name);
          names.set(name, file.path);
          if (same !== undefined) throw sameName(file, name, same);
        });
        findings.push(...found);
      }
    }
  };
  return [...(await attempt(load)), ...findings];
}

async function scripts(config: ServiceConfig): Promise<readonly Finding[]> {
  if (config.scripts.length === 0) return [];
  const { checkScript } = await import("../scripts.js");
  const checked = scriptOptions(config).map((script) => attempt(() => checkScript(script)));
  return (await Promise.all(checked)).flat();
}

async function operatorPrograms({ stated }: ServiceConfig, log: Log): Promise<readonly Finding[]> {
  const clock = createSystemClock();
  const { firmware = {} } = stated;
  const gate = await hookGate(firmware, { clock, log });
  const health = await healthCheck(firmware.trial ?? {}, clock);
  return [...(await gate.check()), ...((await health?.check()) ?? [])];
}

async function secrets({ stated }: ServiceConfig): Promise<readonly Finding[]> {
  try {
    await downloadOptions(stated.downloads ?? {}, {
      credentialsDirectory: process.env["CREDENTIALS_DIRECTORY"],
      uid: process.getuid?.() ?? 0,
    });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return [finding("error", error.message)];
    throw error;
  }
}

async function board(config: ServiceConfig, log: Log): Promise<readonly Finding[]> {
  try {
    return await withBoard(config, log, async (made) => [
      ...((await made.check?.()) ?? []),
      ...(await signatures(config, made, log)),
    ]);
  } catch (error) {
    return [finding("error", `board: ${error instanceof Error ? error.message : String(error)}`)];
  }
}

/** What the board says of itself. @throws ConfigError when it cannot be used */
export const describeBoard = (config: ServiceConfig, log: Log): Promise<BoardDescription> =>
  withBoard(config, log, (made) => made.describe());

/** A board beside that of the service, which is only asked. */
async function withBoard<T>(config: ServiceConfig, log: Log, use: (board: Board) => Promise<T>): Promise<T> {
  const made = await createBoard(config.board, {
    directories: config.directories,
    clock: createSystemClock(),
    random: systemRandom,
    log,
    uid: process.getuid?.() ?? 0,
    onRestart: () => undefined,
    forget: async () => undefined,
  });
  try {
    return await use(made);
  } finally {
    await made.close?.();
  }
}

/** A device that takes no firmware needs no keys. */
async function signatures(config: ServiceConfig, board: Board, log: Log): Promise<readonly Finding[]> {
  if (config.board.type === "none") return [];
  const fetchSmall = () => Promise.reject(new Error("nothing is fetched for a check"));
  return createVerification(verificationOptions(config), { board, log, fetchSmall }).findings();
}
