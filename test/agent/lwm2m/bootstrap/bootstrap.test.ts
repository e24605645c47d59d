import { describe, expect, test } from "vitest";
import { seconds } from "../../../../agent/ports.js";
import { createFailableStore } from "../../../objects/doubles.js";
import {
  acceptsRequests,
  createBootstrapWorld,
  createFolder,
  provision,
  securityOf,
  serverOf,
} from "./world.js";

describe("a bootstrap", () => {
  test("asks for what it wants, and ends with the accounts that were written", async () => {
    const world = await createBootstrapWorld();
    const { outcome } = await world.start();

    expect(world.requests).toMatchObject([{ method: "POST", path: ["bs"], query: ["ep=board", "pct=112"] }]);
    expect(await provision(world)).toEqual(["2.04", "2.04", "2.04"]);
    expect(await outcome).toBe("done");
    expect(world.accounts.servers()).toMatchObject([
      { shortServerId: 101, uri: "coap://server.example", securityInstanceId: 1, serverInstanceId: 0 },
    ]);
    expect(world.accounts.server(101)?.settings()).toMatchObject({ lifetimeSeconds: 86400, binding: "U" });
  });

  test("shows its accounts to nobody before the Bootstrap-Finish", async () => {
    const world = await createBootstrapWorld();
    const changes: number[] = [];
    world.accounts.onChange(() => changes.push(world.accounts.servers().length));
    await world.start();

    await world.write([0], new Map([[1, securityOf(101)]]));
    await world.write([1], new Map([[0, serverOf(101)]]));
    expect(world.accounts.servers()).toEqual([]);
    expect(world.tree.instanceIds(1)).toEqual([]);
    await world.finish();

    expect(changes).toEqual([1]);
    expect(world.tree.instanceIds(1)).toEqual([0]);
  });

  test("keeps its accounts over a restart", async () => {
    const before = await createBootstrapWorld();
    await before.start();
    await provision(before);

    const after = await createBootstrapWorld({ store: before.store });
    expect(after.accounts.servers()).toMatchObject([{ shortServerId: 101 }]);
    expect(after.bootstrap.available).toBe(true);
  });

  test("notes when it was", async () => {
    const world = await createBootstrapWorld();
    await world.start();
    await provision(world);
    expect((await world.tree.read([1, 0, 12])).get(0)?.get(12)).toBe(
      Date.parse("2026-01-01T00:00:00Z") / 1000,
    );
  });

  test("waits for the Client Hold Off Time", async () => {
    const world = await createBootstrapWorld({
      factory: { bootstrapServer: { uri: "coap://bootstrap.example", holdOff: 30 } },
    });
    await world.start();
    await world.clock.advance(seconds(29.9));
    expect(world.requests).toEqual([]);
    await world.clock.advance(seconds(0.2));
    expect(world.requests).toHaveLength(1);
  });

  test("is asked for again without `pct` where the Bootstrap-Server does not know it", async () => {
    const world = await createBootstrapWorld({
      answer: ({ query }) => (query.length > 1 ? { code: "4.00" } : { code: "2.04" }),
    });
    const { outcome } = await world.start();
    expect(world.requests.map(({ query }) => query)).toEqual([["ep=board", "pct=112"], ["ep=board"]]);
    await provision(world);
    expect(await outcome).toBe("done");
  });

  test("of a client of 1.0 is as it was then: no `pct`, no Bootstrap-Read", async () => {
    const world = await createBootstrapWorld({ version: "1.0" });
    const { outcome } = await world.start();
    expect(world.requests.map(({ query }) => query)).toEqual([["ep=board"]]);
    expect((await world.ask({ method: "GET", path: ["1"], accept: 11542 })).code).toBe("4.05");
    expect(await world.discover(0)).toBe('lwm2m="1.0",</0>;ver=1.2,</0/0>');
    expect(await world.delete()).toBe("2.02");
    expect(await provision(world)).toEqual(["2.04", "2.04", "2.04"]);
    expect(await outcome).toBe("done");
    expect(world.accounts.servers()).toMatchObject([{ shortServerId: 101 }]);
  });

  test("is joined by whoever wants one meanwhile", async () => {
    const world = await createBootstrapWorld();
    const { outcome } = await world.start();
    const again = world.bootstrap.run(world.stopping.signal);
    await provision(world);
    expect(await Promise.all([outcome, again])).toEqual(["done", "done"]);
    expect(world.requests).toHaveLength(1);
  });

  test("does not happen without a Bootstrap-Server account", async () => {
    const factory = { servers: [{ uri: "coap://server.example", shortServerId: 1, lifetime: 300 }] };
    const world = await createBootstrapWorld({ factory });
    expect(world.bootstrap.available).toBe(false);
    expect(await world.bootstrap.run(world.stopping.signal)).toBe("failed");
  });

  test("is left when the client stops, without a trace", async () => {
    const world = await createBootstrapWorld();
    const { outcome } = await world.start();
    await world.write([0], new Map([[1, securityOf(101)]]));
    world.stopping.abort();
    expect(await outcome).toBe("failed");
    expect(world.accounts.servers()).toEqual([]);
    await world.clock.advance(seconds(3600));
    expect(world.requests).toHaveLength(1);
  });
});

describe("a Bootstrap-Server that fails", () => {
  test("half-way leaves everything as it was, and is asked again later", async () => {
    const factory = {
      servers: [{ uri: "coap://old.example", shortServerId: 7, lifetime: 300 }],
      bootstrapServer: { uri: "coap://bootstrap.example" },
    };
    const world = await createBootstrapWorld({ factory });
    await world.start();
    await world.delete();
    await world.write([0], new Map([[2, securityOf(101)]]));

    await world.clock.advance(seconds(246));
    expect(world.bootstrap.state.name).toBe("open");
    await world.clock.advance(seconds(2));

    expect(world.bootstrap.state.name).toBe("waiting");
    expect(world.accounts.servers()).toMatchObject([{ shortServerId: 7, uri: "coap://old.example" }]);
    expect(world.log.lines).toContainEqual({
      level: "warn",
      event: "bootstrap failed",
      fields: { reason: "no Bootstrap-Finish in time", next: "waiting" },
    });
    await world.clock.advance(seconds(10));
    expect(world.requests).toHaveLength(2);
  });

  test("gets its whole time again with each operation", async () => {
    const world = await createBootstrapWorld();
    await world.start();
    for (let operation = 0; operation < 3; operation++) {
      await world.clock.advance(seconds(240));
      await world.write([0], new Map([[1, securityOf(101)]]));
    }
    expect(world.bootstrap.state.name).toBe("open");
  });

  test("is asked five times, with growing waits, and then somebody else decides", async () => {
    const world = await createBootstrapWorld({ answer: () => ({ code: "5.00" }) });
    const { outcome } = await world.start();
    const times: number[] = [];
    let seen = 0;
    for (let second = 0; second < 120; second++) {
      if (world.requests.length > seen) times.push(second);
      seen = world.requests.length;
      await world.clock.advance(seconds(1));
    }
    expect(await outcome).toBe("failed");
    expect(world.requests).toHaveLength(5);
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(5 * 2 ** index - 1);
      expect(wait).toBeLessThanOrEqual(7.5 * 2 ** index + 1);
    }
  });

  test("is not asked before the time that it named", async () => {
    const world = await createBootstrapWorld({ answer: () => ({ code: "5.03", maxAge: 300 }) });
    await world.start();
    await world.clock.advance(seconds(299));
    expect(world.requests).toHaveLength(1);
    await world.clock.advance(seconds(2));
    expect(world.requests).toHaveLength(2);
  });

  test("is not heard outside a bootstrap", async () => {
    const world = await createBootstrapWorld({ answer: () => ({ code: "5.00" }) });
    await world.start();
    const unanswered = world.ask({ method: "DELETE", path: [] });
    const failed = expect(unanswered).rejects.toMatchObject({ reason: "timeout" });
    await world.clock.advance(seconds(94));
    await failed;
  });
});

describe("a Bootstrap-Finish", () => {
  test("that was answered already is answered again, and nothing else is", async () => {
    const world = await createBootstrapWorld();
    await world.start();
    await provision(world);
    expect(await world.finish()).toBe("2.04");
    expect(await world.delete()).toBe("4.01");
    expect(world.accounts.servers()).toHaveLength(1);
    await world.clock.advance(seconds(248));
    expect(world.bootstrap.listens).toBe(false);
  });

  test("that cannot be made durable is refused, changes nothing, and may be repeated", async () => {
    const store = createFailableStore();
    const folder = createFolder();
    const world = await createBootstrapWorld({ store, objects: [folder] });
    const { outcome } = await world.start();
    await world.write([16], new Map([[0, new Map([[0, new Map([[0, "host"]])]])]]));
    store.fail = new Error("the disk is full");

    expect(await provision(world)).toEqual(["2.04", "2.04", "5.00"]);
    expect(world.accounts.servers()).toEqual([]);
    expect(folder.folders.size).toBe(0);
    expect(world.log.lines.filter(({ level }) => level === "error")).toMatchObject([
      { event: "bootstrap failed", fields: { reason: "the disk is full", next: "open" } },
    ]);

    store.fail = undefined;
    expect(await world.finish()).toBe("2.04");
    expect(await outcome).toBe("done");
    expect(folder.folders.get(0)).toEqual(new Map([[0, "host"]]));
  });

  test("after a configuration that an Object refuses is inconsistent, and takes the others back", async () => {
    const folder = createFolder(new Map([[0, new Map([[0, "old"]])]]));
    const world = await createBootstrapWorld({ objects: [folder] });
    await world.start();
    await world.write([16, 0], new Map([[0, new Map([[0, new Map([[0, "new"]])]])]]));
    await world.write([16, 1], new Map([[1, new Map()]])); // lacks what every instance has
    expect((await provision(world)).at(-1)).toBe("4.06");
    expect(folder.folders).toEqual(new Map([[0, new Map([[0, "old"]])]]));
    expect(world.accounts.servers()).toEqual([]);
    expect(world.bootstrap.state.name).toBe("open");
  });
});

describe("a Bootstrap-Pack", () => {
  const pack = (records: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(records));
  const complete = pack([
    { bn: "/0/1/", n: "0", vs: "coap://server.example" },
    { n: "1", vb: false },
    { n: "2", v: 3 },
    { n: "10", v: 101 },
    { bn: "/1/0/", n: "0", v: 101 },
    { n: "1", v: 60 },
    { n: "6", vb: true },
    { n: "7", vs: "U" },
  ]);

  test("is asked for by a client of 1.2 and ends the bootstrap without a Finish", async () => {
    const world = await createBootstrapWorld({
      version: "1.2",
      answer: () => ({ code: "2.05", contentFormat: 110, payload: complete }),
    });
    const { outcome } = await world.start();
    expect(await outcome).toBe("done");
    expect(world.requests).toMatchObject([
      { method: "GET", path: ["bspack"], query: ["ep=board", "acc=</0/0>"], accept: 112 },
    ]);
    expect(world.accounts.servers()).toMatchObject([{ shortServerId: 101, securityInstanceId: 1 }]);
    expect(world.bootstrap.available).toBe(true);
  });

  test.each(["4.04", "4.05", "5.01"] as const)(
    "that is refused with %s leads to a Bootstrap-Request",
    async (code) => {
      const world = await createBootstrapWorld({
        version: "1.2",
        answer: ({ path }) => (path[0] === "bs" ? { code: "2.04" } : { code }),
      });
      const { outcome } = await world.start();
      await provision(world);
      expect(await outcome).toBe("done");
      expect(world.requests.map(({ path }) => path[0])).toEqual(["bspack", "bs"]);
    },
  );

  test.each([
    ["makes no sense", new TextEncoder().encode("[{")],
    ["is inconsistent", pack([{ n: "/1/0/0", v: 101 }])],
  ])("that %s leads to a Bootstrap-Request", async (_, payload) => {
    const world = await createBootstrapWorld({
      version: "1.2",
      answer: (request) =>
        request.path[0] === "bs" ? acceptsRequests(request) : { code: "2.05", contentFormat: 110, payload },
    });
    const { outcome } = await world.start();
    expect(world.bootstrap.state.name).toBe("open");
    expect(await provision(world)).toEqual(["2.04", "2.04", "2.04"]);
    expect(await outcome).toBe("done");
    expect(world.accounts.servers()).toMatchObject([{ shortServerId: 101 }]);
  });
});
