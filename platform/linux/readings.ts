/**
 * What any Linux says about the device it runs on, from /proc, /sys and /etc. Nothing is read before somebody asks, and what
 * is missing or malformed is a value that is not there.
 */
import type { DeviceReadings } from "../../agent/model/readings.js";
import type { Clock } from "../../agent/ports.js";
import { SystemFiles } from "./files.js";
import { type NetworkSources, readConnectivity, readTraffic, systemNetwork } from "./network.js";
import { readIdentity, readMemory, readPlace } from "./system.js";

export interface LinuxOptions {
  readonly clock: Clock;
  /** `/` when not given. */
  readonly root?: string;
  readonly network?: NetworkSources;
}

export type LinuxReadings = Required<Omit<DeviceReadings, "power">>;

export function createLinuxReadings({
  clock,
  root = "/",
  network = systemNetwork,
}: LinuxOptions): LinuxReadings {
  const files = new SystemFiles(root);
  return {
    memory: () => readMemory(files),
    place: () => readPlace(files, clock.date()),
    identity: () => readIdentity(files),
    connectivity: () => readConnectivity(files, network),
    traffic: () => readTraffic(files),
  };
}
