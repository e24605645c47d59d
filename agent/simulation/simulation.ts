/**
 * Many simulated devices in one process, each a whole agent with its own socket, board and disk. With it comes, unless
 * another LwM2M server is to be used, a management server, the job service, and the control interface that
 * `lwm2m-agent jobs` talks to.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createControlServer } from "../../jobs/control.js";
import { createJobService, type JobService } from "../../jobs/job-service.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { createSystemClock } from "../../platform/clock.js";
import { prepareDirectory } from "../../platform/files/durable.js";
import { systemRandom } from "../../platform/random.js";
import type { ObjectDefinition } from "../model/definition.js";
import type { Plugin } from "../plugin.js";
import { type Log, TransportError } from "../ports.js";
import { type DeviceHome, SimulatedDevice } from "./device.js";
import type { Fault } from "./faults.js";
import { startFirmwareServer } from "./firmware-server.js";

export interface SimulationOptions {
  readonly devices: number;
  /** By number of the device, counted from 1. */
  readonly faults: ReadonlyMap<number, Fault>;
  readonly plugins: readonly Plugin[];
  /** Of definition files; their values are simulated. */
  readonly objects: readonly ObjectDefinition[];
  /** Each device has a piece of software that Servers manage (/9/0). */
  readonly managesSoftware?: boolean;
  /** Where the devices keep their state; undefined: a temporary folder that goes with the simulation. */
  readonly stateDirectory: string | undefined;
  readonly log: Log;
}

export interface PackageOptions {
  readonly version: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes per second and download. */
  readonly rate: number;
}

/** The devices alone. */
export interface Simulation {
  readonly devices: readonly SimulatedDevice[];
  close(): Promise<void>;
}

/** The devices with the servers that they need. */
export interface ManagedSimulation extends Simulation {
  readonly jobs: JobService;
  readonly packageUri: string;
  /** Resolves when all devices have registered. */
  registered(signal: AbortSignal): Promise<void>;
}

export const deviceName = (number: number): string => `simulated-${number}`;

/** Half of the devices run 1.0, the others 2.0. */
const firmwareVersions = ["1.0", "2.0"] as const;

/** Starts devices that know nothing but where to turn to. */
export async function startDevices(options: SimulationOptions, home: DeviceHome): Promise<Simulation> {
  const { stateDirectory, log, plugins, objects, faults } = options;
  const directory = stateDirectory ?? (await mkdtemp(join(tmpdir(), "lwm2m-agent-simulation-")));
  await prepareDirectory(directory);
  const clock = createSystemClock();
  const devices: SimulatedDevice[] = [];
  const close = async () => {
    await Promise.all(devices.map((device) => device.close()));
    if (stateDirectory === undefined) await rm(directory, { recursive: true, force: true });
  };
  try {
    for (let number = 1; number <= options.devices; number++) {
      const endpointName = deviceName(number);
      devices.push(
        new SimulatedDevice({
          endpointName,
          home,
          firmwareVersion: firmwareVersions[(number - 1) % firmwareVersions.length] ?? "1.0",
          fault: faults.get(number),
          directory: join(directory, endpointName),
          plugins,
          objects,
          managesSoftware: options.managesSoftware ?? false,
          clock,
          random: systemRandom,
          log: log.child({ device: endpointName }),
        }),
      );
    }
    await Promise.all(devices.map((device) => device.start()));
  } catch (error) {
    await close();
    throw error;
  }
  return { devices, close };
}

export interface ManagedOptions extends SimulationOptions {
  /** UDP port of the management server; 0: any free one. */
  readonly port: number;
  readonly controlSocket: string;
  readonly package: PackageOptions;
}

/** Starts devices together with a management server, a firmware server and the control interface, all on loopback. */
export async function startManagedSimulation(options: ManagedOptions): Promise<ManagedSimulation> {
  const { log, port, controlSocket } = options;
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    const clock = createSystemClock();
    const server = await createManagementServer({ port, clock, random: systemRandom, log });
    closers.push(() => server.close());
    const jobs = createJobService({ gateway: server, clock, log });
    closers.push(() => jobs.close());
    const { version, size, rate } = options.package;
    const firmware = await startFirmwareServer({
      image: createSimulatedImage({ name: "simulated-firmware", version, size, seed: 1 }),
      rate,
    });
    closers.push(() => firmware.close());
    const control = await createControlServer(controlSocket, {
      jobs,
      server,
      packageUri: firmware.packageUri,
    });
    closers.push(() => control.close());
    const { devices, close: closeDevices } = await startDevices(options, { serverUri: server.uri });
    closers.push(closeDevices);
    return {
      devices,
      jobs,
      packageUri: firmware.packageUri,
      close,
      registered: (signal) =>
        allRegistered(
          server,
          devices.length,
          AbortSignal.any([signal, AbortSignal.timeout(registrationLimit)]),
        ),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Over loopback it takes milliseconds; longer than this, something is wrong that no patience mends. */
const registrationLimit = 30_000;

function allRegistered(server: ManagementServer, count: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (server.devices().length < count) return;
      end();
      resolve();
    };
    const fail = () => {
      end();
      const timedOut = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
      const missing = `only ${server.devices().length} of ${count} devices registered with ${server.uri} in time; --log-level debug shows why`;
      reject(timedOut ? new TransportError(missing) : signal.reason);
    };
    const stopListening = server.onDeviceEvent(check);
    const end = () => {
      stopListening();
      signal.removeEventListener("abort", fail);
    };
    signal.addEventListener("abort", fail, { once: true });
    if (signal.aborted) fail();
    else check();
  });
}
