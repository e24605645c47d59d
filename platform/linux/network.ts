import { endianness as machineEndianness, type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { ConnectivityReadings, InterfaceCounters, NetworkBearer } from "../../agent/model/readings.js";
import type { SystemFiles } from "./files.js";
import { type DefaultRoute, parseIpv4Routes, parseIpv6Routes } from "./routes.js";
import { parseWireless } from "./wireless.js";

/** What the operating system says without a file. */
export interface NetworkSources {
  interfaces(): NodeJS.Dict<NetworkInterfaceInfo[]>;
  readonly endianness: "LE" | "BE";
}

export const systemNetwork: NetworkSources = {
  interfaces: networkInterfaces,
  endianness: machineEndianness(),
};

/** The connection as the kernel sees it: in use is the interface of the best default route. */
export async function readConnectivity(
  files: SystemFiles,
  { interfaces, endianness }: NetworkSources,
): Promise<ConnectivityReadings> {
  const addresses = new Map(
    Object.entries(interfaces()).flatMap(([name, infos = []]) => {
      const own = infos.filter(({ internal }) => !internal).map(({ address }) => address);
      return own.length === 0 ? [] : [[name, own] as const];
    }),
  );
  const routes = [
    ...parseIpv4Routes((await files.text("proc/net/route")) ?? "", endianness),
    ...parseIpv6Routes((await files.text("proc/net/ipv6_route")) ?? ""),
  ].sort((a, b) => a.metric - b.metric);
  const inUse = routes[0]?.interface ?? [...addresses.keys()][0];
  const bearers = await Promise.all([...addresses.keys()].map((name) => bearerOf(files, name)));
  const radio =
    inUse === undefined ? undefined : parseWireless((await files.text("proc/net/wireless")) ?? "", inUse);
  return {
    bearer: inUse === undefined ? undefined : await bearerOf(files, inUse),
    availableBearers: distinct(bearers.filter((bearer) => bearer !== undefined)),
    addresses: [...addresses].sort(inUseFirst(inUse)).flatMap(([, own]) => own),
    routers: distinct(routes.map(({ gateway }: DefaultRoute) => gateway).filter((one) => one !== undefined)),
    ...(radio && { linkQuality: radio.linkQuality }),
    ...(radio?.signalStrength !== undefined && { signalStrength: radio.signalStrength }),
  };
}

const inUseFirst =
  (inUse: string | undefined) =>
  ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
    Number(b === inUse) - Number(a === inUse);

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** ARPHRD numbers of the kernel, in `type`. */
const bearersByType: ReadonlyMap<string, NetworkBearer> = new Map([
  ["1", "ethernet"],
  ["804", "ieee802154"],
  ["805", "ieee802154"],
]);

/**
 * The bearer of an interface, by what the kernel calls it. Of a modem's interface it does not say the technology: LTE is
 * what most of them are. undefined for tunnels and whatever else the registry has no name for.
 */
async function bearerOf(files: SystemFiles, name: string): Promise<NetworkBearer | undefined> {
  const folder = `sys/class/net/${name}`;
  const kind = /^DEVTYPE=(.+)$/m.exec((await files.text(`${folder}/uevent`)) ?? "")?.[1];
  if (
    kind === "wlan" ||
    (await files.exists(`${folder}/wireless`)) ||
    (await files.exists(`${folder}/phy80211`))
  )
    return "wlan";
  if (kind === "wwan") return "lteFdd";
  if (kind === "bluetooth") return "bluetooth";
  return bearersByType.get((await files.text(`${folder}/type`)) ?? "");
}

/**
 * Counters of the interfaces that are hardware; of all but the loopback where none is, as in a container. What goes through
 * a bridge or a tunnel is counted once, where it leaves the device.
 */
export async function readTraffic(files: SystemFiles): Promise<ReadonlyMap<string, InterfaceCounters>> {
  const names = (await files.list("sys/class/net")).filter((name) => name !== "lo");
  const isHardware = await Promise.all(names.map((name) => files.exists(`sys/class/net/${name}/device`)));
  const hardware = names.filter((_, index) => isHardware[index]);
  const counters = new Map<string, InterfaceCounters>();
  for (const name of hardware.length > 0 ? hardware : names) {
    const count = (counter: string) => files.count(`sys/class/net/${name}/statistics/${counter}`);
    const transmittedBytes = await count("tx_bytes");
    const receivedBytes = await count("rx_bytes");
    if (transmittedBytes === undefined || receivedBytes === undefined) continue;
    counters.set(name, {
      transmittedBytes,
      receivedBytes,
      transmittedPackets: (await count("tx_packets")) ?? 0,
      receivedPackets: (await count("rx_packets")) ?? 0,
    });
  }
  return counters;
}
