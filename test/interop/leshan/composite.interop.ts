import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ManagedDevice } from "./managed-device.js";
import { LeshanProcess, optionNumber } from "./process.js";

const senmlJson = 110;
const senmlCbor = 112;
const fetchCode = "0.05";
const iPatchCode = "0.07";

let leshan: LeshanProcess;
let board: ManagedDevice;
beforeAll(async () => {
  leshan = await LeshanProcess.start("server");
  board = await ManagedDevice.start(leshan, {
    endpointName: "composite",
    agent: { objects: [join(import.meta.dirname, "models/3303.xml"), 16] },
  });
});
afterAll(async () => {
  await board?.close();
  await leshan?.close();
});

describe.each([
  { name: "SenML JSON", format: senmlJson },
  { name: "SenML CBOR", format: senmlCbor },
])("in $name", ({ format }) => {
  test("paths of every level are read at once", async () => {
    await board.writeInstance(
      "/42769/0",
      { 1: { type: "STRING", value: "name" }, 2: { type: "STRING", value: "value" } },
      { mode: "UPDATE" },
    );
    const after = leshan.mark();
    const read = await board.perform("readComposite", {
      paths: ["/42769", "/3/0/0", "/3/0/6/0", "/1/0/1"],
      format,
    });
    expect(read).toMatchObject({ code: "2.05", format });
    expect(read.content).toEqual({
      "/42769/0/1": "name",
      "/42769/0/2": "value",
      "/3/0/0": "lwm2m-agent",
      "/3/0/6/0": 1,
      "/1/0/1": 300,
    });
    const request = leshan.trace(after).find(({ code }) => code === fetchCode);
    expect(request && optionNumber(request, "Accept")).toBe(format);
  });

  test("what is not there is left out", async () => {
    const { code, content } = await board.perform("readComposite", {
      paths: ["/3/0/0", "/9999", "/3/0/99", "/42769/7"],
      format,
    });
    expect(code).toBe("2.05");
    expect(content).toEqual({ "/3/0/0": "lwm2m-agent" });
  });

  test("Security is not read", async () => {
    const { code, content } = await board.perform("readComposite", { paths: ["/0/0", "/3/0/16"], format });
    expect(code).toBe("2.05");
    expect(content).toEqual({ "/3/0/16": "U" });
  });

  test("several Objects are written at once", async () => {
    const after = leshan.mark();
    const written = await board.perform("writeComposite", {
      format,
      content: {
        "/42769/0/1": { type: "STRING", value: `name ${format}` },
        "/3/0/14": { type: "STRING", value: "+01:00" },
        "/1/0/6": { type: "BOOLEAN", value: true },
      },
    });
    expect(written.code).toBe("2.04");
    expect(leshan.trace(after).some(({ code }) => code === iPatchCode)).toBe(true);
    const { content } = await board.perform("readComposite", {
      paths: ["/42769/0/1", "/3/0/14", "/1/0/6"],
      format,
    });
    expect(content).toEqual({ "/42769/0/1": `name ${format}`, "/3/0/14": "+01:00", "/1/0/6": true });
  });

  test("a Write-Composite of which one part cannot be done changes nothing", async () => {
    const before = await board.value("/42769/0/2");
    const { code } = await board.perform("writeComposite", {
      format,
      content: {
        "/42769/0/2": { type: "STRING", value: "must not stay" },
        "/3/0/0": { type: "STRING", value: "somebody else" },
      },
    });
    expect(code).toMatch(/^4\./);
    expect(await board.value("/42769/0/2")).toBe(before);
  });
});
