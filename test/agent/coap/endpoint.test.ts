/** What becomes of a datagram, before anyone asks what it means. */
import { describe, expect, test } from "vitest";
import { createEndpoint } from "../../../agent/coap/endpoint.js";
import { createSeededRandom } from "../../simulated/random.js";
import { bytes, faceEndpoint, message, only, server, stranger } from "./scripted-peer.js";

const raw = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

describe("a datagram", () => {
  test("that is a malformed confirmable message is refused with a RST", () => {
    const { endpoint, heard } = faceEndpoint();
    endpoint.receive(raw("49011234"), server);
    expect(only(heard)).toMatchObject({ type: "RST", code: 0, messageId: 0x1234 });
  });

  for (const [name, first] of [
    ["non-confirmable", "59"],
    ["acknowledgement", "69"],
    ["reset", "79"],
  ]) {
    test(`that is a malformed ${name} is ignored`, () => {
      const { endpoint, heard } = faceEndpoint();
      endpoint.receive(raw(`${first}011234`), server);
      expect(heard).toEqual([]);
    });
  }

  for (const [name, text] of [
    ["empty", ""],
    ["shorter than a header", "400112"],
    ["of another version", "80011234"],
  ] as const) {
    test(`that is ${name} is ignored`, () => {
      const { endpoint, heard } = faceEndpoint();
      endpoint.receive(raw(text), server);
      expect(heard).toEqual([]);
    });
  }

  test("that is a ping is answered with a RST", () => {
    const { endpoint, heard } = faceEndpoint();
    endpoint.receive(raw("4000abcd"), server);
    expect(only(heard)).toMatchObject({ type: "RST", messageId: 0xabcd });
  });

  for (const [name, text] of [
    ["an empty non-confirmable message", "5000abcd"],
    ["an ACK that nothing waits for", "6000abcd"],
    ["a RST that nothing waits for", "7000abcd"],
    ["a RST with a code", "7045abcd"],
    ["a request in an ACK", "6001abcd"],
    ["a piggybacked response that nothing waits for", "6145abcd01"],
    ["a non-confirmable response that nothing waits for", "5145abcd01"],
  ] as const) {
    test(`that is ${name} is ignored`, () => {
      const { endpoint, heard } = faceEndpoint();
      endpoint.receive(raw(text), server);
      expect(heard).toEqual([]);
    });
  }

  test("that is a confirmable response to nothing is refused with a RST", () => {
    const { endpoint, heard } = faceEndpoint();
    endpoint.receive(raw("4145abcd01"), server);
    expect(only(heard)).toMatchObject({ type: "RST", messageId: 0xabcd });
  });

  test("of a stranger gets no answer, and is not remembered", () => {
    let accepted = false;
    const { endpoint, heard } = faceEndpoint({ handler: { accepts: () => accepted } });
    const request = message();
    endpoint.receive(request, stranger);
    expect(heard).toEqual([]);
    accepted = true;
    endpoint.receive(request, stranger);
    expect(heard).toHaveLength(1);
  });

  test("cannot make receive throw, whatever the layers around do", () => {
    const boom = () => {
      throw new Error("boom");
    };
    const { endpoint, log } = faceEndpoint({ handler: { accepts: boom }, send: boom });
    endpoint.receive(message(), server);
    endpoint.receive(raw("4000abcd"), server);
    expect(log.lines.map(({ event }) => event)).toEqual(["message not processed", "datagram not sent"]);
  });
});

describe("an endpoint that is closed", () => {
  test("answers nothing and sends nothing", async () => {
    let answer = (_: { code: "2.05" }) => {};
    const { endpoint, heard, clock } = faceEndpoint({
      handler: { handle: () => new Promise((resolve) => (answer = resolve)) },
    });
    endpoint.receive(message(), server);
    endpoint.close();
    endpoint.close();
    answer({ code: "2.05" });
    endpoint.receive(message(), server);
    await expect(endpoint.request(server, { method: "GET", path: [] })).rejects.toMatchObject({
      reason: "closed",
    });
    expect(heard).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

test("a block size that no Block option can say is refused", () => {
  const { clock, log } = faceEndpoint();
  for (const blockSize of [0, 8, 100, 2048]) {
    const create = () =>
      createEndpoint({
        clock,
        log,
        random: createSeededRandom(1),
        send: () => {},
        handler: { accepts: () => true, handle: () => ({ code: "2.05" }) },
        limits: { blockSize },
      });
    expect(create).toThrow(RangeError);
  }
});

test("a datagram is not changed by being received", () => {
  const { endpoint } = faceEndpoint();
  const request = message({ method: "PUT", path: ["3"], payload: bytes(40) });
  const copy = request.slice();
  endpoint.receive(request, server);
  expect(request).toEqual(copy);
});
