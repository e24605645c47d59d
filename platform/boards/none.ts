/** A device that takes no firmware: it is described, managed and restarted, and refuses packages with the remedy. */
import { type Board, type BoardDescription, type Clock, PackageError } from "../../agent/ports.js";
import { bootIdFile, readBootId } from "../linux/boot-id.js";
import { describeBoard } from "./command/description.js";
import { createRestart, type RestartOptions } from "./restart.js";

export interface NoBoardOptions {
  readonly clock: Clock;
  /** In place of what Linux knows. */
  readonly description?: Partial<BoardDescription>;
  /** By systemctl when not given. */
  readonly restart?: RestartOptions;
  /** `/` when not given: where device tree and os-release are. */
  readonly root?: string;
  readonly bootIdFile?: string;
}

const remedy = "this device has no installer: say how it takes firmware with board.type in its configuration";

export function createNoBoard(options: NoBoardOptions): Board {
  const refuse = async (): Promise<never> => {
    throw new PackageError("unsupported-package", remedy);
  };
  const restart = createRestart(options.restart ?? { by: "systemctl" }, options.clock);
  return {
    name: "none",
    bootId: () => readBootId(options.bootIdFile ?? bootIdFile),
    describe: () => describeBoard(options.description ?? {}, new Map(), options.root ?? "/"),
    inspect: refuse,
    apply: refuse,
    outcome: async () => "unknown",
    commit: async () => undefined,
    revert: async () => "done",
    restart: () => restart(),
    factoryReset: async () => {
      throw new Error(remedy.replace("takes firmware", "returns to its factory state"));
    },
    check: async () => [{ level: "warning", found: "no firmware can be installed on this device", remedy }],
  };
}
