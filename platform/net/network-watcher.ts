import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import {
  type Clock,
  type Millis,
  millis,
  type NetworkWatcher,
  seconds,
  type Timer,
} from "../../agent/ports.js";

export interface NetworkWatcherOptions {
  readonly clock: Clock;
  /** How this device is reached, as text to be compared; empty when it is not reached at all. */
  readonly look?: () => string;
  /** Between two looks. */
  readonly period?: Millis;
}

const defaultPeriod = seconds(10);

/** A network that comes up passes through states that nobody has to hear of. */
const settlingFraction = 0.1;

/**
 * Looks at the addresses and the default routes from time to time, and only while somebody listens. A look takes about a
 * tenth of a millisecond, so ten seconds between two of them cost nothing that could be measured; to be told by the kernel
 * (rtnetlink) would take a process beside us or native code, for news that a Server may as well have ten seconds later.
 */
export function createNetworkWatcher({
  clock,
  look = describeNetwork,
  period = defaultPeriod,
}: NetworkWatcherOptions): NetworkWatcher {
  const listeners = new Set<() => void>();
  let told = "";
  let timer: Timer | undefined;

  const wait = (delay: number, then: () => void) => {
    timer = clock.after(millis(delay), then);
  };
  const compare = () => {
    const seen = look();
    if (seen === told) return wait(period, compare);
    wait(period * settlingFraction, () => settle(seen));
  };
  const settle = (seen: string) => {
    if (look() !== seen) return compare();
    told = seen;
    wait(period, compare);
    // A network that has gone is no news as long as nobody can be told.
    if (seen !== "") for (const listener of [...listeners]) listener();
  };

  return {
    onChange(listener) {
      // Each call is a listener of its own, also with the same function.
      const own = () => listener();
      if (listeners.size === 0) {
        told = look();
        wait(period, compare);
      }
      listeners.add(own);
      return () => {
        listeners.delete(own);
        if (listeners.size === 0) timer?.cancel();
      };
    },
  };
}

/** Addresses of this device that others may reach it at, and where its default routes lead. */
export function describeNetwork(): string {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
    entries.filter(({ internal }) => !internal).map(({ address }) => `${name} ${address}`),
  );
  if (addresses.length === 0) return "";
  return [...addresses.sort(), ...defaultRoutes()].join("\n");
}

/** Interface, gateway and metric of the default routes, as far as this Linux tells. */
function defaultRoutes(): string[] {
  const ipv4 = linesOf("/proc/net/route")
    .map((line) => line.split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === noAddress && mask === noAddress)
    .map(([name, , gateway, , , , metric]) => `default ${name} ${gateway} ${metric}`);
  const ipv6 = linesOf("/proc/net/ipv6_route")
    .map((line) => line.split(/\s+/))
    .filter(([destination, length]) => length === "00" && /^0+$/.test(destination ?? ""))
    .map(([, , , , gateway, metric, , , , name]) => `default ${name} ${gateway} ${metric}`);
  return [...ipv4, ...ipv6].sort();
}
const noAddress = "00000000";

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return []; // no IPv6, or no Linux: the addresses have to do
  }
}
