import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ManagedDevice } from "./managed-device.js";
import { LeshanProcess, optionText } from "./process.js";

const tlv = 11542;

let leshan: LeshanProcess;
let board: ManagedDevice | undefined;
beforeAll(async () => {
  leshan = await LeshanProcess.start("server");
});
afterEach(async () => {
  await board?.close();
  board = undefined;
});
afterAll(() => leshan?.close());

test("a client of 1.2 steps down to 1.1 when Leshan refuses it with 4.12", async () => {
  const after = leshan.mark();
  board = await ManagedDevice.start(leshan, { endpointName: "stepping-down", agent: { version: "1.2" } });
  expect(board.registered.version).toBe("1.1");
  const trace = leshan.trace(after);
  const registers = trace.filter((message) => optionText(message, "Uri-Path") === "/rd");
  const offers = registers.map((message) => /lwm2m=[0-9.]+/.exec(optionText(message, "Uri-Query"))?.[0]);
  expect(offers).toEqual(["lwm2m=1.2", "lwm2m=1.1"]);
  const refusal = trace.find(({ ack, messageId }) => ack && messageId === registers[0]?.messageId);
  expect(refusal?.code).toBe("4.12");
  expect(await board.value("/3/0/0")).toBe("lwm2m-agent");
});

test("a client of 1.0 is managed in the formats of 1.0", async () => {
  board = await ManagedDevice.start(leshan, { endpointName: "old", agent: { version: "1.0" } });
  expect(board.registered.version).toBe("1.0");
  const { code, format, content } = await board.read("/3/0", tlv);
  expect({ code, format }).toEqual({ code: "2.05", format: tlv });
  expect(content).toMatchObject({ "/3/0/0": "lwm2m-agent", "/3/0/16": "U" });
  const written = await board.writeInstance(
    "/42769/0",
    { 1: { type: "STRING", value: "name" } },
    { mode: "UPDATE", format: tlv },
  );
  expect(written.code).toBe("2.04");
  expect(await board.value("/42769/0/1")).toBe("name");
});

test("in Queue Mode Leshan sees the device asleep and awake, and reaches it when it is awake", async () => {
  const endpointName = "sleepy";
  await leshan.perform({ operation: "awakeTime", endpoint: endpointName, millis: 1500 });
  const after = leshan.mark();
  board = await ManagedDevice.start(leshan, {
    endpointName,
    agent: {
      servers: [{ uri: leshan.uri, shortServerId: 1, lifetime: 10 }],
      queueMode: true,
      awakeSeconds: 2,
    },
  });
  expect(board.registered.queueMode).toBe(true);
  expect(await board.value("/3/0/0")).toBe("lwm2m-agent");
  await board.event("sleeping", after);
  await expect(board.read("/3/0/0")).rejects.toThrow("ClientSleepingException");
  const asleep = leshan.mark();
  await board.event("awake", asleep);
  expect(await board.value("/3/0/0")).toBe("lwm2m-agent");
});
