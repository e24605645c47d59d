import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { resolvePeer } from "../../../platform/net/resolve.js";

test.each([
  ["192.0.2.1", "192.0.2.1", "192.0.2.1:5683"],
  ["2001:DB8:0:0::1", "2001:db8::1", "[2001:db8::1]:5683"],
  ["fe80:0::1%eth7", "fe80::1%eth7", "[fe80::1%eth7]:5683"],
])("%s is spelled as the system spells it", async (host, address, key) => {
  expect(await resolvePeer(host, 5683)).toEqual({ address, port: 5683, key });
});

test("a zone given by index becomes the name of its interface", async () => {
  const scoped = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap((entry) => (entry.family === "IPv6" && entry.scopeid !== 0 ? [{ name, entry }] : [])),
  );
  for (const { name, entry } of scoped) {
    const { address } = await resolvePeer(`fe80::1%${entry.scopeid}`, 5683);
    expect(address).toBe(`fe80::1%${name}`);
  }
  expect((await resolvePeer("fe80::1%4000", 5683)).address).toBe("fe80::1%4000");
});

test("a name is looked up in the family of the socket", async () => {
  expect(await resolvePeer("localhost", 5683, "udp4")).toMatchObject({ key: "127.0.0.1:5683" });
});

test("a name that does not exist is a TransportError that names it", async () => {
  await expect(resolvePeer("no-such-host.invalid", 5683)).rejects.toMatchObject({
    name: "TransportError",
    message: expect.stringMatching(/^cannot find no-such-host\.invalid: /),
  });
});

test("an address of the other family is refused", async () => {
  await expect(resolvePeer("::1", 5683, "udp4")).rejects.toThrow("not an address for a udp4 socket");
});

test.each([0, -1, 65536, 1.5])("port %d is refused", async (port) => {
  await expect(resolvePeer("192.0.2.1", port)).rejects.toThrow("a port is a number from 1 to 65535");
});
