/** Where a configuration comes from. */
import { resolve } from "node:path";
import type { Surroundings } from "./defaults.js";
import { configVariable, type Override } from "./override.js";

export const defaultConfigFile = "/etc/lwm2m-agent/agent.yaml";

export interface ConfigSources {
  /** Of the flag `--config`; undefined: LWM2M_AGENT_CONFIG, or the default file, which need not be there. */
  readonly file: string | undefined;
  readonly flags: readonly Override[];
  readonly surroundings: Surroundings;
}

export function chooseFile({ file, surroundings }: ConfigSources): {
  readonly file: string;
  readonly mayBeAbsent: boolean;
} {
  const chosen = file ?? (surroundings.env[configVariable] || undefined);
  return { file: resolve(chosen ?? defaultConfigFile), mayBeAbsent: chosen === undefined };
}
