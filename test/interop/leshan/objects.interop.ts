/** Objects that the operator adds: one from the same definition file that Leshan has, and two that come with the agent. */
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ExecuteArguments } from "../../../agent/model/definition.js";
import type { ObjectHandle } from "../../../agent/model/object-handle.js";
import { ManagedDevice } from "./managed-device.js";
import { LeshanProcess } from "./process.js";

const tlv = 11542;
const senmlJson = 110;
const senmlCbor = 112;

let leshan: LeshanProcess;
let board: ManagedDevice;
let temperature: ObjectHandle;
beforeAll(async () => {
  leshan = await LeshanProcess.start("server");
  board = await ManagedDevice.start(leshan, {
    endpointName: "objects",
    agent: { objects: [join(import.meta.dirname, "models/3303.xml"), 16, 19] },
  });
  temperature = board.device.agent().object(3303);
});
afterAll(async () => {
  await board?.close();
  await leshan?.close();
});

describe("a temperature of a definition file", () => {
  let after: number;
  beforeAll(() => {
    after = leshan.mark();
    temperature.createInstance(0, { 5700: 21.5, 5701: "Cel" });
  });

  test("that appears is told by an Update", async () => {
    const updated = await board.event("updated", after);
    expect(updated["links"]).toContainEqual(expect.stringMatching(/^<\/3303\/0>/));
  });

  test.each([tlv, senmlJson, senmlCbor])(
    "is read as the floating-point number it is, format %i",
    async (format) => {
      const { code, content } = await board.read("/3303/0", format);
      expect(code).toBe("2.05");
      expect(content).toEqual({ "/3303/0/5700": 21.5, "/3303/0/5701": "Cel" });
    },
  );

  test.each([0, 60])("is read alone in format %i", async (format) => {
    expect((await board.read("/3303/0/5700", format)).content).toEqual({ "/3303/0/5700": 21.5 });
  });

  test("is notified when it changes", async () => {
    const mark = leshan.mark();
    expect((await board.perform("observe", { path: "/3303/0/5700" })).code).toBe("2.05");
    temperature.set(0, 5700, -3.25);
    const notified = await board.event("notification", mark);
    expect(notified["content"]).toEqual({ "/3303/0/5700": -3.25 });
    await board.perform("cancel", { path: "/3303/0/5700" });
    temperature.set(0, 5700, 21.5);
  });

  test("that goes is told by an Update", async () => {
    temperature.createInstance(1, { 5700: 1 });
    await expect.poll(async () => (await board.read("/3303/1/5700")).code).toBe("2.05");
    const mark = leshan.mark();
    temperature.deleteInstance(1);
    const updated = await board.event("updated", mark, ({ links }) => !`${links}`.includes("/3303/1"));
    expect(updated["links"]).toContainEqual(expect.stringMatching(/^<\/3303\/0>/));
  });
});

describe("an Execute", () => {
  const executed: (readonly [number, ExecuteArguments])[] = [];
  beforeAll(() => {
    temperature.onExecute(5605, (objectInstanceId, parameters) => {
      executed.push([objectInstanceId, parameters]);
    });
  });
  beforeEach(() => void executed.splice(0));

  test("comes without arguments", async () => {
    expect((await board.execute("/3303/0/5605")).code).toBe("2.04");
    expect(executed.map(([id, parameters]) => [id, [...parameters]])).toEqual([[0, []]]);
  });

  test("comes with arguments", async () => {
    expect((await board.execute("/3303/0/5605", "0='21.5',3,7='a,b'")).code).toBe("2.04");
    expect(executed.map(([, parameters]) => [...parameters])).toEqual([
      [
        [0, "21.5"],
        [3, undefined],
        [7, "a,b"],
      ],
    ]);
  });
});

describe("a Portfolio", () => {
  test.each([tlv, senmlCbor, senmlJson])(
    "is created, changed in part and deleted, format %i",
    async (format) => {
      const content = { 0: { type: "STRING", values: { 0: "id", 1: "maker" } } };
      expect((await board.perform("create", { path: "/16", instance: 1, content, format })).code).toBe(
        "2.01",
      );
      expect((await board.read("/16/1", format)).content).toEqual({
        "/16/1/0/0": "id",
        "/16/1/0/1": "maker",
      });

      const written = await board.write("/16/1/0/1", { type: "STRING", value: "another maker" }, format);
      expect(written.code).toBe("2.04");
      expect((await board.read("/16/1/0")).content).toEqual({
        "/16/1/0/0": "id",
        "/16/1/0/1": "another maker",
      });

      const replaced = await board.write("/16/1/0", { type: "STRING", values: { 3: "2.0" } }, format);
      expect(replaced.code).toBe("2.04");
      expect((await board.read("/16/1/0")).content).toEqual({ "/16/1/0/3": "2.0" });
      expect((await board.perform("delete", { path: "/16/1" })).code).toBe("2.02");
    },
  );
});

describe("a BinaryAppDataContainer", () => {
  test("takes bytes of more than one block and gives them back", async () => {
    const bytes = "00ff10".repeat(2000);
    const content = {
      0: { type: "OPAQUE", values: { 0: bytes } },
      2: { type: "TIME", value: 1_700_000_000 },
    };
    const created = await board.perform("create", { path: "/19", instance: 0, content, format: senmlCbor });
    expect(created.code).toBe("2.01");
    const { content: read } = await board.read("/19/0", senmlCbor);
    expect(read).toEqual({ "/19/0/0/0": bytes, "/19/0/2": 1_700_000_000 });
    expect((await board.read("/19/0/0/0", 42)).content).toEqual({ "/19/0/0/0": bytes });
  });
});
