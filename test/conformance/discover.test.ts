/** The cases of the OMA test specification with Discover and Write-Attributes. */
import { describe, expect, test } from "vitest";
import { createDeviceUnderTest, formats, type TestServer } from "./device.js";

const attach = async (server: TestServer, uri: string, ...query: string[]) =>
  expect((await server.put(uri, { query })).code).toBe("2.04");

/** A link in its parts, for their order is free. */
const parts = (link: string) => link.split(";").sort();

const deviceResources = [
  ...["0", "1", "2", "3", "4"].map((id) => `</3/0/${id}>`),
  ...["6", "7", "8"].map((id) => `</3/0/${id}>;dim=2`),
  ...["9", "10"].map((id) => `</3/0/${id}>`),
  "</3/0/11>;dim=1",
  ...["12", "13", "14", "16", "21"].map((id) => `</3/0/${id}>`),
];

describe("LightweightM2M-1.1-int-260 Discover", () => {
  test("LightweightM2M-1.1-int-260 of Device lists the instance and its Resources", async () => {
    const { server } = await createDeviceUnderTest();
    const [object, ...rest] = await server.discover("/3");
    expect(object).toMatch(/^<\/3>;ver=1\.\d$/);
    expect(rest).toEqual(["</3/0>", ...deviceResources]);
  });

  test("LightweightM2M-1.1-int-260 shows what was attached, and at its target what that inherits", async () => {
    const { server } = await createDeviceUnderTest();
    await attach(server, "/3", "pmin=10", "pmax=200");
    expect(parts((await server.discover("/3"))[0] ?? "")).toEqual(
      expect.arrayContaining(["pmin=10", "pmax=200"]),
    );
    await attach(server, "/3/0/7", "lt=1", "gt=6", "st=1");
    const [target, ...instances] = await server.discover("/3/0/7");
    expect(parts(target ?? "")).toEqual(parts("</3/0/7>;pmin=10;pmax=200;dim=2;lt=1;gt=6;st=1"));
    expect(instances).toEqual(["</3/0/7/0>", "</3/0/7/1>"]);
  });

  test("LightweightM2M-1.1-int-260 shows below its target only what is attached there", async () => {
    const { server } = await createDeviceUnderTest();
    await attach(server, "/3", "pmin=10", "pmax=200");
    await attach(server, "/3/0/7", "lt=1", "gt=6", "st=1");
    const links = await server.discover("/3/0");
    expect(links[0]).toBe("</3/0>;pmin=10;pmax=200");
    expect(parts(links.find((link) => link.startsWith("</3/0/7>")) ?? "")).toEqual(
      parts("</3/0/7>;dim=2;lt=1;gt=6;st=1"),
    );
    expect(links).toContain("</3/0/9>");
  });

  test("LightweightM2M-1.1-int-260 refuses attributes that contradict each other, and keeps what was", async () => {
    const { server } = await createDeviceUnderTest();
    await attach(server, "/3/0/7", "lt=1", "gt=6", "st=1");
    expect((await server.put("/3/0/7", { query: ["lt=7"] })).code).toBe("4.00");
    expect(parts((await server.discover("/3/0/7"))[0] ?? "")).toEqual(parts("</3/0/7>;dim=2;lt=1;gt=6;st=1"));
  });
});

test("LightweightM2M-1.1-int-261 a nearer level overrides, and a Resource Instance has its own", async () => {
  const { server } = await createDeviceUnderTest();
  await attach(server, "/3", "pmin=10", "pmax=60");
  await attach(server, "/3/0", "pmax=320");
  await attach(server, "/3/0/11/0", "pmax=100", "epmin=1", "epmax=20");
  const [target, instance, ...others] = await server.discover("/3/0/11");
  expect(parts(target ?? "")).toEqual(parts("</3/0/11>;dim=1;pmin=10;pmax=320"));
  expect(parts(instance ?? "")).toEqual(parts("</3/0/11/0>;pmax=100;epmin=1;epmax=20"));
  expect(others).toEqual([]);
});

describe("LightweightM2M-1.2-int-264 Discover with depth", () => {
  test.each([
    { depth: 0, links: [] },
    { depth: 1, links: ["</3/0>"] },
  ])("LightweightM2M-1.2-int-264 depth $depth of Device", async ({ depth, links }) => {
    const { server } = await createDeviceUnderTest({ version: "1.2" });
    const [object, ...rest] = await server.discover("/3", [`depth=${depth}`]);
    expect(object).toMatch(/^<\/3>/);
    expect(rest).toEqual(links);
  });

  test("LightweightM2M-1.2-int-264 a depth that is none is refused", async () => {
    const { server } = await createDeviceUnderTest({ version: "1.2" });
    for (const query of ["depth=4", "depth=", "depth=-1"]) {
      expect((await server.get("/3", { accept: formats.linkFormat, query: [query] })).code).toBe("4.00");
    }
  });
});

describe("LightweightM2M-1.2-int-266 Discover with attributes at all levels", () => {
  const prepared = async () => {
    const { server } = await createDeviceUnderTest({ version: "1.2" });
    await attach(server, "/3", "pmin=10", "pmax=60");
    await attach(server, "/3/0", "pmax=320");
    await attach(server, "/3/0/7", "gt=50", "lt=42.2");
    await attach(server, "/3/0/7/1", "lt=45");
    return server;
  };

  test("LightweightM2M-1.2-int-266 depth 2 of Device shows its Resources, and depth 3 their instances too", async () => {
    const server = await prepared();
    const two = await server.discover("/3", ["depth=2"]);
    expect(parts(two[0] ?? "").slice(1)).toEqual(expect.arrayContaining(["pmax=60", "pmin=10"]));
    expect(two[1]).toBe("</3/0>;pmax=320");
    expect(two).not.toContain("</3/0/7/0>");
    const three = await server.discover("/3", ["depth=3"]);
    expect(three).toEqual(expect.arrayContaining([...two, "</3/0/7/0>", "</3/0/7/1>;lt=45", "</3/0/11/0>"]));
  });

  test("LightweightM2M-1.2-int-266 the Resource shows what it inherits", async () => {
    const [target, ...instances] = await (await prepared()).discover("/3/0/7", ["depth=1"]);
    expect(parts(target ?? "")).toEqual(parts("</3/0/7>;dim=2;pmin=10;pmax=320;gt=50;lt=42.2"));
    expect(instances).toEqual(["</3/0/7/0>", "</3/0/7/1>;lt=45"]);
  });
});

test("LightweightM2M-1.1-int-951 each Server sees and changes its own attributes alone", async () => {
  const { servers } = await createDeviceUnderTest({ serverCount: 2 });
  const [first, second] = servers as [TestServer, TestServer];
  await attach(first, "/3/0/9", "pmin=5", "pmax=15");
  await attach(second, "/3/0/9", "pmin=7");
  expect(await first.discover("/3/0/9")).toEqual(["</3/0/9>;pmin=5;pmax=15"]);
  expect(await second.discover("/3/0/9")).toEqual(["</3/0/9>;pmin=7"]);
  await attach(second, "/3/0/9", "pmin");
  expect(await first.discover("/3/0/9")).toEqual(["</3/0/9>;pmin=5;pmax=15"]);
  expect(await second.discover("/3/0/9")).toEqual(["</3/0/9>"]);
});
