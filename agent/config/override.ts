/** What stands above the file: flags, and variables of the environment. */
import type { KeyPath } from "./problem.js";

/** One value that stands above the file. */
export interface Override {
  readonly path: KeyPath;
  readonly value: unknown;
  /** As in `the flag --server`. */
  readonly source: string;
}

export const environmentPrefix = "LWM2M_AGENT_";
export const configVariable = `${environmentPrefix}CONFIG`;

export type Environment = Readonly<Record<string, string | undefined>>;
