/** Makes the board that the configuration names. Each kind is loaded only where it is used. */
import { join } from "node:path";
import { createFileStore } from "../../platform/files/store.js";
import type { BoardType } from "../config/sections/board.js";
import type { ServiceConfig } from "../config/service-config.js";
import {
  type Board,
  type BoardDescription,
  type Clock,
  type Log,
  type Random,
  type Store,
  seconds,
} from "../ports.js";

export interface BoardContext {
  readonly directories: ServiceConfig["directories"];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A board that restarts without the machine, as the simulated one does: the agent begins anew. */
  readonly onRestart: (cause: "restart" | "factoryReset") => void;
}

/** A board in the service. */
export interface HostedBoard extends Board {
  /** Each time before an agent starts on it: where the machine does not boot, the board has to. */
  boot?(): Promise<void>;
}

type BoardConfig<Type extends BoardType> = Extract<ServiceConfig["board"], { type: Type }>;

const makers: {
  readonly [Type in BoardType]: (config: BoardConfig<Type>, context: BoardContext) => Promise<HostedBoard>;
} = {
  auto: async ({ type: _, ...description }, context) => {
    const { detectBoard } = await import("../../platform/boards/detect.js");
    const { type, reasons } = await detectBoard();
    context.log.info("board looked for", { found: type, reasons });
    if (type !== "none" && isBoardType(type)) return createBoard({ type, ...description }, context);
    context.log.warn("no board found", {
      advice: "say how this device takes firmware with board.type, or board.type: none",
    });
    return makers.none({ type: "none", ...description }, context);
  },
  edison: async (config, context) => {
    const { type: _, manufacturer, modelNumber, hardwareVersion, bootEnvironment, ...options } = config;
    const { createEdisonBoard } = await import("../../platform/boards/edison/board.js");
    return createEdisonBoard({
      ...given(options),
      ...(bootEnvironment && { bootEnvironment: given(bootEnvironment) }),
      description: given({ manufacturer, modelNumber, hardwareVersion }),
      store: storeOf(context),
      clock: context.clock,
      log: context.log,
    });
  },
  "raspberry-pi": async ({ type: _, manufacturer, modelNumber, hardwareVersion, ...options }, context) => {
    const { createRaspberryPiBoard } = await import("../../platform/boards/raspberry-pi/board.js");
    return createRaspberryPiBoard({
      ...given(options),
      description: given({ manufacturer, modelNumber, hardwareVersion }),
      store: storeOf(context),
      clock: context.clock,
      log: context.log,
    });
  },
  none: async ({ type: _, ...description }, { clock }) => {
    const { createNoBoard } = await import("../../platform/boards/none.js");
    return createNoBoard({ clock, description: stated(description) });
  },
  simulated: async ({ firmwareVersion = "1.0", applyDuration }, { directories, ...context }) => {
    const { createSimulatedBoard } = await import("../../platform/boards/simulated.js");
    return createSimulatedBoard({
      ...context,
      directory: join(directories.state, "board"),
      firmwareVersion,
      ...(applyDuration !== undefined && { applyDuration: seconds(applyDuration) }),
    });
  },
};

export const createBoard = <Type extends BoardType>(
  config: BoardConfig<Type> & { readonly type: Type },
  context: BoardContext,
): Promise<HostedBoard> => makers[config.type](config, context);

const isBoardType = (type: string): type is BoardType => Object.hasOwn(makers, type);

/** Of the board's own, beside the records of the agent. */
const storeOf = ({ directories }: BoardContext): Store => createFileStore(join(directories.state, "board"));

type Given<T> = { readonly [Key in keyof T]: Exclude<T[Key], undefined> };

/** A key that was left out is not there at all. */
const given = <T extends object>(options: T): Given<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;

const stated = (description: Readonly<Record<string, string | undefined>>): Partial<BoardDescription> =>
  Object.fromEntries(Object.entries(description).filter(([, value]) => value !== undefined));
