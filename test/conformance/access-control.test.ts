/** Two Servers and Object 2 (LwM2M Core 1.2 §8), on a whole client. */
import { beforeEach, describe, expect, test } from "vitest";
import type { AccessControlOptions } from "../../objects/accounts/factory.js";
import { bytes, createDeviceUnderTest, formats, type TestServer, text } from "./device.js";

/** As a Bootstrap-Server provisions it: bits are 1 Read, 2 Write, 4 Execute, 8 Delete, 16 Create. */
const provisioned: readonly AccessControlOptions[] = [
  { objectId: 1, objectInstanceId: 0, owner: 1, acl: {} },
  { objectId: 1, objectInstanceId: 1, owner: 2, acl: {} },
  { objectId: 3, objectInstanceId: 0, acl: { 0: 1, 1: 7 } },
  { objectId: 16, objectInstanceId: 0, owner: 1, acl: { 2: 1 } },
  { objectId: 16, acl: { 2: 16 } },
];

let first: TestServer;
let second: TestServer;
beforeEach(async () => {
  const { servers } = await createDeviceUnderTest({ serverCount: 2, accessControl: provisioned });
  [first, second] = servers as [TestServer, TestServer];
});

const asText = (payload: string) => ({ contentFormat: formats.text, payload: bytes(payload) });
const asJson = (content: unknown) => ({
  contentFormat: formats.senmlJson,
  payload: bytes(JSON.stringify(content)),
});
const portfolio = (id: number) => asJson([{ n: `/16/${id}/0/0`, vs: "mine" }]);

describe("each Server", () => {
  test("sees its own account, and not that of the other", async () => {
    expect(await second.read("/1/1/0")).toBe("2");
    expect((await second.get("/1/0/0")).code).toBe("4.01");
    const pack = JSON.parse(text((await second.get("/1", { accept: formats.senmlJson })).payload)) as {
      n: string;
    }[];
    expect(pack.length).toBeGreaterThan(0);
    for (const { n } of pack) expect(n).toMatch(/^1\//);
  });

  test("does with Device what its sum or the default allows", async () => {
    expect(await second.read("/3/0/0")).toBe("Open Mobile Alliance");
    expect((await second.put("/3/0/15", asText("Europe/Paris"))).code).toBe("4.01");
    expect((await second.post("/3/0/4")).code).toBe("4.01");
    expect((await first.put("/3/0/15", asText("Europe/Paris"))).code).toBe("2.04");
    expect((await first.post("/3/0/12")).code).toBe("2.04");
  });

  test("sees with Discover what there is", async () => {
    expect(await second.discover("/1/0")).toContain("</1/0/1>");
  });

  test("reads in a composite what it may read", async () => {
    const request = { ...asJson([{ n: "/1/0/1" }, { n: "/3/0/16" }]), accept: formats.senmlJson };
    expect(text((await second.fetch(request)).payload)).toBe('[{"n":"/3/0/16","vs":"U"}]');
    const forbidden = { ...asJson([{ n: "/1/0/1" }]), accept: formats.senmlJson };
    expect((await second.fetch(forbidden)).code).toBe("4.01");
  });

  test("writes in a composite all or nothing", async () => {
    const both = asJson([
      { n: "/1/1/1", v: 77 },
      { n: "/16/0/0/0", vs: "taken" },
    ]);
    expect((await second.ipatch(both)).code).toBe("4.01");
    expect(await second.read("/1/1/1")).toBe("86400");
  });
});

describe("the owner", () => {
  test("of what it created alone decides about it", async () => {
    expect((await first.post("/16", portfolio(5))).code).toBe("4.01"); // no right to create
    expect((await second.post("/16", portfolio(5))).code).toBe("2.01");
    expect(await second.read("/16/5/0/0")).toBe("mine");
    expect((await first.get("/16/5/0/0")).code).toBe("4.01");
    const entry = await entryOf("16", "5");
    expect((await first.post(`${entry}/2`, asJson([{ n: `${entry}/2/1`, v: 1 }]))).code).toBe("4.01");
    expect((await second.post(`${entry}/2`, asJson([{ n: `${entry}/2/1`, v: 1 }]))).code).toBe("2.04");
    expect(await first.read("/16/5/0/0")).toBe("mine");
  });

  test("deletes it, and its entry goes too", async () => {
    await second.post("/16", portfolio(5));
    const entry = await entryOf("16", "5");
    expect((await first.delete("/16/5")).code).toBe("4.01");
    expect((await second.delete("/16/5")).code).toBe("2.02");
    expect((await second.get(entry)).code).toBe("4.04");
  });

  /** The instance of Object 2 that is about this Object Instance. */
  async function entryOf(objectId: string, objectInstanceId: string): Promise<string> {
    for (const link of await first.discover("/2")) {
      const [, entry] = /^<(\/2\/\d+)>$/.exec(link) ?? [];
      if (entry === undefined) continue;
      const [about, instance] = [await first.read(`${entry}/0`), await first.read(`${entry}/1`)];
      if (about === objectId && instance === objectInstanceId) return entry;
    }
    throw new Error("there is no such entry");
  }
});

describe("Object 2", () => {
  test("can be read by all", async () => {
    expect(await second.read("/2/0/3")).toBe("1");
  });

  test("is changed by the owner of an entry, and never in what it is about", async () => {
    expect((await second.put("/2/0/3", asText("2"))).code).toBe("4.01");
    expect((await first.put("/2/0/1", asText("7"))).code).toBe("4.05");
    expect((await first.put("/2/2/3", asText("1"))).code).toBe("4.01"); // the Bootstrap-Server's
    expect((await first.put("/2/3/3", asText("2"))).code).toBe("2.04");
    expect((await second.put("/16/0/0/0", asText("taken over"))).code).toBe("4.01"); // its sum says Read
    expect((await second.get("/16/0/0/0")).code).toBe("2.05");
  });

  test("has instances that nobody creates or deletes", async () => {
    expect((await first.delete("/2/0")).code).toBe("4.01");
    expect((await first.post("/2", asJson([{ n: "/2/9/3", v: 1 }]))).code).toBe("4.01");
  });
});

test("two Servers without Object 2 may both do everything", async () => {
  const { servers } = await createDeviceUnderTest({ serverCount: 2 });
  for (const server of servers) {
    expect((await server.put("/1/0/2", asText("3"))).code).toBe("2.04");
    expect((await server.post("/3/0/12")).code).toBe("2.04");
  }
});
