/** The Resources that Firmware Update (5) and Advanced Firmware Update (33629) have in common. */
import { RequestError } from "../../agent/model/errors.js";
import type { Delivery } from "./delivery.js";
import { receivePackage } from "./push.js";
import type { FirmwareUpdateRecord } from "./record.js";
import type { FirmwareUpdateRunner } from "./runner.js";
import { packageOf, stateNumbers, uriOf } from "./state.js";

export const updateResources = (runner: FirmwareUpdateRunner, delivery: Delivery) => ({
  package: {
    receive: (size: number | undefined) => {
      if (!delivery.pushes) throw new RequestError("4.05", "packages are not pushed to this device");
      return receivePackage(runner, size);
    },
  },
  packageUri: {
    read: () => uriOf(runner.record.state),
    write: (uri: string) => {
      if (!delivery.pulls) throw new RequestError("4.05", "this device does not fetch packages");
      return runner.writePackageUri(uri);
    },
  },
  state: { read: () => stateNumbers[runner.record.state.name] },
  updateResult: { read: () => runner.record.state.result },
  pkgName: { read: () => packageOf(runner.record.state)?.info.name },
  pkgVersion: { read: () => packageOf(runner.record.state)?.info.version },
  protocolSupport: { read: () => delivery.protocols },
  deliveryMethod: { read: () => delivery.method },
  cancel: { execute: () => runner.cancel() },
  severity: {
    read: () => runner.record.severity,
    write: (severity: number) => runner.configure({ severity }),
  },
  lastStateChangeTime: { read: () => runner.record.lastStateChange },
  maximumDeferPeriod: {
    read: () => runner.record.maximumDeferSeconds,
    write: (maximumDeferSeconds: number) => runner.configure({ maximumDeferSeconds }),
  },
});

type Changing = "packageUri" | "pkgName" | "pkgVersion" | "updateResult" | "lastStateChangeTime" | "state";

/** In the order in which the registry has them change: the Result and the time before the State. */
export function changedResources(
  before: FirmwareUpdateRecord,
  now: FirmwareUpdateRecord,
): readonly Changing[] {
  const readings: readonly [Changing, (record: FirmwareUpdateRecord) => unknown][] = [
    ["packageUri", ({ state }) => uriOf(state)],
    ["pkgName", ({ state }) => packageOf(state)?.info.name],
    ["pkgVersion", ({ state }) => packageOf(state)?.info.version],
    ["updateResult", ({ state }) => state.result],
    ["lastStateChangeTime", ({ lastStateChange }) => lastStateChange],
    ["state", ({ state }) => stateNumbers[state.name]],
  ];
  return readings.filter(([, read]) => read(before) !== read(now)).map(([name]) => name);
}
