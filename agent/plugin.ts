/**
 * The API of plugins, published as `lwm2m-agent/plugin`. A plugin extends the agent with callbacks and Objects; it gets
 * everything through the arguments of its functions and needs no other import.
 *
 * @example
 * ```ts
 * import { definePlugin } from "lwm2m-agent/plugin";
 *
 * export const plugin = definePlugin({
 *   name: "greeter",
 *   configurationApplied: ({ name, value }, agent) => agent.log.info("configured", { name, value }),
 * });
 * ```
 */
import type { ObjectImplementation } from "./model/definition.js";
import type { ObjectHandle } from "./model/object-handle.js";
import type { SendItem, SendOptions, SendReport } from "./model/send.js";
import type { ImageFile, Log } from "./ports.js";

export {
  type AfterResponse,
  defineObject,
  type ExecuteArguments,
  type Handlers,
  type InitialValues,
  type LiveObject,
  multipleInstances,
  type ObjectDefinition,
  type ObjectImplementation,
  type ResourceDefinition,
  type ResourceHandler,
  singleInstance,
  type ValueOf,
} from "./model/definition.js";
export { RequestError } from "./model/errors.js";
export type { ObjectHandle, ResourceValues } from "./model/object-handle.js";
export type { Sample, SendItem, SendOptions, SendReport } from "./model/send.js";
export type {
  ObjectLink,
  ResourceContent,
  ResourceInstances,
  ResourceType,
  ResourceValue,
} from "./model/value.js";
export { type ImageFile, type Log, PackageError, type PackageFailure } from "./ports.js";

type Awaitable<T> = T | Promise<T>;

/** /5/0/3: 0 Idle, 1 Downloading, 2 Downloaded, 3 Updating. */
export type FirmwareUpdateState = 0 | 1 | 2 | 3;

/**
 * /5/0/5: 0 initial, 1 success, 2 not enough storage, 3 out of memory, 4 connection lost, 5 integrity check failure,
 * 6 unsupported package type, 7 invalid URI, 8 update failed, 9 unsupported protocol, 10 cancelled, 11 deferred.
 */
export type FirmwareUpdateResult = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11;

/** What a plugin may do with the agent it extends. */
export interface PluginAgent {
  readonly endpointName: string;
  /** Every line carries the plugin's name. */
  readonly log: Log;
  /**
   * Reports the State of a firmware update that the plugin carries out itself.
   * @throws Error naming the States that are legal now
   */
  setFirmwareUpdateState(objectInstanceId: number, state: FirmwareUpdateState): Promise<void>;
  /** Reports the Result of a firmware update that the plugin carries out itself; set it before the State. */
  setFirmwareUpdateResult(objectInstanceId: number, result: FirmwareUpdateResult): Promise<void>;
  /** Adds an Object. Only while `start` runs: the first Register then lists it already. */
  addObject(implementation: ObjectImplementation): void;
  /**
   * An Object of a definition file that the agent was started with, to be fed with values. Any time.
   * @throws Error when the agent was not started with it
   */
  object(objectId: number): ObjectHandle;
  /**
   * Sends values to the Servers that want them (Mute Send, /1/x/23, is false there): present ones by their path, or samples
   * that the plugin took, `{ path, value, time }`. Resolves when each Server has answered or will not.
   * @throws TypeError for a path that is none, and for a value that its Resource does not take
   */
  send(items: readonly SendItem[], options?: SendOptions): Promise<readonly SendReport[]>;
}

export interface PackageUriWritten {
  readonly objectInstanceId: number;
  readonly uri: string;
  /** Fires when the Server cancels or resets the update. */
  readonly signal: AbortSignal;
  /** Does what the agent would have done without the plugin: download, verify, report. */
  proceed(): Promise<void>;
}

export interface UpdateExecuted {
  readonly objectInstanceId: number;
  readonly uri: string;
  readonly signal: AbortSignal;
  /**
   * The package that the agent has fetched and verified, hashed once more, to be read; undefined when a plugin has fetched it
   * itself.
   * @throws PackageError when it changed meanwhile
   */
  image(): Promise<ImageFile | undefined>;
  /** Does what the agent would have done without the plugin: install, restart, report. */
  proceed(): Promise<void>;
}

export interface ConfigurationApplied {
  readonly objectInstanceId: number;
  readonly name: string | undefined;
  readonly value: string | undefined;
}

export interface DeviceAction {
  /** Does what the agent would have done without the plugin. */
  proceed(): Promise<void>;
}

/**
 * The version of this API. It grows when something is added; what a plugin of an older version uses goes on working.
 */
export const pluginApi = 1;

/**
 * Callbacks of a plugin. Each is optional; one that is there takes the place of what the agent does by itself. One that does not
 * return in time is given up (30 s; a day for `packageUriWritten` and `updateExecuted`), the time in `proceed` not counted.
 */
export interface Plugin {
  /** 1 to 64 letters, digits and dashes; no two plugins have the same. Appears in the log and in `status`. */
  readonly name: string;
  /** The version of this API that the plugin needs; 1 when not given. An older agent refuses the plugin. */
  readonly api?: typeof pluginApi;
  /** Before the agent registers. The place for `addObject`. A throw leaves the plugin out of this run, and its Objects. */
  start?(agent: PluginAgent): Awaitable<void>;
  /** The agent stops: end timers and files here. Timers that are left after it are ended, and named in the log. */
  stop?(): Awaitable<void>;
  /**
   * A Server wrote a Package URI of a scheme that is supported; State is Downloading. A throw ends the update: a
   * PackageError with the Result it stands for, anything else with Result 4.
   */
  packageUriWritten?(event: PackageUriWritten, agent: PluginAgent): Awaitable<void>;
  /** A Server executed Update; State is Updating. A throw ends the update with Result 8. */
  updateExecuted?(event: UpdateExecuted, agent: PluginAgent): Awaitable<void>;
  /** A Server executed Reboot, and has its answer. A throw keeps the device from it; one that hangs does not. */
  reboot?(event: DeviceAction, agent: PluginAgent): Awaitable<void>;
  /** A Server executed Factory Reset, and has its answer. A throw keeps the device from it; one that hangs does not. */
  factoryReset?(event: DeviceAction, agent: PluginAgent): Awaitable<void>;
  /** A Server executed Apply of a Configuration instance. A throw refuses it: what was in force stays. */
  configurationApplied?(event: ConfigurationApplied, agent: PluginAgent): Awaitable<void>;
}

/** Gives a plugin its types: a callback with a wrong argument or a misspelt name does not compile. */
export const definePlugin = (plugin: Plugin): Plugin => plugin;
