/**
 * The helper: what `lwm2m-agent helper` does between its start and its end. It reads the configuration of the agent, which is
 * root's, and keeps nothing where the agent may write: records, copies of packages and mount points have folders of their own.
 */
import { stat } from "node:fs/promises";
import { defaultHelperSocket } from "../../platform/boards/remote/board.js";
import { type BoardServer, type Listening, serveBoard } from "../../platform/boards/remote/server.js";
import { keptSignature } from "../../platform/boards/remote/signature.js";
import { createVault } from "../../platform/boards/remote/vault.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { chooseLogFormat, createServiceLog } from "../../platform/service-log.js";
import { activatedSocket } from "../../platform/systemd/activation.js";
import type { Directories } from "../config/defaults.js";
import { loadConfig } from "../config/load.js";
import type { Environment } from "../config/override.js";
import type { ServiceConfig } from "../config/service-config.js";
import type { ConfigSources } from "../config/sources.js";
import { ConfigError } from "../model/errors.js";
import { type Board, type Clock, type Log, seconds } from "../ports.js";
import { acceptanceOf, createVerification } from "../verification.js";
import { verificationOptions, versionPolicy } from "./agent-options.js";
import { createBoard } from "./boards.js";
import { serviceExitCodes } from "./exit-codes.js";

export interface HelperOptions {
  readonly sources: ConfigSources;
  /** Where to listen when no socket unit has started us. */
  readonly socket: string | undefined;
  readonly complain: (text: string) => void;
}

/** Boards that need nobody's help. */
const withoutHelp = ["none", "simulated"];
/** When a socket unit starts it again. */
const idleTime = seconds(60);

/** Runs until a signal, or until nobody has asked for a while. @returns the exit code */
export async function runHelper({ sources, socket, complain }: HelperOptions): Promise<number> {
  const { env } = sources.surroundings;
  try {
    const config = await loadConfig(ofAgent(sources));
    const { level, format } = config.log;
    const log = await createServiceLog({ level, format: format === "auto" ? chooseLogFormat(env) : format });
    const listening = await whereToListen(env, socket, config.directories.cache);
    const server = await serve(config, foldersOf(env), listening, log);
    log.info("helper listens", { board: config.board.type, ...listening });
    await Promise.race([server.idle, stopped(log)]);
    await server.close();
    log.info("helper ends");
    return serviceExitCodes.stopped;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(error.message);
    return serviceExitCodes.configuration;
  }
}

/** The folders that systemd gave to this unit are not those of the agent. */
function ofAgent({ surroundings, ...sources }: ConfigSources): ConfigSources {
  const { STATE_DIRECTORY, CACHE_DIRECTORY, RUNTIME_DIRECTORY, ...env } = surroundings.env;
  return { ...sources, surroundings: { ...surroundings, env } };
}

/** Of the helper's own. */
const foldersOf = (env: Environment): Directories => ({
  state: env["STATE_DIRECTORY"] ?? "/var/lib/lwm2m-agent-helper",
  cache: env["CACHE_DIRECTORY"] ?? "/var/cache/lwm2m-agent-helper",
  runtime: env["RUNTIME_DIRECTORY"] ?? "/run/lwm2m-agent-helper",
});

/** Without a socket unit, who owns the packages may ask, and nobody else. */
async function whereToListen(
  env: Environment,
  path: string = defaultHelperSocket,
  packageDirectory: string,
): Promise<Listening> {
  const descriptor = activatedSocket(env, process.pid);
  if (descriptor !== undefined) return { descriptor };
  const owner = await stat(packageDirectory).catch(() => {
    throw new ConfigError(
      `${packageDirectory}, the agent's folder of packages, is not there: start the agent first`,
    );
  });
  return { path, group: owner.gid };
}

async function serve(
  config: ServiceConfig,
  directories: Directories,
  listening: Listening,
  log: Log,
): Promise<BoardServer> {
  const clock = createSystemClock();
  const board = await boardOf(config, directories, { clock, log });
  const vault = createVault({
    packageDirectory: config.directories.cache,
    directory: directories.cache,
    ...(config.stated.firmware?.maximumSize && { maximumSize: config.stated.firmware.maximumSize }),
  });
  return serveBoard(board, listening, {
    vault,
    verifier: createVerification(verificationOptions(config), {
      board,
      log,
      fetchSmall: keptSignature(vault),
    }),
    acceptance: acceptanceOf(versionPolicy(config)),
    clock,
    log,
    ...("descriptor" in listening && { idleAfter: idleTime }),
  });
}

function boardOf(
  config: ServiceConfig,
  directories: Directories,
  context: { readonly clock: Clock; readonly log: Log },
): Promise<Board> {
  const { type } = config.board;
  if (withoutHelp.includes(type)) {
    throw new ConfigError(
      `board.type: ${type} has nothing that a helper could do: lwm2m-agent-helper is not needed`,
    );
  }
  return createBoard(config.board, {
    ...context,
    directories,
    random: systemRandom,
    uid: process.getuid?.() ?? 0,
    isHelper: true,
    onRestart: () => undefined,
    // The state is the agent's. It has the right to forget it, and this process has not.
    forget: async () => undefined,
  });
}

const stopped = (log: Log): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        log.info("stopping", { signal });
        resolve();
      });
    }
  });
