import type { AgentServer } from "../main.js";
import type { Directories } from "./defaults.js";
import type { StatedConfig } from "./schema.js";

/** The configuration of the service: all defaults filled in, all paths absolute. */
export interface ServiceConfig {
  /** What the operator said, and nothing more. */
  readonly stated: StatedConfig;
  /** undefined when there was none. */
  readonly file: string | undefined;
  readonly endpointName: string;
  readonly servers: readonly AgentServer[];
  readonly board: NonNullable<StatedConfig["board"]>;
  readonly objects: readonly (NonNullable<StatedConfig["objects"]>[number] | string)[];
  readonly plugins: readonly string[];
  readonly pluginDirectory: string;
  readonly scripts: readonly (Omit<NonNullable<StatedConfig["scripts"]>[number], "object"> & {
    /** Path of its definition file. */
    readonly object: string;
  })[];
  readonly directories: Directories;
  readonly log: {
    readonly level: NonNullable<NonNullable<StatedConfig["log"]>["level"]>;
    readonly format: NonNullable<NonNullable<StatedConfig["log"]>["format"]>;
  };
  /** undefined: not served. */
  readonly metrics: LocalPort | undefined;
  readonly statusPage: LocalPort | undefined;
  readonly control: { readonly socket: string; readonly group: string | undefined };
}

/** Of this device alone. */
export interface LocalPort {
  readonly address: string;
  readonly port: number;
}
