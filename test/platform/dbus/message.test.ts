import { describe, expect, test } from "vitest";
import { DecodeError } from "../../../agent/model/errors.js";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  maximumMessageSize,
} from "../../../platform/dbus/message.js";
import { MessageBuffer } from "../../../platform/dbus/message-buffer.js";
import { parseSignature } from "../../../platform/dbus/type.js";
import { toProperties, type Value, Variant } from "../../../platform/dbus/value.js";
import { createSeededRandom } from "../../simulated/random.js";

const call = (signature = "", body: readonly Value[] = []): Message => ({
  type: "call",
  serial: 7,
  path: "/a",
  member: "M",
  signature,
  body,
});

describe("messages of D-Bus", () => {
  test("a call is laid out as the specification says", () => {
    expect(encodeMessage(call("su", ["hi", 5])).toString("hex")).toBe(
      [
        "6c010001", // little-endian, method call, no flags, version 1
        "0c000000", // the body has 12 bytes
        "07000000", // serial
        "28000000", // the header fields have 40 bytes
        "01016f00020000002f61000000000000", // 1: path, "o", "/a"; padded to 8
        "03017300010000004d00000000000000", // 3: member, "s", "M"; padded to 8
        "0801670002737500", // 8: signature, "g", "su"
        "0200000068690000", // "hi", padded to 4
        "05000000",
      ].join(""),
    );
  });

  test("a big-endian message is read, too", () => {
    // By hand from the specification: serial 3 answers serial 1 with the name ":1.9".
    const bytes = Buffer.from(
      "4202000100000009000000030000000f" + "0501750000000001" + "0801670001730000" + "000000043a312e3900",
      "hex",
    );
    expect(decodeMessage(bytes)).toEqual({
      type: "return",
      serial: 3,
      replySerial: 1,
      signature: "s",
      body: [":1.9"],
    });
  });

  const values: readonly (readonly [string, Value])[] = [
    ["y", 255],
    ["b", true],
    ["n", -32768],
    ["q", 65535],
    ["i", -2147483648],
    ["u", 4294967295],
    ["x", -(2n ** 63n)],
    ["t", 2n ** 64n - 1n],
    ["d", 0.1],
    ["s", "Grüße"],
    ["o", "/org/x"],
    ["g", "a{sv}"],
    ["as", ["a", "bc", ""]],
    ["ax", []],
    ["(isi)", [90, "Copying", 3]],
    ["a(sa{sv})", [["rootfs.0", new Map([["state", new Variant("s", "booted")]])]]],
    ["v", new Variant("av", [new Variant("y", 1), new Variant("(nt)", [-1, 1n])])],
    [
      "a{yax}",
      new Map<Value, Value>([
        [1, [1n]],
        [2, []],
      ]),
    ],
  ];
  test.each(values)("a value of type %s comes back as it was", (signature, value) => {
    const message = call(`y${signature}`, [1, value]);
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  test.each([
    ["i", "text"],
    ["s", 1],
    ["s", "with\0zero"],
    ["x", 1],
    ["b", 1],
    ["as", "a"],
    ["(ii)", [1]],
    ["v", 1],
    ["y", 256],
  ] as readonly (readonly [string, Value])[])("what is not a %s is not written", (signature, value) => {
    expect(() => encodeMessage(call(signature, [value]))).toThrow();
  });

  test.each(["(", "()", "a", "{sv}", "a{vs}", "a{s}", "z", "a{sv", "i)", "a".repeat(40), "y".repeat(256)])(
    "the signature %s is refused",
    (signature) => {
      expect(() => parseSignature(signature)).toThrow(DecodeError);
    },
  );

  test("a dictionary of properties loses its variants, and nothing else is one", () => {
    const dictionary = new Map<Value, Value>([["a", new Variant("u", 1)]]);
    expect(toProperties(dictionary)).toEqual(new Map([["a", 1]]));
    expect(toProperties(["a"])).toBeUndefined();
    expect(toProperties(new Map([[1, "a"]]))).toBeUndefined();
  });
});

describe("hostile bytes", () => {
  const good = encodeMessage({
    ...call("a(sa{sv})as", [[["rootfs.0", new Map([["x", new Variant("(isi)", [1, "t", 2])]])]], ["a"]]),
    type: "signal",
    interface: "a.b",
    sender: ":1.1",
  });

  test("a message cut anywhere is refused", () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => decodeMessage(good.subarray(0, length))).toThrow(DecodeError);
    }
  });

  test("a header that announces too much is refused before anything is kept", () => {
    const header = Buffer.from(good.subarray(0, 16));
    header.writeUInt32LE(maximumMessageSize, 4);
    expect(() => [...new MessageBuffer().take(header)]).toThrow(/too large/);
  });

  test("changed bytes are a message or a DecodeError, never anything else", () => {
    const random = createSeededRandom(5);
    const below = (limit: number) => random.integer(limit);
    let refused = 0;
    for (let round = 0; round < 5_000; round++) {
      const bytes = Buffer.from(good);
      for (let change = 0; change <= below(4); change++) bytes[below(bytes.length)] = below(256);
      try {
        decodeMessage(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1_000);
  });

  test("variants within variants end at a depth, not with the stack", () => {
    const depth = 300;
    const body = Buffer.concat([
      ...Array.from({ length: depth }, () => Buffer.from("\x01v\0", "latin1")),
      Buffer.from("\x01y\0\x05", "latin1"),
    ]);
    const frame = encodeMessage(call("v", [new Variant("y", 5)]));
    const header = Buffer.from(frame.subarray(0, frame.length - 4));
    header.writeUInt32LE(body.length, 4);
    expect(() => decodeMessage(Buffer.concat([header, body]))).toThrow(/too deep/);
  });

  test("messages are found however the stream is cut", () => {
    const stream = Buffer.concat([good, encodeMessage(call()), good]);
    for (const piece of [1, 3, 16, 17, stream.length]) {
      const buffer = new MessageBuffer();
      const found: Message[] = [];
      for (let at = 0; at < stream.length; at += piece)
        found.push(...buffer.take(stream.subarray(at, at + piece)));
      expect(found.map(({ type }) => type)).toEqual(["signal", "call", "signal"]);
    }
  });

  test("a message of an unknown type is passed over", () => {
    const unknown = Buffer.from(good);
    unknown[1] = 9;
    expect([...new MessageBuffer().take(Buffer.concat([unknown, good]))]).toHaveLength(1);
  });
});
