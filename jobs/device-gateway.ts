/**
 * What jobs ask of a management server, and how a device may fail to answer. `server/` implements it over CoAP, the tests
 * in memory.
 */
import type { Path, ResourcePath } from "../agent/model/path.js";
import type { InstanceContent, ObjectContent, ResourceContent } from "../agent/model/value.js";

/** An Object of a device, as its registration lists it. */
export interface RegisteredObject {
  /** Undefined when the device leaves it to the LwM2M version. */
  readonly version: string | undefined;
  readonly instances: readonly number[];
}

/** A device that is registered now. */
export interface RegisteredDevice {
  readonly endpointName: string;
  readonly address: string;
  readonly port: number;
  readonly lwm2mVersion: string;
  /** 0: never expires. */
  readonly lifetimeSeconds: number;
  /** Sleeps, and is to be reached only for a while after it was heard. */
  readonly queueMode: boolean;
  readonly objects: ReadonlyMap<number, RegisteredObject>;
  readonly registeredAt: Date;
}

/** What happened to the registration of a device. */
export interface DeviceEvent {
  readonly type: "registered" | "updated" | "deregistered" | "expired";
  readonly device: RegisteredDevice;
  /** It was registered already: as a rule it has restarted. */
  readonly isReregistration?: boolean;
}

export interface Observation {
  /** Resolves when the device has been told, or cannot be told. Harmless when it has ended. */
  cancel(): Promise<void>;
}

/** Replace puts the new content in the place of the old, update merges it (LwM2M Core 1.2 §6.3.3). */
export type WriteMode = "replace" | "update";

/**
 * Devices by endpoint name. Every operation throws DeviceNotConnectedError, DeviceTimeoutError or DeviceResponseError,
 * and DecodeError when the answer makes no sense.
 */
export interface DeviceGateway {
  /** In the order of their names. */
  devices(): readonly RegisteredDevice[];
  device(endpointName: string): RegisteredDevice | undefined;
  /** Is it registered, or has it been? */
  isKnown(endpointName: string): boolean;
  /** False while it is not registered, and while it sleeps in queue mode. */
  isReachable(endpointName: string): boolean;
  /** @returns the way to stop listening */
  onDeviceEvent(listener: (event: DeviceEvent) => void): () => void;
  read(endpointName: string, path: Path): Promise<ObjectContent>;
  write(endpointName: string, path: Path, content: ObjectContent, mode: WriteMode): Promise<void>;
  execute(endpointName: string, path: ResourcePath, args?: string): Promise<void>;
  /** @param notified called with the first value as well, and no more after a new registration of the device */
  observe(endpointName: string, path: Path, notified: (content: ObjectContent) => void): Promise<Observation>;
}

export class DeviceNotConnectedError extends Error {
  override readonly name = "DeviceNotConnectedError";
  constructor(endpointName: string) {
    super(`${endpointName} is not registered`);
  }
}

/** No answer came: the device may have done what it was asked, or not. */
export class DeviceTimeoutError extends Error {
  override readonly name = "DeviceTimeoutError";
  /** The device registered anew before it answered. */
  readonly restarted: boolean;
  constructor(message: string, options: ErrorOptions & { restarted?: boolean } = {}) {
    super(message, options);
    this.restarted = options.restarted ?? false;
  }
}

/** The device answered with an error. */
export class DeviceResponseError extends Error {
  override readonly name = "DeviceResponseError";
  /** As CoAP writes it, such as `4.05`. */
  readonly code: string;
  constructor(code: string, operation: string, diagnostic = "") {
    super(`${operation} was answered with ${code}${diagnostic === "" ? "" : `: ${diagnostic}`}`);
    this.code = code;
  }
}

/** The content that holds one Resource and nothing else. */
export const resourceContent = (
  [, objectInstanceId, resourceId]: ResourcePath,
  content: ResourceContent,
): ObjectContent => new Map<number, InstanceContent>([[objectInstanceId, new Map([[resourceId, content]])]]);

/** What the content says of one Resource. */
export const resourceIn = (
  content: ObjectContent,
  [, objectInstanceId, resourceId]: ResourcePath,
): ResourceContent | undefined => content.get(objectInstanceId)?.get(resourceId);
