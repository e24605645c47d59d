import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { generate } from "coap-packet";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import { resourceIn } from "../../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../../jobs/server/management-server.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { option, RawDevice } from "./raw-device.js";

const random = createSeededRandom(20);
let server: ManagementServer;
let attacker: Socket;
const faults: unknown[] = [];
const onFault = (fault: unknown) => faults.push(fault);

beforeEach(async () => {
  faults.length = 0;
  process.on("uncaughtException", onFault).on("unhandledRejection", onFault);
  server = await createManagementServer({
    clock: createSystemClock(),
    random: createSeededRandom(1),
    log: createRecordingLog(),
    port: 0,
    requestTimeout: seconds(5),
  });
  attacker = createSocket("udp4");
  attacker.bind(0, "127.0.0.1");
  await once(attacker, "listening");
});

afterEach(async () => {
  attacker.close();
  await server.close();
  process.off("uncaughtException", onFault).off("unhandledRejection", onFault);
  expect(faults).toEqual([]);
});

/** In bursts that the socket's buffer holds, so that the server really sees them. */
async function attack(datagrams: Iterable<Uint8Array>): Promise<void> {
  let count = 0;
  for (const datagram of datagrams) {
    attacker.send(datagram, server.port, "127.0.0.1");
    if (++count % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function expectService(): Promise<void> {
  const device = await RawDevice.open(server.port);
  device.serve = () => ({
    code: "2.05",
    options: [option("Content-Format", 0)],
    payload: Buffer.from("1.0"),
  });
  await device.register("survivor");
  expect(resourceIn(await server.read("survivor", [3, 0, 3]), [3, 0, 3])).toBe("1.0");
  await device.close();
}

function* noise(count: number) {
  for (let datagram = 0; datagram < count; datagram++) yield random.bytes(random.integer(64));
}

/** The header of a CoAP message, then anything. */
function* nearlyCoap(count: number) {
  for (let datagram = 0; datagram < count; datagram++) {
    const bytes = random.bytes(4 + random.integer(60));
    bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
    bytes[1] = [0, 1, 2, 3, 4, 5, 6, 7, 0x45, 0x44, 0x84, 0x5f][random.integer(12)] ?? 0;
    yield bytes;
  }
}

const register = generate({
  code: "0.02",
  confirmable: true,
  messageId: 1,
  token: Buffer.of(1, 2),
  options: [
    { name: "Uri-Path", value: Buffer.from("rd") },
    option("Content-Format", 40),
    { name: "Uri-Query", value: Buffer.from("ep=mutant") },
    { name: "Uri-Query", value: Buffer.from("lt=60") },
    option("Observe", 0),
    option("Block1", 0x0e),
    option("Block2", 0x06),
  ],
  payload: Buffer.from("</1/0>,</3/0>"),
});

function* mutations(count: number) {
  for (let datagram = 0; datagram < count; datagram++) {
    const bytes = Uint8Array.from(register);
    for (let change = 0; change <= random.integer(4); change++)
      bytes[random.integer(bytes.length)] = random.integer(256);
    yield bytes.subarray(0, 4 + random.integer(bytes.length - 3));
  }
}

describe("the server goes on after", () => {
  test("thousands of datagrams of noise", async () => {
    await attack(noise(3000));
    await expectService();
  });

  test("thousands of messages that are nearly CoAP", async () => {
    await attack(nearlyCoap(4000));
    await expectService();
  });

  test("thousands of damaged registrations", async () => {
    await attack(mutations(4000));
    await expectService();
  });

  test("a block that would come a gigabyte after the first", async () => {
    const { rss } = process.memoryUsage();
    const block = {
      code: "0.02",
      confirmable: true,
      options: [{ name: "Uri-Path" as const, value: Buffer.from("rd") }, option("Block1", 0xff, 0xff, 0xf6)],
    };
    await attack(
      Array.from({ length: 20 }, (_, messageId) =>
        generate({ ...block, messageId, token: Buffer.of(messageId), payload: Buffer.from("x") }),
      ),
    );
    await expectService();
    expect(process.memoryUsage().rss - rss).toBeLessThan(300 * 1024 * 1024);
  });
});

describe("a device that answers with nonsense", () => {
  test.each([
    ["an unreadable Block1", () => ({ code: "2.04", options: [option("Block1", 1, 2, 3, 4)] })],
    ["an unreadable Block2", () => ({ code: "2.05", options: [option("Block2", 0x0f)] })],
    ["a reserved code", () => ({ code: "7.31" })],
    ["a request code", () => ({ code: "0.02" })],
  ])("does no harm: %s", async (_, answer) => {
    const device = await RawDevice.open(server.port);
    await device.register("liar");
    device.serve = answer;
    const read = server.read("liar", [3, 0, 3]).catch((fault: unknown) => fault);
    await device.next(({ code }) => code === "0.01");
    device.serve = () => ({ code: "4.04" });
    await device.register("liar"); // whatever came of it, it is over now
    expect(await read).toBeInstanceOf(Error);
    await device.close();
    await expectService();
  });

  test("is understood without the elective options that are malformed", async () => {
    const device = await RawDevice.open(server.port);
    await device.register("liar");
    device.serve = () => ({
      code: "2.05",
      options: [option("Observe", 1, 2, 3, 4, 5), option("Content-Format", 1, 2, 3, 4, 5)],
      payload: Buffer.from("1.0"),
    });
    expect(resourceIn(await server.read("liar", [3, 0, 3]), [3, 0, 3])).toBe("1.0");
    await device.close();
  });

  test("is understood when a block of its answer comes twice", async () => {
    const device = await RawDevice.open(server.port);
    await device.register("stutterer");
    device.serve = ({ options, messageId, token }) => {
      const isFirst = !options.some(({ name }) => name === "Block2");
      const first = {
        code: "2.05",
        confirmable: true,
        messageId: 40_000,
        token,
        options: [option("Content-Format", 0), option("Block2", 0x08)],
        payload: Buffer.from("sixteen bytes of"),
      };
      device.send({ code: "0.00", ack: true, messageId });
      device.send(first);
      if (isFirst) return undefined;
      const last = {
        ...first,
        messageId: 40_001,
        options: [option("Content-Format", 0), option("Block2", 0x10)],
      };
      device.send({ ...last, payload: Buffer.from(" text") });
      return undefined;
    };
    expect(resourceIn(await server.read("stutterer", [3, 0, 0]), [3, 0, 0])).toBe("sixteen bytes of text");
    await device.close();
  });

  test("fails a Block2 transfer without end", async () => {
    const device = await RawDevice.open(server.port);
    await device.register("liar");
    const piece = Buffer.alloc(1024, "x");
    let blocks = 0;
    device.serve = ({ options }) => {
      const value = options.find(({ name }) => name === "Block2")?.value ?? Buffer.of(0);
      const number = value.readUIntBE(0, value.length) >> 4;
      blocks++;
      const next = Buffer.alloc(3);
      next.writeUIntBE((number << 4) | 8 | 6, 0, 3);
      return {
        code: "2.05",
        options: [option("Content-Format", 0), { name: "Block2", value: next }],
        payload: piece,
      };
    };
    await expect(server.read("liar", [3, 0, 3])).rejects.toThrow("more than 1048576 bytes");
    expect(blocks).toBeLessThan(1100);
    await device.close();
  });
});
