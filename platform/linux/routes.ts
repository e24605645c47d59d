/** The routing tables of the kernel, as `/proc/net` has them. */

export interface DefaultRoute {
  readonly interface: string;
  /** undefined when the route has none, as with point-to-point links. */
  readonly gateway: string | undefined;
  readonly metric: number;
}

const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;

/**
 * Reads `/proc/net/route`. Lines that make no sense are skipped.
 * @param endianness of the machine: the kernel prints addresses in network order as if they were numbers
 */
export function parseIpv4Routes(table: string, endianness: "LE" | "BE"): DefaultRoute[] {
  return table.split("\n").flatMap((line) => {
    const [name, destination, gateway = "", flags = "", , , metric = "", mask] = line
      .split("\t")
      .map((f) => f.trim());
    const isDefault = destination === "00000000" && mask === "00000000";
    if (!name || !isDefault || !/^[0-9A-F]{8}$/i.test(gateway) || !/^[0-9A-F]{1,8}$/i.test(flags)) return [];
    const bits = Number.parseInt(flags, 16);
    if ((bits & RTF_UP) === 0 || !/^\d+$/.test(metric)) return [];
    const bytes = gateway.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
    const address = (endianness === "LE" ? bytes.reverse() : bytes).join(".");
    return [
      { interface: name, gateway: (bits & RTF_GATEWAY) === 0 ? undefined : address, metric: Number(metric) },
    ];
  });
}

/** Reads `/proc/net/ipv6_route`. Lines that make no sense are skipped. */
export function parseIpv6Routes(table: string): DefaultRoute[] {
  return table.split("\n").flatMap((line) => {
    const [destination, length, , , gateway = "", metric = "", , , flags = "", name] = line
      .trim()
      .split(/\s+/);
    const isDefault = destination === "0".repeat(32) && length === "00";
    if (!isDefault || name === undefined || name === "lo") return [];
    if (![gateway, metric, flags].every((field) => /^[0-9a-f]{1,32}$/i.test(field)) || gateway.length !== 32)
      return [];
    const bits = Number.parseInt(flags, 16);
    if ((bits & RTF_UP) === 0) return [];
    const address = formatIpv6(gateway);
    return [
      {
        interface: name,
        gateway: (bits & RTF_GATEWAY) === 0 ? undefined : address,
        metric: Number.parseInt(metric, 16),
      },
    ];
  });
}

/** In the short form of RFC 5952. */
function formatIpv6(digits: string): string {
  const groups = digits.match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
