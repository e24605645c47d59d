import type { Path, ResourcePath } from "../../agent/model/path.js";
import { formatPath } from "../../agent/model/path.js";
import type { ObjectContent, ResourceContent } from "../../agent/model/value.js";
import {
  type DeviceEvent,
  type DeviceGateway,
  DeviceNotConnectedError,
  DeviceResponseError,
  DeviceTimeoutError,
  type Observation,
  type RegisteredDevice,
  resourceContent,
  resourceIn,
} from "../../jobs/device-gateway.js";

/** A device that answers from memory. Tests put handlers in the place of what a real one would do. */
export class SimulatedDevice {
  readonly resources = new Map<string, ResourceContent>();
  /** What was asked, in order: `read /3/0/3`, `write /5/0/1 http://…`, `execute /5/0/2`. */
  readonly requests: string[] = [];
  /** Called before a request is served: may change the device, refuse by a throw, or never end. */
  before: (request: string) => void | Promise<void> = () => undefined;
  readonly observers = new Map<string, Set<(content: ObjectContent) => void>>();
  awake = true;

  /** Changes a Resource and tells whoever observes it. */
  set(path: string, value: ResourceContent): void {
    this.resources.set(path, value);
    const segments = path.slice(1).split("/").map(Number) as unknown as ResourcePath;
    for (const notified of this.observers.get(path) ?? []) notified(resourceContent(segments, value));
  }
}

export const refuse = (code: string) => {
  throw new DeviceResponseError(code, "the request");
};

export interface SimulatedGateway extends DeviceGateway {
  register(endpointName: string, options?: Partial<RegisteredDevice>): SimulatedDevice;
  /** Registers anew: what is under way fails, observations are void. */
  reregister(endpointName: string): void;
  update(endpointName: string): void;
  deregister(endpointName: string): void;
}

/** Devices in memory behind the port that jobs use; no request takes time unless a test says so. */
export function createSimulatedGateway(): SimulatedGateway {
  const devices = new Map<
    string,
    { simulated: SimulatedDevice; registered: RegisteredDevice; ended: Ending }
  >();
  const known = new Set<string>();
  const listeners = new Set<(event: DeviceEvent) => void>();
  const tell = (event: DeviceEvent) => {
    for (const listener of listeners) listener(event);
  };

  async function ask(endpointName: string, request: string): Promise<SimulatedDevice> {
    const device = devices.get(endpointName);
    if (device === undefined) throw new DeviceNotConnectedError(endpointName);
    const { simulated, ended } = device;
    simulated.requests.push(request);
    await Promise.race([simulated.before(request), ended.promise]);
    return simulated;
  }

  return {
    register(endpointName, options = {}) {
      const simulated = new SimulatedDevice();
      const registered: RegisteredDevice = {
        endpointName,
        address: "192.0.2.1",
        port: 5683,
        lwm2mVersion: "1.1",
        lifetimeSeconds: 300,
        queueMode: false,
        objects: new Map([[5, { version: "1.1", instances: [0] }]]),
        registeredAt: new Date(0),
        ...options,
      };
      devices.set(endpointName, { simulated, registered, ended: createEnding() });
      known.add(endpointName);
      tell({ type: "registered", device: registered, isReregistration: false });
      return simulated;
    },
    reregister(endpointName) {
      const device = devices.get(endpointName);
      if (device === undefined) throw new Error(`${endpointName} has never registered`);
      device.ended.reject(new DeviceTimeoutError("registered anew before it answered", { restarted: true }));
      device.ended = createEnding();
      device.simulated.observers.clear();
      tell({ type: "registered", device: device.registered, isReregistration: true });
    },
    update(endpointName) {
      const device = devices.get(endpointName);
      if (device !== undefined) tell({ type: "updated", device: device.registered });
    },
    deregister(endpointName) {
      const device = devices.get(endpointName);
      if (device === undefined) return;
      devices.delete(endpointName);
      device.ended.reject(new DeviceTimeoutError("left before it answered"));
      tell({ type: "deregistered", device: device.registered });
    },
    devices: () => [...devices.values()].map(({ registered }) => registered),
    device: (endpointName) => devices.get(endpointName)?.registered,
    isKnown: (endpointName) => known.has(endpointName),
    isReachable: (endpointName) => devices.get(endpointName)?.simulated.awake ?? false,
    onDeviceEvent(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async read(endpointName, path) {
      const { resources } = await ask(endpointName, `read ${formatPath(path)}`);
      const value = resources.get(formatPath(path));
      if (value === undefined) return refuse("4.04");
      return resourceContent(asResource(path), value);
    },
    async write(endpointName, path, content) {
      const value = resourceIn(content, asResource(path));
      await ask(endpointName, `write ${formatPath(path)} ${String(value)}`);
    },
    async execute(endpointName, path) {
      await ask(endpointName, `execute ${formatPath(path)}`);
    },
    async observe(endpointName, path, notified): Promise<Observation> {
      const simulated = await ask(endpointName, `observe ${formatPath(path)}`);
      const key = formatPath(path);
      const observers = simulated.observers.get(key) ?? new Set();
      simulated.observers.set(key, observers.add(notified));
      const value = simulated.resources.get(key);
      if (value !== undefined) notified(resourceContent(asResource(path), value));
      return {
        cancel: async () => {
          observers.delete(notified);
        },
      };
    },
  };
}

/** How everything that is under way with a device ends when its registration does. */
interface Ending {
  readonly promise: Promise<never>;
  reject(fault: Error): void;
}

function createEnding(): Ending {
  let reject: (fault: Error) => void = () => undefined;
  const promise = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  promise.catch(() => undefined); // often nothing is under way
  return { promise, reject };
}

const asResource = (path: Path): ResourcePath => path as ResourcePath; // jobs ask for Resources only
