import type { Clock } from "../../agent/ports.js";
import { seconds } from "../../agent/ports.js";
import { refuse, type SimulatedDevice, type SimulatedGateway } from "./simulated-gateway.js";

export interface FirmwareBehaviour {
  /** Update Result at the end of the download; 0 goes on to Downloaded. */
  readonly downloadResult?: number;
  /** Update Result after the restart. */
  readonly updateResult?: number;
  /** Leaves observers in the dark, as lost notifications do. */
  readonly silent?: boolean;
}

/** Makes a simulated device follow a firmware update as a real one does: 10 s of download, 20 s for the rest. */
export function withFirmware(
  gateway: SimulatedGateway,
  endpointName: string,
  device: SimulatedDevice,
  clock: Clock,
  { downloadResult = 0, updateResult = 1, silent = false }: FirmwareBehaviour = {},
): void {
  const set = (path: string, value: number | string) =>
    silent ? device.resources.set(path, value) : device.set(path, value);
  const report = (state: number, result: number) => {
    set("/5/0/5", result);
    set("/5/0/3", state);
  };
  const finishUpdate = () => {
    if (updateResult === 1) device.resources.set("/3/0/3", "2.0");
    device.observers.clear();
    device.resources.set("/5/0/5", updateResult).set("/5/0/3", updateResult === 1 ? 0 : 2);
    gateway.reregister(endpointName);
  };
  device.resources.set("/3/0/3", "1.0").set("/5/0/3", 0).set("/5/0/5", 0);
  device.before = (request) => {
    const state = device.resources.get("/5/0/3");
    if (request === "write /5/0/1 ") return report(0, 0);
    if (request.startsWith("write /5/0/1")) {
      if (state !== 0) refuse("4.05");
      report(1, 0);
      clock.after(seconds(10), () => {
        if (device.resources.get("/5/0/3") !== 1) return;
        report(downloadResult === 0 ? 2 : 0, downloadResult);
      });
    }
    if (request === "execute /5/0/10") {
      if (state !== 1 && state !== 2) refuse("4.05");
      report(0, 10);
    }
    if (request === "execute /5/0/2") {
      if (state !== 2) refuse("4.05");
      report(3, 0);
      clock.after(seconds(20), finishUpdate);
    }
  };
}
