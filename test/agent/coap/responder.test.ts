/** Requests that come in: what the handler sees of them, and how they are answered. */
import { describe, expect, test } from "vitest";
import type { IncomingRequest, Response } from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import { millis, seconds } from "../../../agent/ports.js";
import {
  block,
  blockOf,
  bytes,
  codeOf,
  faceEndpoint,
  message,
  only,
  optionOf,
  type Said,
  settled,
  stranger,
  uintOf,
} from "./scripted-peer.js";

/** Keeps what it was asked, and answers when told. */
function slowHandler() {
  const requests: IncomingRequest[] = [];
  const answers: ((response: Response) => void)[] = [];
  const handle = (request: IncomingRequest) => {
    requests.push(request);
    return new Promise<Response>((resolve) => answers.push(resolve));
  };
  return { requests, answers, handler: { handle } };
}

function seen(said: Said): IncomingRequest {
  const requests: IncomingRequest[] = [];
  const { say } = faceEndpoint({
    handler: {
      handle: (request) => {
        requests.push(request);
        return { code: "2.05" };
      },
    },
  });
  say(said);
  return only(requests);
}

describe("a handler", () => {
  test("sees the request as it was meant", () => {
    const said = {
      method: "POST",
      path: ["5", "0", "ümlaut"],
      query: ["pmin=1", "gt=½"],
      contentFormat: 11_542,
      accept: 0,
      payload: bytes(5),
    } as const;
    expect(seen(said)).toMatchObject(said);
  });

  test("sees no Content-Format, Accept or Observe where there is none", () => {
    expect(Object.keys(seen({}))).toEqual(["method", "path", "query", "payload", "peer"]);
  });

  test("does not see a trailing empty path segment, but one amid the path", () => {
    expect(seen({ path: ["3", ""] }).path).toEqual(["3"]);
    expect(seen({ path: [""] }).path).toEqual([]);
    expect(seen({ path: ["3", "", "0"] }).path).toEqual(["3", "", "0"]);
  });

  test("keeps a byte order mark in a path", () => {
    expect(seen({ path: ["\ufeff3"] }).path).toEqual(["\ufeff3"]);
  });

  test("does not see options that are elective and unknown, too long or once too often", () => {
    const options = [
      { number: 65_000, value: bytes(3) },
      { number: optionNumber.contentFormat, value: bytes(3) },
      { number: optionNumber.observe, value: bytes(4) },
      { number: optionNumber.eTag, value: bytes(9) },
    ];
    const request = seen({ options });
    expect(request.contentFormat).toBeUndefined();
    expect(request.observe).toBeUndefined();
    const twice = seen({ contentFormat: 40, options: [{ number: optionNumber.contentFormat, value: 0 }] });
    expect(twice.contentFormat).toBe(0);
  });

  test("that throws is answered with 5.00 and a log line", () => {
    const { ask, log } = faceEndpoint({
      handler: {
        handle: () => {
          throw new Error("no battery");
        },
      },
    });
    expect(codeOf(ask({ path: ["3", "0", "9"] }))).toBe("5.00");
    expect(only(log.lines)).toMatchObject({ level: "error", fields: { path: "/3/0/9" } });
  });

  test("that rejects is answered with 5.00", async () => {
    const { askLater } = faceEndpoint({ handler: { handle: () => Promise.reject(new Error("no battery")) } });
    expect(codeOf(await askLater({}))).toBe("5.00");
  });

  test("may throw an error that says which code it means", async () => {
    const error = Object.assign(new Error("not here"), { code: "4.04" });
    const { askLater, log } = faceEndpoint({ handler: { handle: () => Promise.reject(error) } });
    expect(codeOf(await askLater({}))).toBe("4.04");
    expect(only(log.lines).level).toBe("debug");
  });

  for (const code of ["ENOENT", "2.04", 404]) {
    test(`whose error has the code ${code}, which is none of a refusal, is answered with 5.00`, () => {
      const { ask } = faceEndpoint({
        handler: {
          handle: () => {
            throw Object.assign(new Error("no file"), { code });
          },
        },
      });
      expect(codeOf(ask({}))).toBe("5.00");
    });
  }

  test("whose response fits in no message is answered with 5.00", () => {
    const { ask, log } = faceEndpoint({
      handler: { handle: () => ({ code: "2.01", location: ["rd", "x".repeat(256)] }) },
    });
    expect(codeOf(ask({ method: "POST" }))).toBe("5.00");
    expect(only(log.lines)).toMatchObject({ level: "error", fields: { method: "POST" } });
  });

  test("is told when its response is on its way, once", () => {
    let sent = 0;
    const { say, heard } = faceEndpoint({
      handler: { handle: () => ({ code: "2.04", afterSent: () => void (sent = heard.length) }) },
    });
    const request = message({ method: "POST" });
    say(request);
    say(request);
    expect([sent, heard.length]).toEqual([1, 2]);
  });

  test("may fail after its response was sent, which is logged", () => {
    const { ask, log } = faceEndpoint({
      handler: {
        handle: () => ({
          code: "2.04",
          afterSent: () => {
            throw new Error("boom");
          },
        }),
      },
    });
    expect(codeOf(ask({}))).toBe("2.04");
    expect(only(log.lines).level).toBe("error");
  });
});

describe("a response", () => {
  test("carries what the handler said, and the token of the request", () => {
    const { ask } = faceEndpoint({
      handler: {
        handle: () => ({
          code: "2.01",
          location: ["rd", "ä"],
          contentFormat: 60,
          maxAge: 300,
          size: 70_000,
          payload: bytes(3),
        }),
      },
    });
    const response = ask({ token: [9, 8, 7] });
    expect(codeOf(response)).toBe("2.01");
    expect(response.token).toEqual(Uint8Array.of(9, 8, 7));
    expect(response.payload).toEqual(bytes(3));
    const { locationPath, contentFormat, maxAge, size1 } = optionNumber;
    const locations = response.options.filter(({ number }) => number === locationPath);
    expect(locations.map(({ value }) => new TextDecoder().decode(value))).toEqual(["rd", "ä"]);
    expect([contentFormat, maxAge, size1].map((number) => uintOf(response, number))).toEqual([
      60, 300, 70_000,
    ]);
  });

  test("to a request without a token has none", () => {
    const { ask } = faceEndpoint();
    expect(ask({ token: [] }).token).toEqual(new Uint8Array());
  });

  test("travels in the ACK when it is there at once, and costs no timer", () => {
    const { ask, clock } = faceEndpoint();
    expect(ask({ messageId: 77 })).toMatchObject({ type: "ACK", messageId: 77 });
    expect(clock.pending).toBe(0);
  });

  test("travels in the ACK when it is there in less than a second", async () => {
    const { requests, answers, handler } = slowHandler();
    const { say, heard, clock } = faceEndpoint({ handler });
    say({ messageId: 77 });
    await clock.advance(millis(999));
    answers[0]?.({ code: "2.05" });
    await settled();
    expect(requests).toHaveLength(1);
    expect(only(heard)).toMatchObject({ type: "ACK", messageId: 77 });
    await clock.advance(seconds(10));
    expect(heard).toHaveLength(1);
  });

  test("that takes longer comes apart, retransmitted until it is acknowledged", async () => {
    const { answers, handler } = slowHandler();
    const { say, heard, clock, reply, last } = faceEndpoint({ handler });
    say({ messageId: 77, token: [5, 5] });
    await clock.advance(seconds(1));
    expect(only(heard)).toMatchObject({ type: "ACK", code: 0, messageId: 77, at: 1000 });
    answers[0]?.({ code: "2.05", payload: bytes(2) });
    await settled();
    const response = last();
    expect(response).toMatchObject({ type: "CON", token: Uint8Array.of(5, 5) });
    expect(codeOf(response)).toBe("2.05");
    await clock.advance(seconds(3));
    expect(heard.map(({ type }) => type)).toEqual(["ACK", "CON", "CON"]);
    expect(last().bytes).toEqual(response.bytes);
    reply("ACK", response);
    await clock.advance(seconds(300));
    expect(heard).toHaveLength(3);
    expect(clock.pending).toBe(0);
  });

  test("is acknowledged a second after each of several slow requests", async () => {
    const { handler } = slowHandler();
    const { say, heard, clock } = faceEndpoint({ handler });
    say({ messageId: 1 });
    await clock.advance(millis(400));
    say({ messageId: 2 });
    say({ type: "NON", messageId: 3 });
    await clock.advance(seconds(5));
    expect(heard.map(({ messageId, at }) => [messageId, at])).toEqual([
      [1, 1000],
      [2, 1400],
    ]);
    expect(clock.pending).toBe(0);
  });

  test("to a non-confirmable request is non-confirmable, however long it takes", async () => {
    const { answers, handler } = slowHandler();
    const { say, heard, clock } = faceEndpoint({ handler });
    say({ type: "NON", messageId: 77, token: [1] });
    await clock.advance(seconds(20));
    answers[0]?.({ code: "2.04" });
    await settled();
    expect(only(heard)).toMatchObject({ type: "NON", token: Uint8Array.of(1) });
    expect(only(heard).messageId).not.toBe(77);
  });

  test("is 5.03 when handlers are busy with as many requests as they may", async () => {
    const { requests, answers, handler } = slowHandler();
    const { ask, say } = faceEndpoint({ handler, limits: { requestsInProgress: 2 } });
    say({});
    say({});
    const refused = ask({});
    expect(codeOf(refused)).toBe("5.03");
    expect(uintOf(refused, optionNumber.maxAge)).toBe(1);
    expect(requests).toHaveLength(2);
    answers[0]?.({ code: "2.05" });
    await settled();
    say({});
    expect(requests).toHaveLength(3);
  });
});

describe("a response that comes apart", () => {
  test("makes room for newer ones, the oldest first, when none is acknowledged", async () => {
    const { answers, handler } = slowHandler();
    const { say, clock, heard } = faceEndpoint({ handler, limits: { requestsInProgress: 2 } });
    for (const number of [1, 2, 3]) {
      say({ token: [number] });
      await clock.advance(seconds(1));
      answers[number - 1]?.({ code: "2.05" });
      await settled();
    }
    const before = heard.length;
    await clock.advance(seconds(100));
    const retransmitted = heard.slice(before).map(({ token }) => token.join());
    expect(retransmitted.sort()).toEqual(["2", "2", "2", "2", "3", "3", "3", "3"]);
    expect(clock.pending).toBe(0);
  });

  test("is given up when it is never acknowledged, or refused", async () => {
    const { answers, handler } = slowHandler();
    const { say, clock, heard, reply, last } = faceEndpoint({ handler });
    for (const index of [0, 1]) {
      say({});
      await clock.advance(seconds(1));
      answers[index]?.({ code: "2.05" });
      await settled();
      if (index === 1) reply("RST", last());
      await clock.advance(seconds(100));
    }
    expect(heard.map(({ type }) => type)).toEqual(["ACK", ...Array(5).fill("CON"), "ACK", "CON"]);
    expect(clock.pending).toBe(0);
  });
});

describe("a duplicate", () => {
  function counting() {
    let count = 0;
    return { handle: () => ({ code: "2.04", payload: Uint8Array.of(++count) }) as const, count: () => count };
  }

  test("of a confirmable request gets the same answer byte for byte, and is not served again", async () => {
    const handler = counting();
    const { say, heard, clock } = faceEndpoint({ handler });
    const request = message({ method: "POST", payload: bytes(4) });
    say(request);
    await clock.advance(seconds(246));
    say(request.slice());
    expect(handler.count()).toBe(1);
    expect(heard[1]?.bytes).toEqual(heard[0]?.bytes);
  });

  test("of a non-confirmable request is ignored", () => {
    const handler = counting();
    const { say, heard } = faceEndpoint({ handler });
    const request = message({ type: "NON", method: "POST" });
    say(request);
    say(request);
    expect([handler.count(), heard.length]).toEqual([1, 1]);
  });

  test("of a request that is being served is ignored, and gets the empty ACK once that was sent", async () => {
    const { requests, handler } = slowHandler();
    const { say, heard, clock } = faceEndpoint({ handler });
    const request = message({ messageId: 5 });
    say(request);
    say(request);
    expect(heard).toEqual([]);
    await clock.advance(seconds(1));
    say(request);
    expect(heard.map(({ type, code, messageId }) => [type, code, messageId])).toEqual([
      ["ACK", 0, 5],
      ["ACK", 0, 5],
    ]);
    expect(requests).toHaveLength(1);
  });

  for (const [name, change] of [
    ["token", { token: [1, 2, 3, 5] }],
    ["payload", { payload: bytes(4, 1) }],
    ["path", { path: ["4"] }],
    ["type", { type: "NON" }],
  ] as const) {
    test(`is none when the ${name} differs: Message IDs come again`, () => {
      const handler = counting();
      const { say } = faceEndpoint({ handler });
      const said = { method: "POST", messageId: 9, path: ["3"], payload: bytes(4) } as const;
      say(said);
      say({ ...said, ...change });
      expect(handler.count()).toBe(2);
    });
  }

  test("is none when it comes from another peer", () => {
    const handler = { ...counting(), accepts: () => true };
    const { say } = faceEndpoint({ handler });
    const request = message();
    say(request);
    say(request, stranger);
    expect(handler.count()).toBe(2);
  });

  test("is none after the lifetime of the exchange", async () => {
    const handler = counting();
    const { say, clock } = faceEndpoint({ handler });
    const [confirmable, other] = [message(), message({ type: "NON" })];
    say(confirmable);
    say(other);
    await clock.advance(seconds(145));
    say(other);
    expect(handler.count()).toBe(3);
    await clock.advance(seconds(102));
    say(confirmable);
    expect(handler.count()).toBe(4);
  });

  test("of a write is still known after a flood of reads", () => {
    const handler = counting();
    const { say } = faceEndpoint({ handler, limits: { dedupEntries: 8 } });
    const execute = message({ method: "POST", path: ["3", "0", "4"] });
    say(execute);
    for (let count = 0; count < 100; count++) say({});
    const before = handler.count();
    say(execute);
    expect(handler.count()).toBe(before);
  });

  test("of a request that was refused is refused the same way", () => {
    const { say, heard } = faceEndpoint();
    const request = message({ options: [{ number: 9, value: 0 }] });
    say(request);
    say(request);
    expect(heard.map(codeOf)).toEqual(["4.02", "4.02"]);
  });
});

describe("a request is refused", () => {
  const refusals: [string, Said, string][] = [
    ["for an unknown critical option", { options: [{ number: 65_001, value: 0 }] }, "4.02"],
    ["for OSCORE, which is not spoken", { options: [{ number: 9, value: 1 }] }, "4.02"],
    ["for Q-Block1, which is not spoken", { options: [{ number: 19, value: 1 }] }, "4.02"],
    ["for Q-Block2, which is not spoken", { options: [{ number: 31, value: 1 }] }, "4.02"],
    ["for a second Accept", { accept: 0, options: [{ number: 17, value: 0 }] }, "4.02"],
    [
      "for a second Block1",
      { block1: { number: 0, more: false, size: 16 }, options: [{ number: 27, value: 0 }] },
      "4.02",
    ],
    ["for a path segment of 256 bytes", { options: [{ number: 11, value: bytes(256) }] }, "4.02"],
    ["for a query of 256 bytes", { options: [{ number: 15, value: bytes(256) }] }, "4.02"],
    ["for an Accept of 3 bytes", { options: [{ number: 17, value: bytes(3) }] }, "4.02"],
    ["for a Block2 of 4 bytes", { options: [{ number: 23, value: bytes(4) }] }, "4.02"],
    ["for an empty Uri-Host", { options: [{ number: 3, value: 0 }] }, "4.02"],
    ["for a path that is no UTF-8", { options: [{ number: 11, value: Uint8Array.of(0xc3, 0x28) }] }, "4.02"],
    [
      "for a query with a surrogate in UTF-8",
      { options: [{ number: 15, value: Uint8Array.of(0xed, 0xa0, 0x80) }] },
      "4.02",
    ],
    ["for Proxy-Uri", { options: [{ number: 35, value: bytes(300) }] }, "5.05"],
    ["for Proxy-Scheme", { options: [{ number: 39, value: bytes(4) }] }, "5.05"],
    ["for If-Match, as there are no ETags", { options: [{ number: 1, value: bytes(4) }] }, "4.12"],
    ["for If-None-Match, as there are no ETags", { options: [{ number: 5, value: 0 }] }, "4.12"],
    ["for Block1 with the reserved size", { options: [{ number: 27, value: 7 }] }, "4.00"],
    ["for Block2 with the reserved size", { options: [{ number: 23, value: 7 }] }, "4.00"],
  ];
  for (const [why, said, code] of refusals) {
    test(`${why}, with ${code} and its token`, () => {
      let served = false;
      const { ask } = faceEndpoint({
        handler: {
          handle: () => {
            served = true;
            return { code: "2.05" };
          },
        },
      });
      const response = ask({ ...said, token: [7] });
      expect([codeOf(response), served]).toEqual([code, false]);
      expect(response).toMatchObject({ type: "ACK", token: Uint8Array.of(7) });
    });
  }

  test("when its method is unknown, with 4.05", () => {
    const { endpoint, heard } = faceEndpoint();
    const request = message();
    request[1] = 0x1f;
    endpoint.receive(request, { address: "192.0.2.1", port: 5683, key: "192.0.2.1:5683" });
    expect(codeOf(only(heard))).toBe("4.05");
  });

  test("with a RST when it is non-confirmable and has an unknown critical option", () => {
    const { ask } = faceEndpoint();
    expect(ask({ type: "NON", messageId: 12, options: [{ number: 65_001, value: 0 }] })).toMatchObject({
      type: "RST",
      messageId: 12,
    });
  });

  test("non-confirmably when it is non-confirmable and its options are understood", () => {
    const { ask } = faceEndpoint();
    const response = ask({ type: "NON", options: [{ number: 35, value: bytes(9) }] });
    expect([response.type, codeOf(response)]).toEqual(["NON", "5.05"]);
  });

  test("with 4.13 when its body is larger than what is taken", () => {
    const { ask } = faceEndpoint({ limits: { maxBody: 100 } });
    const response = ask({ method: "PUT", payload: bytes(101) });
    expect([codeOf(response), uintOf(response, optionNumber.size1)]).toEqual(["4.13", 100]);
    expect(codeOf(ask({ method: "PUT", payload: bytes(100) }))).toBe("2.05");
  });

  test("with 4.13 and the size of our blocks when a body came whole that may do better in blocks", async () => {
    const { ask, askLater } = faceEndpoint({ limits: { maxBody: 100, blockSize: 64 } });
    const response = ask({ method: "PUT", payload: bytes(101) });
    expect([codeOf(response), blockOf(response, optionNumber.block1)]).toEqual(["4.13", "0/0/64"]);
    const first = { method: "PUT", block1: block(0, true, 16), size1: 101, payload: bytes(16) } as const;
    expect(blockOf(await askLater(first), optionNumber.block1)).toBe("0/0/16");
  });

  test("not for Uri-Host and Uri-Port, whatever they say", () => {
    const { ask } = faceEndpoint();
    const options = [
      { number: optionNumber.uriHost, value: new TextEncoder().encode("example.com") },
      { number: optionNumber.uriPort, value: 1234 },
    ];
    const response = ask({ options });
    expect(codeOf(response)).toBe("2.05");
    expect(optionOf(response, optionNumber.uriHost)).toBeUndefined();
  });
});
