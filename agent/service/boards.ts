/** Makes the board that the configuration names. Each kind is loaded only where it is used. */
import { join } from "node:path";
import type { RestartOptions } from "../../platform/boards/restart.js";
import type { BoardType } from "../config/sections/board.js";
import type { ServiceConfig } from "../config/service-config.js";
import type { CommandConfig } from "../config/values.js";
import {
  type Board,
  type BoardDescription,
  type Clock,
  type Log,
  type Random,
  type Store,
  seconds,
} from "../ports.js";
import { given } from "./given.js";

export interface BoardContext {
  readonly directories: ServiceConfig["directories"];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the process. */
  readonly uid: number;
  /** The helper does itself what the agent has it do. */
  readonly isHelper?: boolean;
  /** A board that restarts without the machine, as the simulated one does: the agent begins anew. */
  readonly onRestart: (cause: "restart" | "factoryReset") => void;
  /** Deletes what the agent keeps, for a factory reset that leaves it where it is. */
  readonly forget: () => Promise<void>;
}

/** A board in the service. */
export interface HostedBoard extends Board {
  /** Each time before an agent starts on it: where the machine does not boot, the board has to. */
  boot?(): Promise<void>;
}

type BoardConfig<Type extends BoardType> = Extract<ServiceConfig["board"], { type: Type }>;

type Maker<Type extends BoardType> = (
  config: BoardConfig<Type>,
  context: BoardContext,
) => Promise<HostedBoard>;

const makers: { readonly [Type in BoardType]: Maker<Type> } = {
  async auto(config, context) {
    const { detectBoard } = await import("../../platform/boards/detect.js");
    const { type, reasons } = await detectBoard();
    context.log.info("board found", { type, reasons });
    const { restart, type: _, ...description } = config;
    const texts = { ...given({ restart }), ...description };
    switch (type) {
      case "rauc":
        return makers.rauc({ type, ...texts }, context);
      case "edison":
        return makers.edison({ type, ...texts }, context);
      case "raspberry-pi":
        return makers["raspberry-pi"]({ type, ...texts }, context);
      case "swupdate":
        return makers.swupdate({ type, ...texts }, context);
      case "none":
        context.log.warn("no board found", {
          advice: "say how this device takes firmware with board.type, or board.type: none",
        });
        return makers.none({ type, ...texts }, context);
    }
  },

  async none({ type: _, restart, ...description }, { clock, uid }) {
    const { createNoBoard } = await import("../../platform/boards/none.js");
    return createNoBoard({ clock, description: described(description), restart: restartBy(restart, uid) });
  },

  async rauc(config, { clock, log, uid, directories, ...context }) {
    const { createRaucBoard } = await import("../../platform/boards/rauc/rauc.js");
    const { program, systemConf, installationLimit, factoryReset, restart } = config;
    return createRaucBoard({
      ...{ clock, log, packageDirectory: directories.cache, restart: restartBy(restart, uid) },
      store: await recordsOf(config, { directories, ...context }),
      description: described(config),
      ...given({
        program,
        configurationPath: systemConf,
        installationLimit: installationLimit === undefined ? undefined : seconds(installationLimit),
        factoryReset: factoryReset && ("bundle" in factoryReset ? factoryReset : programOf(factoryReset)),
      }),
    });
  },

  async swupdate(config, { clock, log, uid, ...context }) {
    const { createSwupdateBoard } = await import("../../platform/boards/swupdate/swupdate.js");
    const { socketDirectory, key, hardware, copies, fallsBack, bootEnvironment } = config;
    const { installationLimit, factoryReset, restart } = config;
    return createSwupdateBoard({
      ...{ clock, log, restart: restartBy(restart, uid), description: described(config) },
      store: await recordsOf(config, context),
      ...given({
        ...{ socketDirectory, hardware, fallsBack, keyPath: key },
        copies: copies?.map(({ root, selection, boot }) => ({ root, selection, ...given({ boot }) })),
        bootEnvironment: bootEnvironment === "none" ? ("none" as const) : undefined,
        installationLimit: installationLimit === undefined ? undefined : seconds(installationLimit),
        factoryReset: factoryReset && ("package" in factoryReset ? factoryReset : programOf(factoryReset)),
      }),
    });
  },

  async edison(config, context) {
    if (usesHelper(config, context)) return remote("edison", context);
    const { createEdisonBoard } = await import("../../platform/boards/edison/board.js");
    const { restart, bootEnvironment, recordDirectory: _, helper: __, type: ___, ...options } = config;
    const { clock, log, uid, forget } = context;
    return createEdisonBoard({
      ...given(options),
      ...{ clock, log, forget, restart: restartBy(restart, uid), description: described(config) },
      store: await recordsOf(config, context),
      ...(bootEnvironment && { bootEnvironment: given(bootEnvironment) }),
    });
  },

  async "raspberry-pi"(config, context) {
    if (usesHelper(config, context)) return remote("raspberry-pi", context);
    const { createRaspberryPiBoard } = await import("../../platform/boards/raspberry-pi/board.js");
    const { restart, recordDirectory: _, helper: __, type: ___, ...options } = config;
    const { clock, log, uid, forget } = context;
    return createRaspberryPiBoard({
      ...given(options),
      ...{ clock, log, forget, restart: restartBy(restart, uid), description: described(config) },
      store: await recordsOf(config, context),
    });
  },

  async command(config, context) {
    if (config.helper === true && context.isHelper !== true) return remote("command", context);
    const { createCommandBoard } = await import("../../platform/boards/command/board.js");
    const { clock, log } = context;
    const { apply, ...others } = config.commands;
    const commandOf = ({
      imageOnInput,
      timeLimit,
      ...command
    }: CommandConfig & { imageOnInput?: boolean | undefined }) => ({
      ...programOf(command),
      ...given({ imageOnInput, timeLimit: timeLimit === undefined ? undefined : seconds(timeLimit) }),
    });
    return createCommandBoard({
      ...{ clock, log, description: described(config) },
      commands: {
        ...Object.fromEntries(
          Object.entries(given(others)).map(([step, command]) => [step, commandOf(command)]),
        ),
        apply: commandOf(apply),
      },
    });
  },

  async simulated({ firmwareVersion = "1.0", applyDuration }, { directories, clock, random, onRestart }) {
    const { createSimulatedBoard } = await import("../../platform/boards/simulated.js");
    return createSimulatedBoard({
      ...{ clock, random, onRestart, firmwareVersion, directory: join(directories.state, "board") },
      ...given({ applyDuration: applyDuration === undefined ? undefined : seconds(applyDuration) }),
    });
  },
};

/** @throws ConfigError when it cannot be used as it is configured */
export const createBoard = <Type extends BoardType>(
  config: BoardConfig<Type> & { readonly type: Type },
  context: BoardContext,
): Promise<HostedBoard> => makers[config.type](config, context);

const usesHelper = (
  { helper }: { readonly helper?: boolean | undefined },
  { uid, isHelper = false }: BoardContext,
): boolean => !isHelper && (helper ?? uid !== 0);

async function remote(name: string, { clock, forget }: BoardContext): Promise<Board> {
  const { createRemoteBoard } = await import("../../platform/boards/remote/board.js");
  const board = createRemoteBoard({ name, clock });
  const factoryReset = board.factoryReset.bind(board);
  // What the agent keeps is its own to forget: the helper never writes there.
  return Object.assign(board, { factoryReset: () => factoryReset().then(forget) });
}

async function recordsOf(
  { recordDirectory }: { readonly recordDirectory?: string | undefined },
  { directories }: Pick<BoardContext, "directories">,
): Promise<Store> {
  const { createFileStore } = await import("../../platform/files/store.js");
  return createFileStore(recordDirectory ?? join(directories.state, "board"));
}

/** Without the right to do it by itself, the agent asks logind, which asks polkit. */
const restartBy = (
  restart: "systemctl" | "logind" | CommandConfig | undefined,
  uid: number,
): RestartOptions =>
  typeof restart === "object"
    ? { by: "program", ...programOf(restart) }
    : { by: restart ?? (uid === 0 ? "systemctl" : "logind") };

const programOf = ({ program, arguments: words }: CommandConfig) => ({
  program,
  ...given({ arguments: words }),
});

const described = ({
  manufacturer,
  modelNumber,
  serialNumber,
  hardwareVersion,
}: Partial<Record<keyof BoardDescription, string | undefined>>): Partial<BoardDescription> =>
  given({ manufacturer, modelNumber, serialNumber, hardwareVersion });
