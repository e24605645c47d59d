/** The bootstrap cases of the OMA test specification, without security: real CoAP messages on a simulated line. */
import { expect, test } from "vitest";
import { compositeCodec } from "../../agent/codec/composite.js";
import { seconds } from "../../agent/ports.js";
import {
  acceptsRegistrations,
  type BootstrapWorld,
  createBootstrapWorld,
  createFolder,
  instance,
  provision,
  securityOf,
  serverOf,
} from "../agent/lwm2m/bootstrap/world.js";

/** Configuration C13 over NoSec: nothing but an account of the Bootstrap-Server. */
const createBlankDevice = () => createBootstrapWorld({ objects: [] });

/** Configuration C1 over NoSec. */
const createProvisionedDevice = () =>
  createBootstrapWorld({
    objects: [],
    factory: {
      servers: [
        {
          uri: "coap://server.example",
          shortServerId: 1,
          lifetime: 86400,
          notificationStoring: false,
          binding: "U",
        },
      ],
      bootstrapServer: { uri: "coap://bootstrap.example:5783" },
    },
  });

const version = "</>;lwm2m=1.1";

test("LightweightM2M-1.1-int-0: a client without Servers asks, is written to, is discovered and finishes", async () => {
  const world = await createBlankDevice();
  const { outcome } = await world.start();
  expect(world.requests).toMatchObject([{ method: "POST", path: ["bs"] }]);
  expect(world.requests[0]?.query).toContain("ep=board");

  expect(await world.write([0, 1], new Map([[1, securityOf(1)]]))).toBe("2.04");
  expect(await world.write([1, 0], new Map([[0, serverOf(1)]]))).toBe("2.04");
  const links = (await world.discover()).split(",");
  expect(links[0]).toBe(version);
  expect(links).toContain("</0/0>"); // the Bootstrap-Server's account says nothing about itself
  expect(links).toContain('</0/1>;ssid=1;uri="coap://server.example"');
  expect(links).toContain("</1/0>;ssid=1");
  expect(links).toContain("</3/0>");
  expect(await world.finish()).toBe("2.04");

  expect(await outcome).toBe("done");
  expect(world.accounts.servers()).toMatchObject([{ shortServerId: 1, uri: "coap://server.example" }]);
});

test("a client without Servers registers with those that its first bootstrap names", async () => {
  const world = await createBlankDevice();
  await world.switchOn();
  await provision(world);
  await world.clock.advance(seconds(1));
  expect(world.requests.map(({ path }) => path[0])).toEqual(["bs", "rd"]);
  expect(world.client.registrationState(101)?.name).toBe("registered");
});

test("LightweightM2M-1.1-int-4: what is deleted is gone, except for the Bootstrap-Server's account", async () => {
  const world = await createProvisionedDevice();
  const { outcome } = await world.start();

  expect((await world.read([1])).get(0)).toMatchObject(serverOf(1));
  expect(await world.delete(0)).toBe("2.02");
  expect(await world.delete(1)).toBe("2.02");
  expect((await world.read([1])).size).toBe(0);
  expect(await world.discover(0)).toContain("</0/1>");
  expect(await world.discover(0)).not.toContain("</0/0>");

  expect(await world.write([0, 0], new Map([[0, securityOf(2, "coap://new.example")]]))).toBe("2.04");
  expect(await world.write([1, 0], new Map([[0, serverOf(2)]]))).toBe("2.04");
  expect(await world.finish()).toBe("2.04");
  expect(await outcome).toBe("done");
  expect(world.accounts.servers()).toMatchObject([{ shortServerId: 2, uri: "coap://new.example" }]);
  expect(world.bootstrap.available).toBe(true);
});

test("LightweightM2M-1.1-int-5: a Server orders a bootstrap, and the client is registered with the Server of it", async () => {
  const world = await createProvisionedDevice();
  await world.switchOn();
  expect(world.client.registrationState(1)?.name).toBe("registered");

  expect((await world.askAsServer({ method: "POST", path: ["1", "0", "9"] })).code).toBe("2.04");
  await world.clock.advance(seconds(1));
  expect(world.requests.at(-1)).toMatchObject({ method: "POST", path: ["bs"] });
  expect(await world.write([0, 0], new Map([[0, securityOf(1)]]))).toBe("2.04");
  expect(await world.write([1, 0], new Map([[0, serverOf(1, 120)]]))).toBe("2.04");
  expect(await world.finish()).toBe("2.04");
  await world.clock.advance(seconds(5));
  expect(world.client.registrationState(1)?.name).toBe("registered");
  expect(world.accounts.server(1)?.settings().lifetimeSeconds).toBe(120);
});

test("LightweightM2M-1.1-int-7: a factory Server that cannot be reached is replaced by the Bootstrap-Server", async () => {
  let isUp = false;
  const world = await createBootstrapWorld({
    objects: [],
    factory: {
      servers: [
        {
          uri: "coap://factory.example",
          shortServerId: 1,
          lifetime: 86400,
          retryCount: 1,
          sequenceRetryCount: 1,
        },
      ],
      bootstrapServer: { uri: "coap://bootstrap.example:5783" },
    },
    serve: (request) => (isUp ? acceptsRegistrations(request) : { code: "5.03" }),
  });
  await world.switchOn();
  await world.clock.advance(seconds(10));
  expect(world.requests.map(({ path }) => path[0])).toEqual(["rd", "bs"]); // registration first

  isUp = true;
  await world.delete(0);
  await world.delete(1);
  expect(await provision(world, 2)).toEqual(["2.04", "2.04", "2.04"]);
  await world.clock.advance(seconds(1));
  expect(world.client.registrationState(1)).toBeUndefined();
  expect(world.client.registrationState(2)?.name).toBe("registered");
});

test("LightweightM2M-1.1-int-8: Access Control is written, and read back with Server", async () => {
  const world = await createProvisionedDevice();
  const { outcome } = await world.start();
  const entry = instance([0, 3], [1, 0], [2, new Map([[0, 31]])], [3, 65535]);

  expect(await world.write([2, 0], new Map([[0, entry]]))).toBe("2.04");
  expect((await world.read([1])).get(0)).toMatchObject(serverOf(1));
  expect(await world.read([2])).toEqual(new Map([[0, entry]]));
  expect(await world.finish()).toBe("2.04");
  expect(await outcome).toBe("done");
  expect(await world.tree.read([2, 0])).toEqual(new Map([[0, entry]]));
});

test("LightweightM2M-1.1-int-9: a Disable Timeout alone is no configuration to finish with", async () => {
  const world = await createBlankDevice();
  await world.start();

  expect(await world.write([1, 0, 5], new Map([[0, instance([5, 300])]]))).toBe("2.04");
  expect(await world.finish()).toBe("4.06");
  expect(world.accounts.servers()).toEqual([]);

  expect(await provision(world)).toEqual(["2.04", "2.04", "2.04"]); // it may still be mended
});

test("LightweightM2M-1.2-int-12: a pack is asked for, applied as a whole, and needs no Finish", async () => {
  const pack = compositeCodec(112);
  const folder = createFolder();
  let definitions: BootstrapWorld["tree"]["definition"] = () => undefined;
  const world = await createBootstrapWorld({
    version: "1.2",
    objects: [folder],
    answer: () => ({
      code: "2.05",
      contentFormat: 112,
      payload:
        pack?.encode?.(
          (id) => definitions(id),
          new Map([
            [0, new Map([[1, securityOf(1)]])],
            [1, new Map([[0, serverOf(1)]])],
            [16, new Map([[0, instance([0, new Map([[0, "host"]])])]])],
          ]),
        ) ?? new Uint8Array(),
    }),
  });
  definitions = world.tree.definition;

  const { outcome } = await world.start();
  expect(await outcome).toBe("done");
  expect(world.requests).toMatchObject([
    { method: "GET", path: ["bspack"], query: ["ep=board", "acc=</0/0>"], accept: 112 },
  ]);
  expect(world.accounts.servers()).toMatchObject([{ shortServerId: 1 }]);
  expect(folder.folders.get(0)).toEqual(new Map([[0, "host"]]));
});
