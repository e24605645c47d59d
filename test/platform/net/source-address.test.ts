import { expect, test } from "vitest";
import { TransportError } from "../../../agent/ports.js";
import { formatEndpoint } from "../../../platform/net/resolve.js";
import { sourceAddress } from "../../../platform/net/source-address.js";

const peer = (address: string) => ({ address, port: 5683, key: formatEndpoint(address, 5683) });

test("what goes to loopback comes from loopback, in both families", async () => {
  expect(await sourceAddress(peer("127.0.0.1"))).toBe("127.0.0.1");
  expect(await sourceAddress(peer("::1"))).toBe("::1");
});

test("where nothing can be sent is a TransportError that names it", async () => {
  // The kernel lets nobody connect to it who has not asked for broadcasts.
  const fault = sourceAddress(peer("255.255.255.255"));
  await expect(fault).rejects.toThrow(TransportError);
  await expect(fault).rejects.toThrow("no way to 255.255.255.255:5683");
});
