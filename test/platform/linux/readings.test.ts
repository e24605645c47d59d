import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { NetworkInterfaceInfo } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { createSystemClock } from "../../../platform/clock.js";
import { createLinuxReadings } from "../../../platform/linux/readings.js";
import { parseIpv4Routes, parseIpv6Routes } from "../../../platform/linux/routes.js";
import { parseWireless } from "../../../platform/linux/wireless.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

type Tree = Readonly<Record<string, string | { readonly link: string }>>;

/** A machine that consists of these files and addresses. */
function machine(
  tree: Tree,
  addresses: Readonly<Record<string, readonly string[]>> = {},
  date = "2026-07-01T00:00:00Z",
) {
  const root = temporaryDirectory();
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (typeof content === "string") writeFileSync(join(root, path), content);
    else symlinkSync(content.link, join(root, path));
  }
  const info = (address: string) =>
    ({ address, internal: address.startsWith("127.") }) as NetworkInterfaceInfo;
  return createLinuxReadings({
    clock: createSimulatedClock(new Date(date)),
    root,
    network: {
      interfaces: () =>
        Object.fromEntries(Object.entries(addresses).map(([name, own]) => [name, own.map(info)])),
      endianness: "LE",
    },
  });
}

const routeHeader = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
const ipv4Routes = [
  routeHeader,
  "eth0\t00000000\t0102A8C0\t0003\t0\t0\t202\t00000000\t0\t0\t0",
  "wlan0\t00000000\t01B2A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0",
  "eth0\t0002A8C0\t00000000\t0001\t0\t0\t202\t00FFFFFF\t0\t0\t0",
].join("\n");
const ipv6Routes = [
  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80000000000000020000fffe000001 00000400 00000001 00000000 00450003     eth0",
  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo",
].join("\n");
const wireless = [
  "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE",
  " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22",
  " wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0",
  " wlan1: 0000   30   200     0        0      0      0      0      0        0",
  " wlan2: 0000   30    20     0        0      0      0      0      0        0",
].join("\n");

describe("memory", () => {
  test("is what programs can have, in kB of 1000 bytes", async () => {
    const meminfo = "MemTotal:        1000000 kB\nMemFree:           10000 kB\nMemAvailable:     500000 kB\n";
    expect(await machine({ "proc/meminfo": meminfo }).memory()).toEqual({ total: 1024000, free: 512000 });
  });

  test.each(["", "MemTotal: many kB\nMemAvailable: 1 kB", "MemTotal:  1000 kB\n", "\0\xff"])(
    "is not known from %j",
    async (meminfo) => {
      expect(await machine({ "proc/meminfo": meminfo }).memory()).toBeUndefined();
      expect(await machine({}).memory()).toBeUndefined();
    },
  );
});

describe("identity", () => {
  const board = { "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0" };
  test.each<[string, Tree, string | undefined]>([
    ["device tree", { ...board, "proc/device-tree/serial-number": "10000000abcdef01\0" }, "10000000abcdef01"],
    [
      "processor",
      { ...board, "proc/cpuinfo": "processor\t: 0\nSerial\t\t: 00000000deadbeef\n" },
      "00000000deadbeef",
    ],
    [
      "machine ID",
      { ...board, "etc/machine-id": "0123456789abcdef0123456789abcdef\n" },
      "0123456789abcdef0123456789abcdef",
    ],
    ["nobody", { ...board, "etc/machine-id": "uninitialized\n" }, undefined],
  ])("comes from the %s", async (_source, tree, serialNumber) => {
    expect(await machine(tree).identity()).toEqual({
      modelNumber: "Raspberry Pi 4 Model B Rev 1.4",
      ...(serialNumber && { serialNumber }),
    });
  });

  test("has no bytes that are no text", async () => {
    expect(await machine({ "proc/device-tree/model": "\u0001\u0002" }).identity()).toEqual({});
  });
});

describe("time zone", () => {
  test.each<[string, Tree, object]>([
    [
      "a link",
      { "etc/localtime": { link: "/usr/share/zoneinfo/Europe/Paris" } },
      { timezone: "Europe/Paris", utcOffset: "+02:00" },
    ],
    [
      "a relative link",
      { "etc/localtime": { link: "../usr/share/zoneinfo/posix/America/St_Johns" } },
      { timezone: "America/St_Johns", utcOffset: "-02:30" },
    ],
    [
      "a file",
      { "etc/localtime": "TZif2", "etc/timezone": "Etc/UTC\n" },
      { timezone: "Etc/UTC", utcOffset: "+00:00" },
    ],
    ["a zone that is none", { "etc/timezone": "Mars/Olympus\n" }, {}],
    ["nothing", {}, {}],
  ])("comes from %s", async (_source, tree, place) => {
    expect(await machine(tree).place()).toEqual(place);
  });

  test("has an offset that follows the season", async () => {
    const tree = { "etc/timezone": "Europe/Paris" };
    expect(await machine(tree, {}, "2026-01-01T00:00:00Z").place()).toMatchObject({ utcOffset: "+01:00" });
  });
});

describe("connectivity", () => {
  const tree: Tree = {
    "proc/net/route": ipv4Routes,
    "proc/net/ipv6_route": ipv6Routes,
    "proc/net/wireless": wireless,
    "sys/class/net/eth0/type": "1\n",
    "sys/class/net/wlan0/type": "1\n",
    "sys/class/net/wlan0/uevent": "DEVTYPE=wlan\nINTERFACE=wlan0\n",
    "sys/class/net/wwan0/uevent": "DEVTYPE=wwan\n",
    "sys/class/net/wwan0/type": "519\n",
    "sys/class/net/wpan0/type": "804\n",
    "sys/class/net/tun0/type": "65534\n",
    "sys/class/net/tun0/uevent": "INTERFACE=tun0\n",
  };

  test("is that of the default route with the lowest metric", async () => {
    const addresses = { lo: ["127.0.0.1"], eth0: ["192.168.2.7"], wlan0: ["192.168.178.20", "2001:db8::20"] };
    expect(await machine(tree, addresses).connectivity()).toEqual({
      bearer: "wlan",
      availableBearers: ["ethernet", "wlan"],
      addresses: ["192.168.178.20", "2001:db8::20", "192.168.2.7"],
      routers: ["192.168.178.1", "192.168.2.1", "fe80::200:ff:fe00:1"],
      linkQuality: 54,
      signalStrength: -56,
    });
  });

  test.each([
    ["wwan0", "lteFdd"],
    ["wpan0", "ieee802154"],
    ["tun0", undefined],
    ["gone0", undefined],
  ])("of %s is by %s", async (name, bearer) => {
    const { "proc/net/route": _, "proc/net/ipv6_route": __, ...routeless } = tree;
    expect(await machine(routeless, { [name]: ["10.0.0.2"] }).connectivity()).toEqual({
      bearer,
      availableBearers: bearer === undefined ? [] : [bearer],
      addresses: ["10.0.0.2"],
      routers: [],
    });
  });

  test("of a machine without network is empty", async () => {
    expect(await machine({}).connectivity()).toEqual({
      bearer: undefined,
      availableBearers: [],
      addresses: [],
      routers: [],
    });
  });
});

describe("traffic", () => {
  const statistics = (name: string, rx: string): Tree => ({
    [`sys/class/net/${name}/statistics/rx_bytes`]: rx,
    [`sys/class/net/${name}/statistics/tx_bytes`]: "20\n",
    [`sys/class/net/${name}/statistics/rx_packets`]: "3\n",
    [`sys/class/net/${name}/statistics/tx_packets`]: "4\n",
  });
  const counted = { receivedBytes: 10, transmittedBytes: 20, receivedPackets: 3, transmittedPackets: 4 };

  test("is that of the hardware, where there is some", async () => {
    const tree = {
      ...statistics("lo", "10\n"),
      ...statistics("eth0", "10\n"),
      ...statistics("docker0", "10\n"),
      "sys/class/net/eth0/device/uevent": "DRIVER=e1000\n",
    };
    expect(await machine(tree).traffic()).toEqual(new Map([["eth0", counted]]));
  });

  test("is that of all interfaces in a container, without those that say nonsense", async () => {
    const tree = {
      ...statistics("lo", "10\n"),
      ...statistics("eth0", "10\n"),
      ...statistics("eth1", "-10\n"),
    };
    expect(await machine(tree).traffic()).toEqual(new Map([["eth0", counted]]));
    expect(await machine({}).traffic()).toEqual(new Map());
  });
});

describe("malformed tables", () => {
  test("of routes lose their lines, not the others", () => {
    const broken = `${routeHeader}\neth0\t00000000\tXYZ\t0003\neth0\t00000000\t0102A8C0\tzz\t0\t0\t0\t00000000\n\n`;
    expect(parseIpv4Routes(`${broken}${ipv4Routes}`, "LE")).toHaveLength(2);
    expect(parseIpv4Routes("\t\t\t\n\0", "LE")).toEqual([]);
    expect(parseIpv6Routes(`nonsense\n${"0".repeat(32)} 00 x\n${ipv6Routes}`)).toHaveLength(1);
  });

  test("of routes know routes that are down, and those without a gateway", () => {
    const line = (flags: string) => `ppp0\t00000000\t00000000\t${flags}\t0\t0\t0\t00000000\t0\t0\t0`;
    expect(parseIpv4Routes(line("0002"), "LE")).toEqual([]);
    expect(parseIpv4Routes(line("0001"), "LE")).toEqual([
      { interface: "ppp0", gateway: undefined, metric: 0 },
    ]);
  });

  test("a machine of the other byte order prints addresses the other way round", () => {
    const line = "eth0\t00000000\tC0A80201\t0003\t0\t0\t0\t00000000\t0\t0\t0";
    expect(parseIpv4Routes(line, "BE")).toEqual([{ interface: "eth0", gateway: "192.168.2.1", metric: 0 }]);
  });

  test("of radios: levels of old drivers, and scales that are no dBm", () => {
    expect(parseWireless(wireless, "wlan1")).toEqual({ linkQuality: 30, signalStrength: -56 });
    expect(parseWireless(wireless, "wlan2")).toEqual({ linkQuality: 30, signalStrength: undefined });
    expect(parseWireless(wireless, "wlan3")).toBeUndefined();
    expect(parseWireless("wlan0:", "wlan0")).toBeUndefined();
  });
});

describe.runIf(process.platform === "linux")("this machine", () => {
  const here = createLinuxReadings({ clock: createSystemClock() });

  test("has memory", async () => {
    const memory = await here.memory();
    expect(memory?.total).toBeGreaterThan(10_000);
    expect(memory?.free).toBeLessThanOrEqual(memory?.total ?? 0);
  });

  test("answers everything else without a failure", async () => {
    const { addresses, availableBearers } = await here.connectivity();
    expect(addresses).not.toContain("127.0.0.1");
    expect(Array.isArray(availableBearers)).toBe(true);
    for (const { receivedBytes, transmittedBytes } of (await here.traffic()).values()) {
      expect(Number.isSafeInteger(receivedBytes + transmittedBytes)).toBe(true);
    }
    expect((await here.identity()).serialNumber ?? "").toMatch(/^[\x20-\x7e]*$/);
    expect((await here.place()).utcOffset ?? "+00:00").toMatch(/^[+-]\d\d:\d\d$/);
  });
});
