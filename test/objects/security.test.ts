import { describe, expect, test } from "vitest";
import { factoryContent } from "../../objects/accounts/factory.js";
import { openAccountStore } from "../../objects/accounts/store.js";
import { createOscore, Oscore } from "../../objects/oscore.js";
import { createSecurity, Security } from "../../objects/security.js";
import { createSimulatedClock } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createMemoryStore } from "../simulated/store.js";
import { tested } from "./doubles.js";

const openAccounts = () =>
  openAccountStore({
    store: createMemoryStore(),
    log: createRecordingLog(),
    clock: createSimulatedClock(),
    factory: factoryContent({
      servers: [{ uri: "coap://server.example", shortServerId: 101, lifetime: 300 }],
      bootstrapServer: { uri: "coap://bootstrap.example" },
    }),
  });

describe("the Security Object", () => {
  test("has an instance per account, the Bootstrap-Server's included", async () => {
    const object = createSecurity(await openAccounts());
    expect([...object.instances.keys()]).toEqual([0, 1]);
  });

  test("shows nothing and takes nothing through the door that Servers use", async () => {
    const object = tested(createSecurity(await openAccounts()));
    for (const name of Object.keys(Security.resources)) {
      await expect(object.read(name)).rejects.toMatchObject({ code: "4.01" });
    }
    await expect(object.write("serverUri", "coap://evil.example")).rejects.toMatchObject({ code: "4.01" });
  });

  test("is for the Bootstrap-Server alone, resource by resource", () => {
    for (const resource of Object.values(Security.resources)) expect(resource.operations).toBe("BS");
    expect(Object.values(Security.resources).map(({ id }) => id)).toEqual([...Array(31).keys()]);
  });
});

test("the OSCORE Object is for the Bootstrap-Server alone and empty from the factory", async () => {
  for (const resource of Object.values(Oscore.resources)) expect(resource.operations).toBe("BS");
  expect(createOscore(await openAccounts()).instances.size).toBe(0);
});

test("keys of the SMS binding may be empty, as Leshan writes them into every account", () => {
  const { smsBindingKeyParameters, smsBindingSecretKeys } = Security.resources;
  expect([smsBindingKeyParameters.range[0], smsBindingSecretKeys.range[0]]).toEqual([0, 0]);
});
