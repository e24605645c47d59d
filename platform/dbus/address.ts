/** Where the system bus listens unless `DBUS_SYSTEM_BUS_ADDRESS` says otherwise. */
export const systemBusAddress = "unix:path=/run/dbus/system_bus_socket";

/**
 * The unix sockets that an address names, to be tried in order, as `node:net` takes them. Other transports are left out.
 * @see D-Bus Specification, "Server Addresses"
 */
export function socketPaths(address: string): readonly string[] {
  return address.split(";").flatMap((entry) => {
    const [, transport = "", list = ""] = /^([a-z-]+):(.*)$/.exec(entry) ?? [];
    if (transport !== "unix") return [];
    const keys = new Map(list.split(",").map((pair) => splitPair(pair)));
    const path = keys.get("path");
    const abstract = keys.get("abstract");
    return path !== undefined ? [path] : abstract !== undefined ? [`\0${abstract}`] : [];
  });
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return [
    pair.slice(0, at),
    pair.slice(at + 1).replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))),
  ];
}
