/** `coap-packet` is not ours: a mistake that it shares with our codec would be a coincidence. */
import { generate, parse } from "coap-packet";
import { expect, test } from "vitest";
import { methods, responseCodes } from "../../../agent/coap/code.js";
import { decodeMessage, encodeMessage, type Message, type MessageType } from "../../../agent/coap/message.js";
import { createSeededRandom } from "../../simulated/random.js";

const random = createSeededRandom(2026);
const messages: Message[] = Array.from({ length: 2000 }, () => anyMessage());

function anyMessage(): Message {
  const isRequest = random.fraction() < 0.5;
  const type: MessageType = isRequest ? pick(["CON", "NON"]) : pick(["CON", "NON", "ACK"]);
  const [codeClass = 0, detail = 0] = pick(responseCodes).split(".").map(Number);
  const numbers = Array.from({ length: random.integer(9) }, () =>
    pick([1, 4, 6, 8, 11, 12, 15, 23, 60, 258, 2048, 65_001]),
  );
  return {
    type,
    code: isRequest ? 1 + random.integer(methods.length) : (codeClass << 5) | detail,
    messageId: random.integer(65_536),
    token: random.bytes(random.integer(9)),
    options: numbers
      .sort((one, other) => one - other)
      .map((number) => ({ number, value: random.bytes(pick([0, 1, 4, 12, 13, 14, 100, 268, 269, 400])) })),
    payload: random.bytes(pick([0, 1, 64, 1024])),
  };
}

function pick<T>(items: readonly T[]): T {
  return items[random.integer(items.length)] as T;
}

const dotted = (code: number) => `${code >> 5}.${String(code & 31).padStart(2, "0")}`;

/** Sorted by value among equal numbers, as `coap-packet` does not keep their order when it generates. */
const comparable = (message: Message) => ({
  ...message,
  token: Buffer.from(message.token).toString("hex"),
  options: message.options
    .map(({ number, value }) => `${number}=${Buffer.from(value).toString("hex")}`)
    .sort(),
  payload: Buffer.from(message.payload).toString("hex"),
});

/** Its names for numbers, as far as they occur here. */
const names: Readonly<Record<string, number>> = {
  "If-Match": 1,
  ETag: 4,
  Observe: 6,
  "Location-Path": 8,
  "Uri-Path": 11,
  "Content-Format": 12,
  "Uri-Query": 15,
  Block2: 23,
  Size1: 60,
  "No-Response": 258,
};

test("what we encode, coap-packet understands as it was meant", () => {
  for (const message of messages) {
    const parsed = parse(Buffer.from(encodeMessage(message)));
    expect(parsed.code).toBe(dotted(message.code));
    expect([parsed.confirmable, parsed.ack, parsed.reset]).toEqual([
      message.type === "CON",
      message.type === "ACK",
      false,
    ]);
    const options = parsed.options.map(({ name, value }) => ({ number: names[name] ?? Number(name), value }));
    const { messageId, token, payload } = parsed;
    expect(comparable({ ...message, messageId, token, options, payload })).toEqual(comparable(message));
  }
});

test("what coap-packet generates, we understand as it was meant", () => {
  for (const message of messages) {
    const generated = generate(
      {
        code: dotted(message.code),
        confirmable: message.type === "CON",
        ack: message.type === "ACK",
        messageId: message.messageId,
        token: Buffer.from(message.token),
        options: message.options.map(({ number, value }) => ({ name: number, value: Buffer.from(value) })),
        payload: Buffer.from(message.payload),
      },
      65_536,
    );
    expect(comparable(decodeMessage(generated))).toEqual(comparable(message));
  }
});
