import { describe, expect, test } from "vitest";
import { ConfigError } from "../../agent/model/errors.js";
import { createSecurity, Security, type SecurityAccount } from "../../objects/security.js";
import { tested } from "./doubles.js";

const key = Uint8Array.of(1, 2, 3);
const psk: SecurityAccount = {
  bootstrapServer: false,
  shortServerId: 101,
  uri: "coaps://server.example:5684",
  credentials: { mode: "psk", identity: new TextEncoder().encode("dev1"), key },
  ciphersuites: [0xc0a8, 0xccab],
};
const bootstrap: SecurityAccount = {
  bootstrapServer: true,
  uri: "coap://bootstrap.example",
  credentials: { mode: "noSec" },
  clientHoldOffSeconds: 10,
};

describe("the Security Object", () => {
  test("has one instance per account", async () => {
    const object = tested(createSecurity([psk, bootstrap]));

    expect(await object.read("serverUri", 0)).toBe("coaps://server.example:5684");
    expect(await object.read("securityMode", 0)).toBe(0);
    expect(await object.read("shortServerId", 0)).toBe(101);
    expect(await object.read("ciphersuites", 0)).toEqual(
      new Map([
        [0, 0xc0a8],
        [1, 0xccab],
      ]),
    );
    expect(await object.read("bootstrapServer", 1)).toBe(true);
    expect(await object.read("securityMode", 1)).toBe(3);
    expect(await object.read("shortServerId", 1)).toBeUndefined();
    expect(await object.read("clientHoldOffTime", 1)).toBe(10);
  });

  test("does not give the Secret Key away, not even to the engine", async () => {
    const object = tested(createSecurity([psk]));
    await expect(object.read("secretKey")).rejects.toMatchObject({ code: "4.01" });
  });

  test("cannot be written", async () => {
    const object = tested(createSecurity([psk]));
    await expect(object.write("serverUri", "coap://evil.example")).rejects.toMatchObject({ code: "4.01" });
    await expect(object.write("secretKey", key)).rejects.toMatchObject({ code: "4.01" });
  });

  test("is for the Bootstrap-Server alone, resource by resource", () => {
    for (const resource of Object.values(Security.resources)) expect(resource.operations).toBe("BS");
    expect(Object.values(Security.resources).map(({ id }) => id)).toEqual([...Array(18).keys()]);
  });

  test("refuses two servers with one Short Server ID", () => {
    expect(() => createSecurity([psk, psk])).toThrow(ConfigError);
  });

  test("refuses two Bootstrap-Servers", () => {
    expect(() => createSecurity([bootstrap, bootstrap])).toThrow(ConfigError);
  });
});
