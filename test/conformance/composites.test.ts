/** The cases of the OMA test specification with Read-Composite and Write-Composite. */
import { describe, expect, test } from "vitest";
import { seconds } from "../../agent/ports.js";
import { bytes, createDeviceUnderTest, formats, fromHex, type TestServer, text } from "./device.js";

const senmlJson = formats.senmlJson;
const names = (...uris: string[]) => ({
  contentFormat: senmlJson,
  accept: senmlJson,
  payload: bytes(JSON.stringify(uris.map((n) => ({ n })))),
});

/** Reads these paths, and what each of them holds. */
async function readAll(server: TestServer, ...uris: string[]): Promise<Record<string, unknown>> {
  const answer = await server.fetch(names(...uris));
  expect(answer).toMatchObject({ code: "2.05", contentFormat: senmlJson });
  const records = JSON.parse(text(answer.payload)) as {
    n: string;
    v?: unknown;
    vs?: unknown;
    vb?: unknown;
  }[];
  return Object.fromEntries(records.map(({ n, v, vs, vb }) => [n, v ?? vs ?? vb]));
}

const serverInstance = {
  "/1/0/0": 1,
  "/1/0/1": 86400,
  "/1/0/2": 1,
  "/1/0/3": 10,
  "/1/0/5": 86400,
  "/1/0/6": false,
  "/1/0/7": "U",
};

test.each(["229", "280"])(
  "LightweightM2M-1.1-int-%s a Read-Composite answers a Resource, a Resource Instance and an Object Instance",
  async () => {
    const { server } = await createDeviceUnderTest();
    expect(await readAll(server, "/3/0/16", "/3/0/11/0", "/1/0")).toEqual({
      ...serverInstance,
      "/3/0/11/0": 0,
      "/3/0/16": "U",
    });
  },
);

test("LightweightM2M-1.1-int-229 a Read-Composite in SenML CBOR is answered in it", async () => {
  const { server } = await createDeviceUnderTest();
  const answer = await server.fetch({
    contentFormat: formats.senmlCbor,
    payload: fromHex("83a100662f332f302f30a100662f332f302f39a100662f312f302f31"), // /3/0/0, /3/0/9, /1/0/1
  });
  expect(answer).toMatchObject({ code: "2.05", contentFormat: formats.senmlCbor });
  expect(Buffer.from(answer.payload).toString("hex")).toBe(
    "83" +
      "a200662f312f302f31021a00015180" +
      "a200662f332f302f3003744f70656e204d6f62696c6520416c6c69616e6365" +
      "a200662f332f302f39021864",
  );
});

test("LightweightM2M-1.1-int-230 one Write-Composite writes Server and Portfolio, and is told by an Update", async () => {
  const { server, clock } = await createDeviceUnderTest();
  const pack = [
    { n: "/1/0/1", v: 61 },
    { n: "/1/0/6", vb: true },
    { n: "/16/0/0/0", vs: "new ID" },
    { n: "/16/0/0/1", vs: "new maker" },
    { n: "/16/0/0/2", vs: "new model" },
    { n: "/16/0/0/3", vs: "2.0" },
  ];
  const answer = await server.ipatch({ contentFormat: senmlJson, payload: bytes(JSON.stringify(pack)) });
  expect(answer.code).toBe("2.04");
  expect(await readAll(server, "/1/0/1", "/1/0/6", "/16")).toEqual({
    "/1/0/1": 61,
    "/1/0/6": true,
    "/16/0/0/0": "new ID",
    "/16/0/0/1": "new maker",
    "/16/0/0/2": "new model",
    "/16/0/0/3": "2.0",
  });
  await clock.advance(seconds(1));
  expect(server.received.at(-1)?.query).toEqual(["lt=61"]);
});

test("LightweightM2M-1.1-int-235 a Read-Composite of / answers everything but Security", async () => {
  const { server } = await createDeviceUnderTest();
  const values = await readAll(server, "/");
  expect(values).toMatchObject({ ...serverInstance, "/3/0/0": "Open Mobile Alliance", "/16/0/0/1": "Maker" });
  for (const name of Object.keys(values)) expect(name).not.toMatch(/^\/(0|21|23)\//);
});

test("LightweightM2M-1.1-int-236 a Read-Composite leaves out what does not exist", async () => {
  const { server } = await createDeviceUnderTest();
  expect(await readAll(server, "/3/0/0", "/3/0/99", "/3/7", "/4711", "/3/0/11/9")).toEqual({
    "/3/0/0": "Open Mobile Alliance",
  });
});

describe("LightweightM2M-1.1-int-257 a Write-Composite of Server and Device", () => {
  const before = { "/1/0/2": 1, "/1/0/6": false };
  test.each([
    {
      format: "SenML JSON",
      contentFormat: senmlJson,
      payload: bytes('[{"bn":"/","n":"1/0/2","v":101},{"n":"1/0/6","vb":true},{"n":"3/0/13","v":0}]'),
    },
    {
      format: "SenML CBOR",
      contentFormat: formats.senmlCbor,
      payload: fromHex("83a321612f0065312f302f32021865a20065312f302f3604f5a20066332f302f31330200"),
    },
  ])("LightweightM2M-1.1-int-257 in $format", async ({ contentFormat, payload }) => {
    const { server } = await createDeviceUnderTest();
    expect(await readAll(server, "/1/0/2", "/1/0/6")).toEqual(before);
    expect((await server.ipatch({ contentFormat, payload })).code).toBe("2.04");
    expect(await readAll(server, "/1/0/2", "/1/0/6", "/3/0/13")).toEqual({
      "/1/0/2": 101,
      "/1/0/6": true,
      "/3/0/13": 0,
    });
  });

  test("LightweightM2M-1.1-int-257 writes nothing when one target cannot be written", async () => {
    const { server } = await createDeviceUnderTest();
    const payload = bytes('[{"bn":"/","n":"1/0/2","v":101},{"n":"1/0/6","vb":true},{"n":"3/0/0","vs":"x"}]');
    expect((await server.ipatch({ contentFormat: senmlJson, payload })).code).toBe("4.05");
    expect(await readAll(server, "/1/0/2", "/1/0/6")).toEqual(before);
  });
});

test("LightweightM2M-1.1-int-281 a Read-Composite leaves out what is executable", async () => {
  const { server } = await createDeviceUnderTest();
  expect(await readAll(server, "/1/0/1", "/1/0/7", "/1/0/8")).toEqual({ "/1/0/1": 86400, "/1/0/7": "U" });
});

describe("a composite operation", () => {
  test("has no path of its own", async () => {
    const { server } = await createDeviceUnderTest();
    expect((await server.ask("FETCH", "/3/0", names("/3/0"))).code).toBe("4.05");
    expect((await server.ask("iPATCH", "/3/0", names("/3/0"))).code).toBe("4.05");
  });

  test("is none of 1.0", async () => {
    const { server } = await createDeviceUnderTest({ version: "1.0" });
    expect((await server.fetch(names("/3/0"))).code).toBe("4.05");
    expect((await server.ipatch(names("/3/0"))).code).toBe("4.05");
  });

  test("of 1.2 removes Resource Instances in SenML-ETCH", async () => {
    const { server } = await createDeviceUnderTest({ version: "1.2" });
    const payload = fromHex("81 a2 00 69 2f31362f302f302f33 02 f6"); // /16/0/0/3: null
    expect((await server.ipatch({ contentFormat: 322, payload })).code).toBe("2.04");
    expect(Object.keys(await readAll(server, "/16"))).toEqual(["/16/0/0/0", "/16/0/0/1", "/16/0/0/2"]);
  });
});
