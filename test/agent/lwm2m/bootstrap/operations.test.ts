import { describe, expect, test } from "vitest";
import { createBootstrapWorld, createFolder, instance, provision, securityOf, serverOf } from "./world.js";

const factory = {
  servers: [
    { uri: "coap://one.example", shortServerId: 101, lifetime: 300 },
    { uri: "coap://two.example", shortServerId: 102, lifetime: 300 },
  ],
  bootstrapServer: { uri: "coap://bootstrap.example:5783" },
};

const started = async (options: Parameters<typeof createBootstrapWorld>[0] = {}) => {
  const world = await createBootstrapWorld(options);
  await world.start();
  return world;
};

const files = (...names: readonly string[]) => instance([0, new Map(names.entries())]);

describe("a Bootstrap-Write", () => {
  test("creates what is missing and overwrites what is there, and nothing else", async () => {
    const world = await started({ factory });
    await world.write([1, 0, 1], new Map([[0, instance([1, 60])]]));
    await world.write([1], new Map([[1, instance([5, 20])]]));
    expect(await world.finish()).toBe("2.04");
    expect(world.accounts.server(101)?.settings()).toMatchObject({ lifetimeSeconds: 60, binding: "U" });
    expect(world.accounts.server(102)?.settings()).toMatchObject({
      lifetimeSeconds: 300,
      disableTimeoutSeconds: 20,
    });
  });

  test("of an Object carries several instances", async () => {
    const world = await started();
    await world.write(
      [0],
      new Map([
        [1, securityOf(101)],
        [2, securityOf(102)],
      ]),
    );
    await world.write(
      [1],
      new Map([
        [0, serverOf(101)],
        [7, serverOf(102)],
      ]),
    );
    expect(await world.finish()).toBe("2.04");
    expect(world.accounts.servers().map(({ serverInstanceId }) => serverInstanceId)).toEqual([0, 7]);
  });

  test("skips Resources that are unknown, or that only the device itself sets", async () => {
    const world = await started();
    const device = await world.ask({
      method: "PUT",
      path: ["3", "0"],
      contentFormat: 110,
      payload: new TextEncoder().encode('[{"bn":"/3/0/","n":"0","vs":"Other"},{"n":"999","v":1}]'),
    });
    expect(device.code).toBe("2.04");
    await provision(world);
    expect((await world.tree.read([3, 0, 0])).get(0)?.get(0)).toBe("Acme");
  });

  test.each([
    ["of an Object that is not there", ["99", "0"], 110, "4.00"],
    ["of a second instance of a single Object", ["3", "1"], 110, "4.00"],
    ["of a Resource Instance", ["16", "0", "0", "0"], 0, "4.00"],
    ["of everything", [], 110, "4.00"],
    ["of no path at all", ["three"], 110, "4.00"],
    ["in a format that nobody knows", ["1", "0"], 9999, "4.15"],
    ["without a format", ["1", "0"], undefined, "4.00"],
  ] as const)("%s is refused", async (_, path, contentFormat, code) => {
    const world = await started();
    const request = { method: "PUT", path, payload: new TextEncoder().encode("[]") } as const;
    const response = await world.ask({ ...request, ...(contentFormat !== undefined && { contentFormat }) });
    expect(response.code).toBe(code);
  });

  test("that does not fit its Resource changes nothing", async () => {
    const world = await started({ factory });
    const payload = new TextEncoder().encode("soon");
    const response = await world.ask({ method: "PUT", path: ["1", "0", "1"], contentFormat: 0, payload });
    expect(response.code).toBe("4.00");
    expect((await world.read([1, 0])).get(0)?.get(1)).toBe(300);
  });

  test("cannot fill the memory of the device", async () => {
    const world = await started();
    const codes: string[] = [];
    for (let id = 0; id < 300; id++)
      codes.push(await world.write([1, id, 5], new Map([[id, instance([5, 1])]])));
    expect(codes.filter((code) => code === "2.04")).toHaveLength(256);
    expect(codes.at(-1)).toBe("5.00");
  });

  test.each([
    ["the accounts", [0, 1], 3, new Uint8Array(30_000)],
    ["another Object", [16, 1], 0, new Map([[0, "x".repeat(10_000)]])],
  ] as const)(
    "of values without end into %s is refused, and nothing of it is kept",
    async (_, path, id, value) => {
      const world = await started();
      const [objectId] = path;
      const write = (instanceId: number) =>
        world.write([objectId], new Map([[instanceId, instance([id, value])]]));
      const codes: string[] = [];
      for (let instanceId = 1; instanceId <= 12; instanceId++) codes.push(await write(instanceId));
      expect(codes).toEqual([...Array(8).fill("2.04"), ...Array(4).fill("5.00")]);
      expect(await write(8)).toBe("2.04");
      expect(await world.discover(objectId)).not.toContain(`</${objectId}/9>`);
    },
  );

  test("of several instances of which one has no room keeps none", async () => {
    const world = await started();
    const many = Array.from({ length: 257 }, (_, id) => [id, instance([5, 1])] as const);
    expect(await world.write([1], new Map(many))).toBe("5.00");
    expect(await world.discover(1)).not.toContain("</1/0>");
  });

  test("of other Objects waits for the Bootstrap-Finish", async () => {
    const folder = createFolder(new Map([[0, new Map([[0, "old"]])]]));
    const world = await started({ objects: [folder] });
    await world.write(
      [16],
      new Map([
        [0, files("new")],
        [4, files("a", "b")],
      ]),
    );
    expect(folder.folders.get(0)).toEqual(new Map([[0, "old"]]));
    expect(await world.discover(16)).toContain("</16/0>,</16/4>");
    await provision(world);
    expect(folder.folders.get(0)).toEqual(new Map([[0, "new"]]));
    expect(folder.folders.get(4)).toEqual(
      new Map([
        [0, "a"],
        [1, "b"],
      ]),
    );
  });
});

describe("a Bootstrap-Read", () => {
  test.each([
    ["of Security", ["0"], "4.05"],
    ["of Device", ["3"], "4.05"],
    ["of an Object that is not there", ["99"], "4.04"],
    ["of an instance that is not there", ["1", "9"], "4.04"],
    ["of a Resource", ["1", "0", "1"], "4.00"],
  ] as const)("%s is refused", async (_, path, code) => {
    const world = await started({ factory });
    expect((await world.ask({ method: "GET", path, accept: 112 })).code).toBe(code);
  });

  test("answers in the format that is asked for, and in SenML CBOR otherwise", async () => {
    const world = await started({ factory });
    expect(await world.ask({ method: "GET", path: ["1"], accept: 11542 })).toMatchObject({
      contentFormat: 11542,
    });
    expect(await world.ask({ method: "GET", path: ["1"] })).toMatchObject({
      code: "2.05",
      contentFormat: 112,
    });
    expect((await world.ask({ method: "GET", path: ["1"], accept: 9999 })).code).toBe("4.06");
  });

  test("of an Object without instances is empty", async () => {
    const world = await started();
    expect((await world.read([2])).size).toBe(0);
  });
});

describe("a Bootstrap-Discover", () => {
  test("lists every Object, with what tells the accounts apart", async () => {
    const world = await started({ factory, version: "1.2" });
    expect(await world.discover()).toBe(
      "</>;lwm2m=1.2,</0>;ver=1.2," +
        '</0/0>;ssid=101;uri="coap://one.example",</0/1>;ssid=102;uri="coap://two.example",</0/2>,' +
        "</1>;ver=1.2,</1/0>;ssid=101,</1/1>;ssid=102,</2>;ver=1.1," +
        `</3>;ver=${world.tree.definition(3)?.version},</3/0>,</16>,</21>;ver=2.0`,
    );
  });

  test("of one Object lists that one", async () => {
    const world = await started({ factory });
    expect(await world.discover(1)).toBe("</>;lwm2m=1.1,</1>;ver=1.2,</1/0>;ssid=101,</1/1>;ssid=102");
  });

  test("says the version as a client of 1.0 does", async () => {
    const world = await started({ factory, version: "1.0" });
    expect(await world.discover(16)).toBe('lwm2m="1.0",</16>');
  });

  test("names the Server of an OSCORE context, and not the Bootstrap-Server's", async () => {
    const world = await started({ oscore: true, version: "1.2" });
    const context = (id: number) =>
      instance([0, Uint8Array.of(1)], [1, Uint8Array.of(id)], [2, Uint8Array.of(0)]);
    await world.write(
      [21],
      new Map([
        [0, context(1)],
        [1, context(2)],
      ]),
    );
    const link = (objectInstanceId: number) => instance([17, { objectId: 21, objectInstanceId }]);
    await world.write([0, 0], new Map([[0, link(0)]]));
    await world.write([0, 1], new Map([[1, new Map([...securityOf(1), ...link(1)])]]));
    await world.write([1, 0], new Map([[0, serverOf(1)]]));
    expect(await world.discover(21)).toContain("</21/0>,</21/1>;ssid=1");
    expect(await world.delete(21, 0)).toBe("4.00");
    expect(await world.delete(21)).toBe("2.02");
    expect(await world.discover(21)).toBe("</>;lwm2m=1.2,</21>;ver=2.0,</21/0>");
  });

  test("of an Object that is not there is refused", async () => {
    const world = await started();
    expect((await world.ask({ method: "GET", path: ["99"], accept: 40 })).code).toBe("4.04");
    expect((await world.ask({ method: "GET", path: ["1", "0"], accept: 40 })).code).toBe("4.00");
  });
});

describe("a Bootstrap-Delete", () => {
  test("of everything leaves the Bootstrap-Server's account and Device", async () => {
    const folder = createFolder(new Map([[0, new Map()]]));
    const world = await started({ factory, objects: [folder] });
    expect(await world.delete()).toBe("2.02");
    expect(await world.discover()).toBe(
      `</>;lwm2m=1.1,</0>;ver=1.2,</0/2>,</1>;ver=1.2,</2>;ver=1.1,` +
        `</3>;ver=${world.tree.definition(3)?.version},</3/0>,</16>,</21>;ver=2.0`,
    );
    expect(folder.folders.size).toBe(1); // until the Bootstrap-Finish
    await provision(world);
    expect(folder.folders.size).toBe(0);
    expect(world.tree.instanceIds(16)).toEqual([]);
  });

  test.each([
    ["the Bootstrap-Server's account", [0, 2]],
    ["Device", [3, 0]],
    ["an instance that is not there", [1, 9]],
    ["an instance of an Object that is not there", [99, 0]],
  ] as const)("of %s is refused", async (_, path) => {
    const world = await started({ factory });
    expect(await world.delete(...path)).toBe("4.00");
  });

  test("of a Resource is refused", async () => {
    const world = await started({ factory });
    expect(await world.delete(1, 0, 5)).toBe("4.00");
  });

  test("and a Write of the same instance replace it", async () => {
    const folder = createFolder(
      new Map([
        [
          0,
          new Map([
            [0, "old"],
            [1, "more"],
          ]),
        ],
      ]),
    );
    const world = await started({ objects: [folder] });
    await world.delete(16, 0);
    await world.write([16, 0], new Map([[0, files("new")]]));
    await provision(world);
    expect(folder.folders.get(0)).toEqual(new Map([[0, "new"]]));
  });

  test("of a Server account takes its instance of Server along", async () => {
    const world = await started({ factory });
    expect(await world.delete(0, 0)).toBe("2.02");
    expect(await world.finish()).toBe("2.04");
    expect(world.accounts.servers().map(({ shortServerId }) => shortServerId)).toEqual([102]);
    expect(world.tree.instanceIds(1)).toEqual([1]);
  });

  test("of a Server account that is written anew changes nothing about what it may access", async () => {
    const accessControl = [{ objectId: 16, objectInstanceId: 0, owner: 101, acl: { 101: 15 } }];
    const folder = createFolder(new Map([[0, new Map([[0, "mine"]])]]));
    const world = await started({ factory: { ...factory, accessControl }, objects: [folder] });
    await world.delete(0, 0);
    await world.write([0, 0], new Map([[0, securityOf(101, "coap://moved.example")]]));
    expect(await world.finish()).toBe("2.04");
    expect(world.accounts.server(101)).toMatchObject({ uri: "coap://moved.example", serverInstanceId: 0 });
    expect(folder.folders.size).toBe(1);
    expect(world.tree.instanceIds(2)).toEqual([0]);
  });
});

describe("a Server that has gone by a bootstrap", () => {
  test("takes along what only it could access, and leaves the rest to the others", async () => {
    const folder = createFolder(
      new Map([
        [0, new Map()],
        [1, new Map()],
      ]),
    );
    const accessControl = [
      { objectId: 16, objectInstanceId: 0, owner: 101, acl: { 101: 15 } },
      { objectId: 16, objectInstanceId: 1, owner: 101, acl: { 101: 15, 102: 3 } },
      { objectId: 3, objectInstanceId: 0, acl: { 101: 1, 102: 1 } },
    ];
    const world = await started({ factory: { ...factory, accessControl }, objects: [folder] });
    await world.delete(0, 0);
    expect(await world.finish()).toBe("2.04");
    expect([...folder.folders.keys()]).toEqual([1]);
    expect(await world.tree.read([2])).toEqual(
      new Map([
        [1, instance([0, 16], [1, 1], [2, new Map([[102, 3]])], [3, 102])],
        [2, instance([0, 3], [1, 0], [2, new Map([[102, 1]])], [3, 65535])],
      ]),
    );
  });
});

describe("requests that mean nothing in a bootstrap", () => {
  test.each([
    ["POST", ["1", "0"], "4.00"],
    ["POST", ["bs", "now"], "4.00"],
    ["FETCH", [], "4.05"],
    ["iPATCH", [], "4.05"],
    ["DELETE", ["bs"], "4.00"],
  ] as const)("%s /%s is refused", async (method, path, code) => {
    const world = await started();
    expect((await world.ask({ method, path })).code).toBe(code);
    expect(world.bootstrap.state.name).toBe("open");
  });

  test("a trailing empty segment is none", async () => {
    const world = await started();
    expect((await world.ask({ method: "DELETE", path: ["1", ""] })).code).toBe("2.02");
  });
});
