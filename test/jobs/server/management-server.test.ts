import type { Packet, ParsedPacket } from "coap-packet";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { millis } from "../../../agent/ports.js";
import { type DeviceEvent, resourceContent, resourceIn } from "../../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../../jobs/server/management-server.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createRecordingLog, type RecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { describeRequest, option, optionValues, RawDevice } from "./raw-device.js";

let log: RecordingLog;
let server: ManagementServer;
let device: RawDevice;
let events: DeviceEvent[];

const open = (options: { host?: string; requestTimeout?: number } = {}) =>
  createManagementServer({
    clock: createSystemClock(),
    random: createSeededRandom(1),
    log,
    port: 0,
    ...(options.host !== undefined && { host: options.host }),
    ...(options.requestTimeout !== undefined && { requestTimeout: millis(options.requestTimeout) }),
  });

beforeEach(async () => {
  log = createRecordingLog();
  server = await open();
  events = [];
  server.onDeviceEvent((event) => events.push(event));
  device = await RawDevice.open(server.port);
});

afterEach(async () => {
  await device.close();
  await server.close();
  expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
});

const text = (value: string): Packet => ({
  code: "2.05",
  options: [option("Content-Format", 0)],
  payload: Buffer.from(value),
});

describe("a device", () => {
  test("registers, updates and de-registers", async () => {
    const location = await device.register("lamp");
    expect(location).toMatch(/^\/rd\/[0-9a-f]{16}$/);
    expect(server.devices()).toMatchObject([
      {
        endpointName: "lamp",
        address: "127.0.0.1",
        port: device.port,
        lwm2mVersion: "1.1",
        lifetimeSeconds: 300,
        queueMode: false,
      },
    ]);
    expect(server.device("lamp")?.objects).toEqual(
      new Map([
        [1, { version: undefined, instances: [0] }],
        [3, { version: undefined, instances: [0] }],
        [5, { version: "1.1", instances: [0] }],
      ]),
    );
    const updated = await device.request("POST", location, { query: ["lt=60"] });
    expect(updated.code).toBe("2.04");
    expect(server.device("lamp")?.lifetimeSeconds).toBe(60);
    const ended = await device.request("DELETE", location);
    expect(ended.code).toBe("2.02");
    expect(server.devices()).toEqual([]);
    expect(server.isKnown("lamp")).toBe(true);
    expect(events.map(({ type }) => type)).toEqual(["registered", "updated", "deregistered"]);
  });

  test("that registers again takes the place of its earlier self, wherever it is", async () => {
    const first = await device.register("lamp");
    const again = await RawDevice.open(server.port);
    const second = await again.register("lamp");
    expect(second).not.toBe(first);
    expect(server.devices()).toMatchObject([{ endpointName: "lamp", port: again.port }]);
    expect(events).toMatchObject([{ isReregistration: false }, { isReregistration: true }]);
    expect((await device.request("POST", first)).code).toBe("4.04");
    await again.close();
  });

  test("gets the same answer to a Register that is retransmitted", async () => {
    const packet: Packet = {
      code: "0.02",
      confirmable: true,
      messageId: 77,
      token: Buffer.of(7),
      options: [
        { name: "Uri-Path", value: Buffer.from("rd") },
        option("Content-Format", 40),
        { name: "Uri-Query", value: Buffer.from("ep=lamp") },
      ],
      payload: Buffer.from("</3/0>"),
    };
    const isAnswer = ({ ack, messageId }: ParsedPacket) => ack && messageId === 77;
    device.send(packet);
    const first = await device.next(isAnswer);
    device.send(packet);
    const second = await device.next(isAnswer);
    expect(second).toEqual(first);
    expect(events).toHaveLength(1);
  });

  test("may list its Objects in blocks", async () => {
    const instances = Array.from({ length: 200 }, (_, instance) => `</3303/${instance}>`).join(",");
    const blocks = instances.match(/.{1,1024}/gs) ?? [];
    for (const [number, block] of blocks.entries()) {
      const isLast = number === blocks.length - 1;
      const messageId = 500 + number;
      device.send({
        code: "0.02",
        confirmable: true,
        messageId,
        token: Buffer.of(9),
        options: [
          { name: "Uri-Path", value: Buffer.from("rd") },
          option("Content-Format", 40),
          { name: "Uri-Query", value: Buffer.from("ep=lamp") },
          option("Block1", (number << 4) | (isLast ? 0 : 8) | 6),
        ],
        payload: Buffer.from(block),
      });
      const answer = await device.next((packet) => packet.messageId === messageId);
      expect(answer.code).toBe(isLast ? "2.01" : "2.31");
      expect(optionValues(answer, "Block1")).toHaveLength(1);
    }
    expect(server.device("lamp")?.objects.get(3303)?.instances).toHaveLength(200);
  });

  test("is found over IPv6, too", async () => {
    const other = await open({ host: "::1" });
    expect(other.uri).toBe(`coap://[::1]:${other.port}`);
    const lamp = await RawDevice.open(other.port, "::1");
    await lamp.register("lamp");
    lamp.serve = () => text("1.0");
    expect(resourceIn(await other.read("lamp", [3, 0, 3]), [3, 0, 3])).toBe("1.0");
    await lamp.close();
    await other.close();
  });

  test.each([
    ["a GET of /rd", "GET", "/rd", "4.05"],
    ["a POST elsewhere", "POST", "/bs", "4.04"],
    ["a DELETE of what is not there", "DELETE", "/rd/0123456789abcdef", "4.04"],
    ["an Update of what is not there", "POST", "/rd/0123456789abcdef", "4.04"],
    ["a PUT to a registration", "PUT", "/rd/0123456789abcdef", "4.05"],
  ])("is refused %s", async (_, method, path, code) => {
    expect((await device.request(method, path)).code).toBe(code);
  });

  test("may ask to observe what cannot be observed, and is refused as any other", async () => {
    const response = await device.request("GET", "/rd", { more: [["Observe", Buffer.of()]] });
    expect(response.code).toBe("4.05");
  });
});

describe("the server", () => {
  beforeEach(async () => {
    await device.register("lamp");
  });

  test("reads what it knows with its type, in the format that the device chose", async () => {
    device.serve = () => text("90");
    expect(resourceIn(await server.read("lamp", [3, 0, 9]), [3, 0, 9])).toBe(90);
    device.serve = () => ({
      code: "2.05",
      options: [option("Content-Format", 0x2d, 0x16)], // 11542, TLV
      payload: Buffer.from("8606410001410105", "hex"), // LwM2M Core 1.1 §7.4.3, /3/0/6 of the example
    });
    expect(resourceIn(await server.read("lamp", [3, 0, 6]), [3, 0, 6])).toEqual(
      new Map([
        [0, 1],
        [1, 5],
      ]),
    );
  });

  test("reads what it does not know as text, or as bytes", async () => {
    device.serve = () => text("22.5");
    expect(resourceIn(await server.read("lamp", [3303, 0, 5700]), [3303, 0, 5700])).toBe("22.5");
    device.serve = () => ({
      code: "2.05",
      options: [option("Content-Format", 42)],
      payload: Buffer.of(1, 2),
    });
    expect(resourceIn(await server.read("lamp", [19, 0, 0]), [19, 0, 0])).toEqual(Uint8Array.of(1, 2));
  });

  test("writes and executes, from the port at which the device registered", async () => {
    const seen: string[] = [];
    device.serve = (request) => {
      seen.push(`${describeRequest(request)} ${request.payload.toString()}`);
      return { code: "2.04" };
    };
    await server.write("lamp", [3, 0, 15], resourceContent([3, 0, 15], "Europe/Berlin"), "replace");
    await server.execute("lamp", [3, 0, 4]);
    await server.execute("lamp", [5, 0, 2], "0='x'");
    expect(seen).toEqual(["PUT /3/0/15 Europe/Berlin", "POST /3/0/4 ", "POST /5/0/2 0='x'"]);
  });

  test("sends a long value in blocks", async () => {
    const blocks: Buffer[] = [];
    device.serve = ({ options, payload }) => {
      const block1 = options.find(({ name }) => name === "Block1");
      blocks.push(payload);
      return {
        code: (block1?.value[0] ?? 0) & 8 ? "2.31" : "2.04",
        options: block1 === undefined ? [] : [{ name: "Block1", value: block1.value }],
      };
    };
    const value = "x".repeat(2500);
    await server.write("lamp", [3, 0, 15], resourceContent([3, 0, 15], value), "replace");
    expect(blocks.map(({ length }) => length)).toEqual([1024, 1024, 452]);
    expect(Buffer.concat(blocks).toString()).toBe(value);
  });

  test("puts a long response together from its blocks", async () => {
    const value = "y".repeat(40);
    device.serve = ({ options }) => {
      const number = (options.find(({ name }) => name === "Block2")?.value[0] ?? 0) >> 4;
      const isLast = number === 2;
      return {
        code: "2.05",
        options: [option("Content-Format", 0), option("Block2", (number << 4) | (isLast ? 0 : 8))],
        payload: Buffer.from(value.slice(number * 16, number * 16 + 16)),
      };
    };
    expect(resourceIn(await server.read("lamp", [3, 0, 0]), [3, 0, 0])).toBe(value);
  });

  test("takes a separate response, also when the empty acknowledgement was lost", async () => {
    for (const acknowledges of [true, false]) {
      device.serve = ({ messageId, token }) => {
        if (acknowledges) device.send({ code: "0.00", ack: true, messageId });
        device.send({ ...text("1.0"), confirmable: true, messageId: messageId ^ 1, token });
        return undefined;
      };
      expect(resourceIn(await server.read("lamp", [3, 0, 3]), [3, 0, 3])).toBe("1.0");
    }
  });

  test("says with what code and words a device refused", async () => {
    device.serve = () => ({ code: "4.05", payload: Buffer.from("read\u001b[31m only") });
    await expect(
      server.write("lamp", [3, 0, 9], resourceContent([3, 0, 9], 1), "replace"),
    ).rejects.toMatchObject({
      name: "DeviceResponseError",
      code: "4.05",
      message: "Write of /3/0/9 on lamp was answered with 4.05: read [31m only",
    });
  });

  test("fails a request whose answer makes no sense", async () => {
    device.serve = () => text("ninety");
    await expect(server.read("lamp", [3, 0, 9])).rejects.toMatchObject({ name: "DecodeError" });
    device.serve = () => ({ code: "2.05", options: [option("Content-Format", 50)] });
    await expect(server.read("lamp", [3, 0, 9])).rejects.toMatchObject({ name: "DecodeError" });
  });

  test("asks one thing at a time", async () => {
    const open: ParsedPacket[] = [];
    device.serve = (request) => {
      open.push(request);
      return undefined;
    };
    const reads = [server.read("lamp", [3, 0, 0]), server.read("lamp", [3, 0, 1])];
    await device.next((packet) => packet.code === "0.01");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(open.map(describeRequest)).toEqual(["GET /3/0/0"]);
    device.serve = () => text("second");
    const [first] = open;
    if (first !== undefined)
      device.send({ ...text("first"), ack: true, messageId: first.messageId, token: first.token });
    const values = await Promise.all(reads);
    expect(values.map((content) => [...(content.get(0)?.values() ?? [])])).toEqual([["first"], ["second"]]);
  });

  test("gives up a request when the device registers anew, and finds it where it is now", async () => {
    device.serve = () => undefined;
    const lost = server.read("lamp", [3, 0, 3]);
    const refusal = expect(lost).rejects.toMatchObject({ name: "DeviceTimeoutError", restarted: true });
    await device.next((packet) => packet.code === "0.01");
    const again = await RawDevice.open(server.port);
    again.serve = () => text("2.0");
    const waiting = server.read("lamp", [3, 0, 3]);
    await again.register("lamp");
    await refusal;
    expect(resourceIn(await waiting, [3, 0, 3])).toBe("2.0");
    await again.close();
  });

  test("knows a device that is not there", async () => {
    await expect(server.read("ghost", [3, 0, 3])).rejects.toMatchObject({ name: "DeviceNotConnectedError" });
    expect(server.isKnown("ghost")).toBe(false);
  });

  test("hears from a Reset that its request is not wanted", async () => {
    device.serve = ({ messageId }) => ({
      code: "0.00",
      reset: true,
      ack: false,
      messageId,
      token: Buffer.of(),
    });
    await expect(server.read("lamp", [3, 0, 3])).rejects.toThrow("rejected with a Reset");
  });

  test("takes no answer from another device", async () => {
    const thief = await RawDevice.open(server.port);
    await thief.register("thief");
    device.serve = (request) => {
      thief.send({ ...text("stolen"), ack: true, messageId: request.messageId, token: request.token });
      thief.send({ code: "0.00", reset: true, messageId: request.messageId });
      thief.send({ ...text("stolen"), confirmable: true, messageId: 1, token: request.token });
      void thief
        .next(({ reset }) => reset)
        .then(() =>
          device.send({ ...text("own"), ack: true, messageId: request.messageId, token: request.token }),
        );
      return undefined;
    };
    expect(resourceIn(await server.read("lamp", [3, 0, 3]), [3, 0, 3])).toBe("own");
    await thief.close();
  });

  test("answers a ping", async () => {
    device.send({ code: "0.00", confirmable: true, messageId: 4711 });
    expect(await device.next(({ messageId }) => messageId === 4711)).toMatchObject({
      reset: true,
      code: "0.00",
    });
  });

  test("fails what is under way when it closes", async () => {
    device.serve = () => undefined;
    const lost = server.read("lamp", [3, 0, 3]);
    const refusal = expect(lost).rejects.toMatchObject({ name: "DeviceTimeoutError" });
    await device.next((packet) => packet.code === "0.01");
    await server.close();
    await refusal;
    await expect(server.read("lamp", [3, 0, 3])).rejects.toMatchObject({ name: "DeviceNotConnectedError" });
  });
});

test("a device that does not answer is given up in time", async () => {
  const impatient = await open({ requestTimeout: 50 });
  const silent = await RawDevice.open(impatient.port);
  silent.serve = () => undefined;
  await silent.register("silent");
  await expect(impatient.read("silent", [3, 0, 3])).rejects.toMatchObject({
    name: "DeviceTimeoutError",
    restarted: false,
    message: "silent did not answer: Read of /3/0/3",
  });
  await silent.close();
  await impatient.close();
});

describe("an observation", () => {
  let values: unknown[];
  let request: ParsedPacket | undefined;
  const notified = (content: Parameters<typeof resourceIn>[0]) =>
    void values.push(resourceIn(content, [5, 0, 3]));
  const observe = () => server.observe("lamp", [5, 0, 3], notified);
  const notify = (sequence: number | undefined, packet: Packet) =>
    device.send({
      confirmable: false,
      messageId: 1000 + (sequence ?? 0),
      token: request?.token ?? Buffer.of(),
      ...packet,
      options: [...(sequence === undefined ? [] : [option("Observe", sequence)]), ...(packet.options ?? [])],
    });
  /** A ping goes the way of all datagrams: when it is answered, what was sent before has been dealt with. */
  const settled = async () => {
    device.send({ code: "0.00", confirmable: true, messageId: 60000 });
    await device.next(({ messageId }) => messageId === 60000);
  };

  beforeEach(async () => {
    values = [];
    await device.register("lamp");
    device.serve = (packet) => {
      request = packet;
      return { ...text("0"), options: [option("Observe", 1), option("Content-Format", 0)] };
    };
  });

  test("brings the first value and every newer one", async () => {
    await observe();
    notify(2, text("1"));
    notify(4, text("2"));
    notify(3, text("0")); // late
    notify(4, text("2")); // twice
    await settled();
    expect(values).toEqual([0, 1, 2]);
  });

  test("acknowledges what asks for it", async () => {
    await observe();
    notify(2, { ...text("1"), confirmable: true });
    expect(await device.next(({ messageId }) => messageId === 1002)).toMatchObject({
      ack: true,
      code: "0.00",
    });
    expect(values).toEqual([0, 1]);
  });

  test("is not confused by a notification with the number of a request of ours", async () => {
    await observe();
    const { token } = request ?? { token: Buffer.of() };
    device.serve = ({ messageId, token: own }) => {
      device.send({
        ...text("1"),
        confirmable: true,
        messageId,
        token,
        options: [option("Observe", 2), option("Content-Format", 0)],
      });
      return { ...text("2.0"), messageId, token: own };
    };
    expect(resourceIn(await server.read("lamp", [3, 0, 3]), [3, 0, 3])).toBe("2.0");
    expect(values).toEqual([0, 1]);
  });

  test("ends with an error, and what comes later is rejected", async () => {
    await observe();
    notify(undefined, { code: "4.04" });
    await settled();
    notify(3, { ...text("1"), confirmable: true });
    expect(await device.next(({ messageId }) => messageId === 1003)).toMatchObject({ reset: true });
    expect(values).toEqual([0]);
  });

  test("survives a notification that makes no sense", async () => {
    await observe();
    notify(2, text("seven"));
    notify(3, text("3"));
    await settled();
    expect(values).toEqual([0, 3]);
    expect(log.lines.some(({ event }) => event === "a notification was dropped")).toBe(true);
  });

  test("reads a value that does not fit into one notification", async () => {
    await observe();
    device.serve = () => text("3");
    notify(2, { ...text("2"), options: [option("Content-Format", 0), option("Block2", 8)] });
    await device.next(({ code }) => code === "0.01");
    await settled();
    await expect.poll(() => values).toEqual([0, 3]);
  });

  test("is cancelled with the token it was made with", async () => {
    const observation = await observe();
    const { token } = request ?? {};
    device.serve = (packet) => {
      request = packet;
      return text("0");
    };
    await observation.cancel();
    expect(request?.token).toEqual(token);
    expect(request?.options).toContainEqual({ name: "Observe", value: Buffer.of(1) });
    notify(5, { ...text("1"), confirmable: true });
    expect(await device.next(({ messageId }) => messageId === 1005)).toMatchObject({ reset: true });
    expect(values).toEqual([0]);
  });

  test("is void after a new registration", async () => {
    const observation = await observe();
    await device.register("lamp");
    notify(2, { ...text("1"), confirmable: true });
    expect(await device.next(({ messageId }) => messageId === 1002)).toMatchObject({ reset: true });
    expect(values).toEqual([0]);
    const requests = device.received.length;
    await observation.cancel();
    expect(device.received).toHaveLength(requests);
  });
});
