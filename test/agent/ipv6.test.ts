import { expect, test } from "vitest";
import { startManagedAgent } from "./managed-agent.js";

test("an agent works over IPv6 as over IPv4", async () => {
  const managed = await startManagedAgent({ host: "::1" });
  try {
    expect(managed.server.uri).toMatch(/^coap:\/\/\[::1\]:/);
    expect(managed.server.device("board")).toMatchObject({ address: "::1" });
    expect(await managed.read([3, 0, 3])).toBe("1.0");
    await managed.write([3, 0, 15], "Europe/Berlin");
    expect(await managed.read([3, 0, 15])).toBe("Europe/Berlin");
  } finally {
    await managed.close();
  }
});
