/** The cases of the OMA test specification that write, create and delete. */
import { describe, expect, test } from "vitest";
import { seconds } from "../../agent/ports.js";
import { bytes, createDeviceUnderTest, formats, fromHex, type TestServer, text } from "./device.js";

/** Changes that come together are told together. */
const afterWrites = seconds(1);

const lifetimeUpdates = ({ received }: TestServer) =>
  received.filter(({ path, query }) => path.length === 2 && query.some((part) => part.startsWith("lt=")));

/** Resources of Server that these cases write, and what they hold at the beginning (C3). */
const settings = ["/1/0/2", "/1/0/3", "/1/0/5"] as const;
const settingsOf = (server: TestServer) => Promise.all(settings.map((uri) => server.read(uri)));
const initial = ["1", "10", "86400"];

test("LightweightM2M-1.1-int-205 Resources of Server are written as text, and restored", async () => {
  const { server } = await createDeviceUnderTest();
  for (const values of [["101", "1010", "2000"], initial]) {
    for (const [index, uri] of settings.entries()) {
      const payload = bytes(values[index] ?? "");
      expect((await server.put(uri, { contentFormat: formats.text, payload })).code).toBe("2.04");
    }
    expect(await settingsOf(server)).toEqual(values);
  }
});

test("LightweightM2M-1.1-int-212 Resources of Server are written in CBOR", async () => {
  const { server } = await createDeviceUnderTest();
  for (const [uri, payload] of [
    ["/1/0/2", "18 65"],
    ["/1/0/3", "19 03f2"],
    ["/1/0/6", "f5"],
  ] as const) {
    expect((await server.put(uri, { contentFormat: formats.cbor, payload: fromHex(payload) })).code).toBe(
      "2.04",
    );
  }
  expect([await server.read("/1/0/2"), await server.read("/1/0/3"), await server.read("/1/0/6")]).toEqual([
    "101",
    "1010",
    "1",
  ]);
});

describe("LightweightM2M-1.1-int-215 several Resources of Server in TLV", () => {
  const partial = fromHex("c10265 c20303f2 c20507d0 c10601 c10755");
  const whole = fromHex("c40100015180 c10201 c1030a c40500015180 c10600 c10755");

  test("LightweightM2M-1.1-int-215 are written by POST, and restored by PUT", async () => {
    const { server } = await createDeviceUnderTest();
    expect((await server.post("/1/0", { contentFormat: formats.tlv, payload: partial })).code).toBe("2.04");
    expect(await settingsOf(server)).toEqual(["101", "1010", "2000"]);
    expect([await server.read("/1/0/1"), await server.read("/1/0/6")]).toEqual(["86400", "1"]);
    expect((await server.put("/1/0", { contentFormat: formats.tlv, payload: whole })).code).toBe("2.04");
    expect(await settingsOf(server)).toEqual(initial);
    expect(await server.read("/1/0/6")).toBe("0");
  });
});

describe("LightweightM2M-1.1-int-220 several Resources of Server in the JSON of 1.0", () => {
  const entries =
    '{"n":"2","v":101},{"n":"3","v":1010},{"n":"5","v":2000},{"n":"6","bv":true},{"n":"7","sv":"U"}';
  test.each([
    { form: "as that version defines it", payload: `{"bn":"/1/0/","e":[${entries}]}` },
    { form: "as the test specification prints it", payload: `[{"bn":"/1/0/",${entries.slice(1)}]` },
  ])("LightweightM2M-1.1-int-220 are written, $form", async ({ payload }) => {
    const { server } = await createDeviceUnderTest();
    const answer = await server.post("/1/0", { contentFormat: formats.json, payload: bytes(payload) });
    expect(answer.code).toBe("2.04");
    expect(await settingsOf(server)).toEqual(["101", "1010", "2000"]);
    expect(await server.read("/1/0/6")).toBe("1");
  });
});

test("LightweightM2M-1.1-int-226 a partial Write of Server keeps what it does not name, and is told by an Update", async () => {
  const { server, clock } = await createDeviceUnderTest();
  const payload = fromHex("82 a3 21 65 2f312f302f 00 61 31 02 183d a2 00 61 36 04 f5");
  const answer = await server.post("/1/0", { contentFormat: formats.senmlCbor, payload });
  expect(answer.code).toBe("2.04");
  expect([await server.read("/1/0/1"), await server.read("/1/0/6")]).toEqual(["61", "1"]);
  expect(await settingsOf(server)).toEqual(initial);
  await clock.advance(afterWrites);
  expect(lifetimeUpdates(server).map(({ query }) => query)).toEqual([["lt=61"]]);
});

test("LightweightM2M-1.1-int-227 a Write of the lifetime is told by an Update", async () => {
  const { server, clock } = await createDeviceUnderTest();
  const payload = fromHex("81 a2 00 66 2f312f302f31 02 183f");
  expect((await server.put("/1/0/1", { contentFormat: formats.senmlCbor, payload })).code).toBe("2.04");
  expect(await server.read("/1/0/1")).toBe("63");
  await clock.advance(afterWrites);
  expect(lifetimeUpdates(server).map(({ query }) => query)).toEqual([["lt=63"]]);
});

test("LightweightM2M-1.1-int-228 a Write of one Resource Instance changes no other", async () => {
  const { server } = await createDeviceUnderTest();
  const identities = () => Promise.all([0, 1, 2, 3].map((id) => server.read(`/16/0/0/${id}`)));
  expect(await identities()).toEqual(["ID 1", "Maker", "Model", "1.0"]);
  const answer = await server.put("/16/0/0/2", { contentFormat: formats.text, payload: bytes("test") });
  expect(answer.code).toBe("2.04");
  expect(await identities()).toEqual(["ID 1", "Maker", "test", "1.0"]);
});

test.each([
  {
    id: "233",
    format: "SenML CBOR",
    contentFormat: formats.senmlCbor,
    payload: fromHex("81a200662f312f302f3102183f"),
  },
  {
    id: "234",
    format: "SenML JSON",
    contentFormat: formats.senmlJson,
    payload: bytes('[{"n":"/1/0/1","v":63}]'),
  },
])("LightweightM2M-1.1-int-$id a Resource is written in $format", async ({ contentFormat, payload }) => {
  const { server } = await createDeviceUnderTest();
  expect((await server.put("/1/0/1", { contentFormat, payload })).code).toBe("2.04");
  expect(await server.read("/1/0/1")).toBe("63");
});

test("LightweightM2M-1.1-int-256 the Short Server ID cannot be written", async () => {
  const { server } = await createDeviceUnderTest();
  const answer = await server.put("/1/0/0", { contentFormat: formats.text, payload: bytes("7") });
  expect(answer.code).toBe("4.05");
  expect(await server.read("/1/0/0")).toBe("1");
});

test("LightweightM2M-1.1-int-651 time, offset and timezone of Device are written", async () => {
  const { server } = await createDeviceUnderTest();
  const payload = fromHex("c40d5182428f c60e2b30323a3030 c80f0c4575726f70652f5061726973");
  expect((await server.post("/3/0", { contentFormat: formats.tlv, payload })).code).toBe("2.04");
  expect([await server.read("/3/0/13"), await server.read("/3/0/14"), await server.read("/3/0/15")]).toEqual([
    `${0x5182428f}`,
    "+02:00",
    "Europe/Paris",
  ]);
});

test("LightweightM2M-1.1-int-680 a second Device cannot be created", async () => {
  const { server } = await createDeviceUnderTest();
  const answer = await server.post("/3", { contentFormat: formats.tlv, payload: fromHex("080103 c10055") });
  expect(answer.code).toBe("4.05");
  expect(await server.discover("/3")).not.toContain("</3/1>");
});

test("LightweightM2M-1.1-int-685 the Device cannot be deleted", async () => {
  const { server } = await createDeviceUnderTest();
  expect((await server.delete("/3/0")).code).toBe("4.05");
  expect(await server.read("/3/0/0")).toBe("Open Mobile Alliance");
});

test("LightweightM2M-1.1-int-1630 a Portfolio is created with the ID and the identities that the Server chose", async () => {
  const { server, clock } = await createDeviceUnderTest();
  const payload = fromHex(
    "08012e 88002b 480011 486f737420446576696365204944202332 480114 486f737420446576696365204d6f64656c202332",
  );
  const answer = await server.post("/16", { contentFormat: formats.tlv, payload });
  expect(answer).toMatchObject({ code: "2.01", location: ["16", "1"] });
  expect(await server.read("/16/1/0/0")).toBe("Host Device ID #2");
  expect(await server.read("/16/1/0/1")).toBe("Host Device Model #2");
  expect(await server.discover("/16/1")).toContain("</16/1/0>;dim=2");
  await clock.advance(afterWrites);
  expect(text(server.received.at(-1)?.payload ?? new Uint8Array())).toContain("</16/1>");
});

test("LightweightM2M-1.1-int-1635 all Portfolios are deleted, and the Object stays", async () => {
  const { server } = await createDeviceUnderTest();
  expect((await server.delete("/16/0")).code).toBe("2.02");
  expect(await server.discover("/16")).toEqual(["</16>"]);
  expect((await server.get("/16/0")).code).toBe("4.04");
});
