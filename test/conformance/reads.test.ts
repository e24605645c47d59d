/** The cases of the OMA test specification that read: one value, an instance, an Object, in each format. */
import { describe, expect, test } from "vitest";
import { createDeviceUnderTest, formats, fromHex, hex, text } from "./device.js";

/** Object 3, instance 0, as the specification prints it in TLV; then Memory Total, which comes with Memory Free. */
const deviceInTlv = `
  c8 00 14 4f70656e204d6f62696c6520416c6c69616e6365
  c8 01 16 4c69676874776569676874204d324d20436c69656e74
  c8 02 09 333435303030313233
  c3 03 312e30
  86 06 410001 410105
  88 07 08 42000ed8 42011388
  87 08 41007d 42010384
  c1 09 64
  c1 0a 0f
  83 0b 410000
  c4 0d 5182428f
  c6 0e 2b30323a3030
  c1 10 55
  c1 15 20`;

/** The same in SenML CBOR: 16 records of the specification, and Memory Total. */
const deviceInSenmlCbor = `
  91 a3 21 65 2f332f302f 00 61 30 03 74 4f70656e204d6f62696c6520416c6c69616e6365
  a2 00 61 31 03 76 4c69676874776569676874204d324d20436c69656e74
  a2 00 61 32 03 69 333435303030313233
  a2 00 61 33 03 63 312e30
  a2 00 63 362f30 02 01 a2 00 63 362f31 02 05
  a2 00 63 372f30 02 190ed8 a2 00 63 372f31 02 191388
  a2 00 63 382f30 02 187d a2 00 63 382f31 02 190384
  a2 00 61 39 02 1864
  a2 00 62 3130 02 0f
  a2 00 64 31312f30 02 00
  a2 00 62 3133 02 1a5182428f
  a2 00 62 3134 03 66 2b30323a3030
  a2 00 62 3136 03 61 55
  a2 00 62 3231 02 1820`;

test("LightweightM2M-1.1-int-201 Resources of Device are read as text", async () => {
  const { server } = await createDeviceUnderTest();
  for (const [uri, value] of [
    ["/3/0/0", "Open Mobile Alliance"],
    ["/3/0/1", "Lightweight M2M Client"],
    ["/3/0/2", "345000123"],
  ] as const) {
    const answer = await server.get(uri, { accept: formats.text });
    expect(answer).toMatchObject({ code: "2.05", contentFormat: formats.text });
    expect(text(answer.payload)).toBe(value);
  }
});

test("LightweightM2M-1.1-int-203 Device is read in TLV", async () => {
  const { server } = await createDeviceUnderTest();
  const answer = await server.get("/3/0", { accept: formats.tlv });
  expect(answer).toMatchObject({ code: "2.05", contentFormat: formats.tlv });
  expect(hex(answer.payload)).toBe(hex(fromHex(deviceInTlv.replaceAll("\n", ""))));
});

describe("LightweightM2M-1.1-int-204 Device in the JSON of 1.0", () => {
  test("LightweightM2M-1.1-int-204 is read by a Server of 1.0", async () => {
    const { server } = await createDeviceUnderTest({ version: "1.0" });
    const answer = await server.get("/3/0", { accept: formats.json });
    expect(answer).toMatchObject({ code: "2.05", contentFormat: formats.json });
    const { bn, e } = JSON.parse(text(answer.payload)) as { bn: string; e: unknown[] };
    expect(bn).toBe("/3/0/");
    expect(e).toEqual(
      expect.arrayContaining([
        { n: "0", sv: "Open Mobile Alliance" },
        { n: "6/1", v: 5 },
        { n: "13", v: 0x5182428f },
        { n: "16", sv: "U" },
      ]),
    );
  });

  test("LightweightM2M-1.1-int-204 is refused to a Server of 1.1, whose clients must not send it", async () => {
    const { server } = await createDeviceUnderTest();
    expect((await server.get("/3/0", { accept: formats.json })).code).toBe("4.06");
  });
});

test("LightweightM2M-1.1-int-211 Resources of Server are read in CBOR", async () => {
  const { server } = await createDeviceUnderTest();
  for (const [uri, bytes] of [
    ["/1/0/0", "01"],
    ["/1/0/6", "f4"],
    ["/1/0/7", "6155"],
  ] as const) {
    const answer = await server.get(uri, { accept: formats.cbor });
    expect(answer).toMatchObject({ code: "2.05", contentFormat: formats.cbor });
    expect(hex(answer.payload)).toBe(bytes);
  }
});

test("LightweightM2M-1.1-int-221 nothing of Security can be touched", async () => {
  const { server } = await createDeviceUnderTest();
  expect((await server.get("/0")).code).toBe("4.01");
  const uri = { contentFormat: formats.text, payload: new TextEncoder().encode("coap://evil.example") };
  expect((await server.put("/0/0/0", uri)).code).toBe("4.01");
  expect((await server.put("/0", { query: ["pmin=30", "pmax=45"] })).code).toBe("4.01");
});

test.each([
  { id: "222", level: "an Object", uris: ["/1", "/3"] },
  { id: "223", level: "an Object Instance", uris: ["/1/0", "/3/0"] },
  { id: "224", level: "a Resource", uris: ["/1/0/1", "/3/0/0", "/3/0/6"] },
  { id: "225", level: "a Resource Instance", uris: ["/3/0/11/0"] },
])("LightweightM2M-1.1-int-$id $level is read, and holds what is below it alone", async ({ uris }) => {
  const { server } = await createDeviceUnderTest();
  for (const uri of uris) {
    const answer = await server.get(uri, { accept: formats.senmlJson });
    expect(answer.code).toBe("2.05");
    const names = namesIn(text(answer.payload));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(`${name}/`.startsWith(`${uri}/`)).toBe(true);
  }
});

/** The paths that a pack of SenML JSON has values for. */
function namesIn(pack: string): string[] {
  let base = "";
  return (JSON.parse(pack) as { bn?: string; n?: string }[]).map(({ bn, n = "" }) => {
    base = bn ?? base;
    return base + n;
  });
}

describe.each([
  { id: "231", format: "SenML JSON", accept: formats.senmlJson },
  { id: "232", format: "SenML CBOR", accept: formats.senmlCbor },
])("$format", ({ id, accept }) => {
  test.each(["/3", "/3/0", "/3/0/11", "/3/0/11/0", "/3/0/0", "/1/0/1"])(
    `LightweightM2M-1.1-int-${id} is what %s comes in when it is asked for`,
    async (uri) => {
      const { server } = await createDeviceUnderTest();
      const answer = await server.get(uri, { accept });
      expect(answer).toMatchObject({ code: "2.05", contentFormat: accept });
      expect(answer.payload.length).toBeGreaterThan(1);
    },
  );
});

test("LightweightM2M-1.1-int-231 one value in SenML JSON has its path as base name", async () => {
  const { server } = await createDeviceUnderTest();
  const answer = await server.get("/3/0/0", { accept: formats.senmlJson });
  expect(text(answer.payload)).toBe('[{"bn":"/3/0/0","vs":"Open Mobile Alliance"}]');
});

test("LightweightM2M-1.1-int-232 Device in SenML CBOR is as the specification prints it", async () => {
  const { server } = await createDeviceUnderTest();
  const answer = await server.get("/3/0", { accept: formats.senmlCbor });
  expect(hex(answer.payload)).toBe(hex(fromHex(deviceInSenmlCbor.replaceAll("\n", ""))));
});

test("LightweightM2M-1.1-int-237 without Accept the device chooses the format", async () => {
  const { server } = await createDeviceUnderTest();
  expect(await server.get("/1")).toMatchObject({ code: "2.05", contentFormat: formats.senmlCbor });
  expect(await server.get("/3")).toMatchObject({ code: "2.05", contentFormat: formats.senmlCbor });
  expect(await server.get("/3/0/0")).toMatchObject({ code: "2.05", contentFormat: formats.text });
});

test("LightweightM2M-1.1-int-652 the firmware version is read", async () => {
  const { server } = await createDeviceUnderTest();
  expect(await server.read("/3/0/3")).toBe("1.0");
});
