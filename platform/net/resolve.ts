import { lookup } from "node:dns/promises";
import { SocketAddress } from "node:net";
import { networkInterfaces } from "node:os";
import { type Peer, TransportError } from "../../agent/ports.js";
import { describeError } from "../system-error.js";

export type DatagramFamily = "udp4" | "udp6";

/** The one place that spells a `Peer.key`. `address` is numeric and as the operating system writes it. */
export const formatEndpoint = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/**
 * Finds where to send to. `host` is a name or a numeric address, IPv6 without brackets and with its zone where it is
 * link-local; `family` restricts the answer to what a socket of that family reaches.
 * @throws TransportError when the name leads nowhere
 */
export async function resolvePeer(host: string, port: number, family?: DatagramFamily): Promise<Peer> {
  const target = formatEndpoint(host, port);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new TransportError(`cannot send to ${target}: a port is a number from 1 to 65535`);
  }
  const found = await lookup(host, { family: families[family ?? "any"] }).catch((cause: unknown) => {
    throw new TransportError(`cannot find ${host}: ${describeError(cause)}`, { cause });
  });
  // A numeric address comes back unchecked, whatever family was asked for.
  if (family !== undefined && found.family !== families[family]) {
    throw new TransportError(`cannot send to ${target}: not an address for a ${family} socket`);
  }
  const address = found.family === 6 ? canonicalIPv6(found.address) : found.address;
  return { address, port, key: formatEndpoint(address, port) };
}

const families = { any: 0, udp4: 4, udp6: 6 } as const;

/** Spelled as the source address of a received datagram, because peers are compared by their text. */
function canonicalIPv6(text: string): string {
  const [digits = "", zone] = text.split("%");
  const { address } = new SocketAddress({ address: digits, family: "ipv6" });
  return zone === undefined ? address : `${address}%${interfaceName(zone)}`;
}

/** A zone may be given by the interface's index; received datagrams name it. */
function interfaceName(zone: string): string {
  const named = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some((address) => address.family === "IPv6" && String(address.scopeid) === zone),
  );
  return named?.[0] ?? zone;
}
