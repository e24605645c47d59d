import { describe, expect, test } from "vitest";
import {
  decodeMessage,
  encodeMessage,
  MessageFormatError,
  type OutgoingMessage,
} from "../../../agent/coap/message.js";

const hex = (text: string) =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (byte) => Number.parseInt(byte, 16));
const none = new Uint8Array();

// RFC 7252 appendix A.
const vectors: { name: string; bytes: string; message: OutgoingMessage }[] = [
  {
    name: "figure 16, the request",
    bytes: "40 01 7d34 bb 74656d7065726174757265",
    message: {
      type: "CON",
      code: 1,
      messageId: 0x7d34,
      token: none,
      options: [{ number: 11, value: new TextEncoder().encode("temperature") }],
      payload: none,
    },
  },
  {
    name: "figure 16, the response",
    bytes: "60 45 7d34 ff 32322e332043",
    message: {
      type: "ACK",
      code: 0x45,
      messageId: 0x7d34,
      token: none,
      options: [],
      payload: new TextEncoder().encode("22.3 C"),
    },
  },
  {
    name: "figure 17, the request with a token",
    bytes: "41 01 7d35 20 bb 74656d7065726174757265",
    message: {
      type: "CON",
      code: 1,
      messageId: 0x7d35,
      token: hex("20"),
      options: [{ number: 11, value: new TextEncoder().encode("temperature") }],
      payload: none,
    },
  },
];

describe("a message", () => {
  for (const { name, bytes, message } of vectors) {
    test(`decodes as in RFC 7252, ${name}`, () => expect(decodeMessage(hex(bytes))).toEqual(message));
    test(`encodes as in RFC 7252, ${name}`, () => expect(encodeMessage(message)).toEqual(hex(bytes)));
  }

  test("keeps option deltas and lengths of every width", () => {
    const options = [1, 12, 13, 268, 269, 300, 65_535].map((number, index) => ({
      number,
      value: new Uint8Array([0, 12, 13, 268, 269, 270, 1][index] ?? 0).fill(index),
    }));
    const message: OutgoingMessage = {
      type: "NON",
      code: 2,
      messageId: 1,
      token: none,
      options,
      payload: none,
    };
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  test("writes integers in as few bytes as they need", () => {
    const values = [0, 1, 0xff, 0x100, 0xffff, 0x10000, 0xffffff, 0x1000000, 0xffffffff];
    const options = values.map((value, number) => ({ number, value }));
    const decoded = decodeMessage(
      encodeMessage({ type: "CON", code: 1, messageId: 0, token: none, options, payload: none }),
    );
    expect(decoded.options.map(({ value }) => Buffer.from(value).toString("hex"))).toEqual([
      "",
      "01",
      "ff",
      "0100",
      "ffff",
      "010000",
      "ffffff",
      "01000000",
      "ffffffff",
    ]);
  });

  test("decodes from the middle of a larger buffer", () => {
    const framed = hex("ffff 41 01 7d35 20 bb 74656d7065726174757265 ffff");
    expect(decodeMessage(framed.subarray(2, -2))).toEqual(vectors[2]?.message);
  });

  test("cannot be made of what no message can carry", () => {
    const message: OutgoingMessage = {
      type: "CON",
      code: 1,
      messageId: 0,
      token: none,
      options: [],
      payload: none,
    };
    expect(() => encodeMessage({ ...message, token: new Uint8Array(9) })).toThrow(RangeError);
    const unordered = [12, 11].map((number) => ({ number, value: none }));
    expect(() => encodeMessage({ ...message, options: unordered })).toThrow(RangeError);
  });
});

describe("a message format error", () => {
  const faults: [string, string, number][] = [
    ["nothing at all", "", 0],
    ["less than a header", "40 01 00", 3],
    ["version 0", "00 01 0000", 0],
    ["version 2", "80 01 0000", 0],
    ...[9, 10, 11, 12, 13, 14, 15].map((length): [string, string, number] => [
      `a token length of ${length}`,
      `4${length.toString(16)} 01 0000 ${"00".repeat(16)}`,
      0,
    ]),
    ["a token that is cut off", "44 01 0000 010203", 4],
    ["an empty message with a token", "41 00 0000 01", 4],
    ["an empty message with a token length and nothing else", "41 00 0000", 4],
    ["an empty message with a payload", "40 00 0000 ff 00", 4],
    ["code class 1", "40 21 0000", 1],
    ["code class 6", "40 c1 0000", 1],
    ["code class 7, which is for streams", "40 e1 0000", 1],
    ["a payload marker without payload", "40 01 0000 ff", 4],
    ["a payload marker without payload after an option", "40 01 0000 b1 61 ff", 6],
    ["option delta 15", "40 01 0000 f1 00", 4],
    ["option length 15", "40 01 0000 1f 00", 4],
    ["an option value that is cut off", "40 01 0000 b3 6162", 4],
    ["an extended delta that is cut off", "40 01 0000 d0", 5],
    ["a doubly extended delta that is cut off", "40 01 0000 e0 00", 5],
    ["an extended length that is cut off", "40 01 0000 1d", 5],
    ["a doubly extended length that is cut off", "40 01 0000 1e 00", 5],
    ["an option number beyond 65535", "40 01 0000 e0 fef2 10", 7],
  ];
  for (const [name, bytes, offset] of faults) {
    test(`is ${name}`, () => {
      expect(() => decodeMessage(hex(bytes))).toThrow(MessageFormatError);
      expect(() => decodeMessage(hex(bytes))).toThrow(expect.objectContaining({ offset }));
    });
  }

  test("is all that can come of a message that is cut at any byte", () => {
    const whole = encodeMessage({
      type: "CON",
      code: 3,
      messageId: 9,
      token: hex("0102030405060708"),
      options: [11, 12, 300, 2000].map((number) => ({ number, value: new Uint8Array(20) })),
      payload: hex("0102"),
    });
    for (let length = 0; length < whole.length; length++) {
      try {
        decodeMessage(whole.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(MessageFormatError);
      }
    }
  });
});
