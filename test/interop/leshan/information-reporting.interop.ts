import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ObjectHandle } from "../../../agent/model/object-handle.js";
import { ManagedDevice } from "./managed-device.js";
import { LeshanProcess, optionNumber, optionText } from "./process.js";

const senmlJson = 110;
const senmlCbor = 112;
const value = "/3303/0/5700";

let leshan: LeshanProcess;
let board: ManagedDevice;
let temperature: ObjectHandle;
beforeAll(async () => {
  leshan = await LeshanProcess.start("server");
  board = await ManagedDevice.start(leshan, {
    endpointName: "reporting",
    agent: { objects: [join(import.meta.dirname, "models/3303.xml")] },
  });
  temperature = board.device.agent().object(3303);
  const after = leshan.mark();
  temperature.createInstance(0, { 5700: 20, 5701: "Cel" });
  await board.event("updated", after);
});
afterAll(async () => {
  await board?.close();
  await leshan?.close();
});

/** What the notifications since the mark said of the temperature. */
const notified = (after: number) =>
  leshan.events("notification", after).map((event) => (event["content"] as Record<string, unknown>)[value]);

/** Waits until a notification says it. */
const notification = (wanted: number, after: number) =>
  board.event("notification", after, ({ content }) => (content as Record<string, unknown>)[value] === wanted);

const setAttributes = async (attributes: string) =>
  expect((await board.perform("writeAttributes", { path: value, attributes })).code).toBe("2.04");

describe("attributes decide what Leshan is told", () => {
  test("gt and lt: only a value that crosses a threshold", async () => {
    await setAttributes("gt=30&lt=10");
    const after = leshan.mark();
    await board.perform("observe", { path: value });
    for (const celsius of [25, 29, 31]) temperature.set(0, 5700, celsius);
    await notification(31, after);
    for (const celsius of [35, 29, 9]) temperature.set(0, 5700, celsius);
    await notification(9, after);
    expect(notified(after)).not.toContain(25);
    expect(notified(after)).not.toContain(35);
    await board.perform("cancel", { path: value });
    await setAttributes("gt&lt");
  });

  test("st: only a value that is far enough from the last one", async () => {
    temperature.set(0, 5700, 20);
    await setAttributes("st=2");
    const after = leshan.mark();
    await board.perform("observe", { path: value });
    for (const celsius of [21, 21.9, 22]) temperature.set(0, 5700, celsius);
    await notification(22, after);
    expect(notified(after)).not.toContain(21);
    expect(notified(after)).not.toContain(21.9);
    await board.perform("cancel", { path: value });
    await setAttributes("st");
  });

  test("pmin holds a notification back, and pmax brings one where nothing changed", async () => {
    temperature.set(0, 5700, 20);
    await setAttributes("pmin=2&pmax=4");
    const after = leshan.mark();
    await board.perform("observe", { path: value });
    const begun = Date.now();
    temperature.set(0, 5700, 21);
    const changed = await notification(21, after);
    expect(changed.at - begun).toBeGreaterThan(1800);
    const mark = leshan.mark();
    const unchanged = await notification(21, mark);
    expect(unchanged.at - changed.at).toBeGreaterThan(3500);
    expect(unchanged.at - changed.at).toBeLessThan(6000);
    await board.perform("cancel", { path: value });
    await setAttributes("pmin&pmax");
  });
});

describe.each([
  { name: "SenML JSON", format: senmlJson },
  { name: "SenML CBOR", format: senmlCbor },
])("Observe-Composite in $name", ({ format }) => {
  const paths = [value, "/3/0/14", "/42769/0"];

  test("one notification tells all paths when one of them changes", async () => {
    temperature.set(0, 5700, 20);
    const after = leshan.mark();
    const observed = await board.perform("observeComposite", { paths, format });
    expect(observed).toMatchObject({ code: "2.05", format });
    expect(observed.content).toMatchObject({ [value]: 20 });
    temperature.set(0, 5700, 23.5);
    const { content } = await notification(23.5, after);
    expect(content).toMatchObject({ ...observed.content, [value]: 23.5 });

    const request = leshan.trace(after).find(({ code }) => code === "0.05");
    expect(request && optionNumber(request, "Observe")).toBe(0);
    expect((await board.perform("cancelComposite", { paths })).code).toBe("2.05");
    const mark = leshan.mark();
    temperature.set(0, 5700, 24);
    expect(await board.value(value)).toBe(24);
    expect(leshan.events("notification", mark)).toEqual([]);
    expect(board.device.agent().status().observations).toBe(0);
  });

  test("a Reset ends it when Leshan has forgotten it", async () => {
    await board.perform("observeComposite", { paths, format });
    await board.perform("cancelPassively", { paths });
    const after = leshan.mark();
    temperature.set(0, 5700, 25 + format);
    await leshan.message(({ direction, reset }) => direction === "sent" && reset, { after });
    await expect.poll(() => board.device.agent().status().observations).toBe(0);
  });
});

describe("Send", () => {
  const mute = (muted: boolean) => board.write("/1/0/23", { type: "BOOLEAN", value: muted });
  // A Server that says nothing about it wants none (Core 1.2 §6.2.1.1, Mute Send).
  beforeAll(() => mute(false));

  test.each([senmlJson, senmlCbor] as const)(
    "present values come to Leshan in format %i",
    async (contentFormat) => {
      temperature.set(0, 5700, 22.5);
      const after = leshan.mark();
      const reports = await board.device.agent().send([value, "/3/0/0", "/1/0/1"], { contentFormat });
      expect(reports).toEqual([{ shortServerId: 1, delivered: true }]);
      const sent = await board.event("send", after);
      expect(sent["content"]).toEqual({ [value]: 22.5, "/3/0/0": "lwm2m-agent", "/1/0/1": 300 });

      const request = leshan.trace(after).find((message) => optionText(message, "Uri-Path") === "/dp");
      expect(request).toMatchObject({ code: "0.02", direction: "received" });
      expect(request && optionNumber(request, "Content-Format")).toBe(contentFormat);
    },
  );

  test("samples of the past come with their times", async () => {
    const after = leshan.mark();
    const samples = [1_700_000_000, 1_700_000_010].map((time, index) => ({
      path: value,
      value: 20 + index,
      time,
    }));
    expect(await board.device.agent().send(samples)).toMatchObject([{ delivered: true }]);
    const sent = await board.event("send", after);
    expect(sent["samples"]).toEqual([
      { time: 1_700_000_000, content: { [value]: 20 } },
      { time: 1_700_000_010, content: { [value]: 21 } },
    ]);
  });

  test("Mute Send keeps it back, until it is taken away", async () => {
    await mute(true);
    const after = leshan.mark();
    const muted = await board.device.agent().send([value]);
    expect(muted.filter(({ delivered }) => delivered)).toEqual([]);
    await mute(false);
    expect(await board.device.agent().send([value])).toMatchObject([{ delivered: true }]);
    await board.event("send", after);
    expect(leshan.events("send", after)).toHaveLength(1);
  });
});
