import { seconds } from "../../../agent/ports.js";
import {
  type RestartingDevice,
  type RestartingDeviceOptions,
  startRestartingDevice,
} from "../../agent/restarting-device.js";
import type { LeshanEvent, LeshanProcess } from "./process.js";

/** What Leshan makes of an answer. */
export interface Outcome {
  readonly code: string;
  readonly message?: string;
  readonly format?: number;
  /** Values by path; opaque ones in hex, times in seconds since 1970. */
  readonly content?: Readonly<Record<string, unknown>>;
  readonly links?: readonly string[];
  readonly location?: string;
}

export interface Registration {
  readonly id: string;
  readonly version: string;
  readonly lifetime: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly rootPath: string;
  readonly port: number;
  readonly links: readonly string[];
  readonly formats: readonly number[];
  readonly attributes: Readonly<Record<string, string>>;
}

/** A value to write, with the type that the model gives it. */
export type Content =
  | { readonly type: string; readonly value: unknown }
  | { readonly type: string; readonly values: Readonly<Record<string, unknown>> };

/** A device on one side, Leshan's hands on the other. */
export class ManagedDevice {
  readonly device: RestartingDevice;
  readonly leshan: LeshanProcess;
  readonly endpointName: string;
  /** The event of the first registration. */
  readonly registered: LeshanEvent & Registration;

  /** Starts an agent whose only Server is Leshan, and waits until Leshan has it. */
  static async start(
    leshan: LeshanProcess,
    options: Omit<RestartingDeviceOptions, "agent"> & {
      readonly agent?: Partial<RestartingDeviceOptions["agent"]>;
    },
  ): Promise<ManagedDevice> {
    const after = leshan.mark();
    const device = await startRestartingDevice({
      ...options,
      agent: { servers: [{ uri: leshan.uri, shortServerId: 1, lifetime: 300 }], ...options.agent },
    });
    const { endpointName } = options;
    try {
      const registered = await leshan.event({
        kind: "registered",
        after,
        where: (event) => event.endpoint === endpointName,
      });
      return new ManagedDevice(leshan, device, endpointName, registered as LeshanEvent & Registration);
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  private constructor(
    leshan: LeshanProcess,
    device: RestartingDevice,
    endpointName: string,
    registered: LeshanEvent & Registration,
  ) {
    this.leshan = leshan;
    this.device = device;
    this.endpointName = endpointName;
    this.registered = registered;
  }

  async perform(operation: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Outcome> {
    const outcome = await this.leshan.perform({ operation, endpoint: this.endpointName, ...fields });
    if (outcome["error"] !== undefined) {
      throw new Error(`Leshan: ${outcome["error"]}: ${outcome["message"] ?? operation}`);
    }
    return outcome as unknown as Outcome;
  }

  read(path: string, format?: number): Promise<Outcome> {
    return this.perform("read", { path, ...(format !== undefined && { format }) });
  }

  /** The value of one Resource or Resource Instance. */
  async value(path: string): Promise<unknown> {
    return (await this.read(path)).content?.[path];
  }

  write(path: string, content: Content, format?: number): Promise<Outcome> {
    return this.perform("write", { path, content, ...(format !== undefined && { format }) });
  }

  /** Of an Instance: each Resource by its ID. */
  writeInstance(
    path: string,
    content: Readonly<Record<string, Content>>,
    options: { readonly mode: "REPLACE" | "UPDATE"; readonly format?: number },
  ): Promise<Outcome> {
    return this.perform("write", { path, content, ...options });
  }

  execute(path: string, parameters?: string): Promise<Outcome> {
    return this.perform("execute", { path, ...(parameters !== undefined && { arguments: parameters }) });
  }

  /** The next event of this device. */
  event(
    kind: string,
    after: number,
    where: (event: LeshanEvent) => boolean = () => true,
    timeoutMillis: number = seconds(20),
  ): Promise<LeshanEvent> {
    return this.leshan.event({
      kind,
      after,
      timeoutMillis,
      where: (event) => event.endpoint === this.endpointName && where(event),
    });
  }

  close(): Promise<void> {
    return this.device.close();
  }
}
