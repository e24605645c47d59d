import type { SimulatedFault } from "../../platform/boards/simulated.js";

/** What can go wrong with one simulated device, by the name that `--fail <device>=<fault>` takes. */
export const faults = {
  "bad-uri": "the package is not at the address that the device was given (404)",
  "connection-cut": "the connection is cut in the middle of every download",
  "corrupt-image": "the package arrives with a flipped bit",
  "install-failure": "the board cannot write the image",
  "old-image": "the board restarts into its old image",
} as const;

export type Fault = keyof typeof faults;

export const isFault = (name: string): name is Fault => Object.hasOwn(faults, name);

/** Faults of the board; the others are of the way between server and device. */
export const isBoardFault = (fault: Fault | undefined): fault is SimulatedFault =>
  fault === "install-failure" || fault === "old-image";

/** The address that a device with this fault really asks: the firmware server misbehaves below `/faults/<name>/`. */
export function faultyUri(uri: string, fault: Fault | undefined): string {
  if (fault === undefined || isBoardFault(fault)) return uri;
  const url = new URL(uri);
  url.pathname = `/faults/${fault}${url.pathname}`;
  return url.href;
}
