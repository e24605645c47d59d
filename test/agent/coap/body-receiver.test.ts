/** Request bodies that come in blocks: Block1 as a server (RFC 7959 §2.5). */
import { describe, expect, test } from "vitest";
import type {
  BodySink,
  IncomingHead,
  IncomingRequest,
  Response,
} from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import { millis, seconds } from "../../../agent/ports.js";
import {
  block,
  blockOf,
  bytes,
  codeOf,
  type FacedOptions,
  faceEndpoint,
  only,
  type Said,
  settled,
  stranger,
  uintOf,
} from "./scripted-peer.js";

/** A handler that keeps whole requests. */
function collecting(options: FacedOptions = {}) {
  const requests: IncomingRequest[] = [];
  const facing = faceEndpoint({
    ...options,
    handler: {
      handle: (request) => {
        requests.push(request);
        return { code: "2.04" };
      },
      accepts: () => true,
      ...options.handler,
    },
  });
  return { ...facing, requests };
}

/** A sink that keeps what it is given, and a handler that hands it out. */
function streaming(change: Partial<BodySink> = {}, options: FacedOptions = {}) {
  const log: string[] = [];
  const heads: IncomingHead[] = [];
  const sink = (): BodySink => ({
    write: (piece) => void log.push(`write ${piece.length}`),
    end: () => {
      log.push("end");
      return { code: "2.04" };
    },
    abort: (reason) => void log.push(`abort: ${reason.message}`),
    ...change,
  });
  const facing = collecting({
    ...options,
    handler: {
      open: (head) => {
        heads.push(head);
        return sink();
      },
    },
  });
  return { ...facing, sinkLog: log, heads };
}

let tokens = 0;
/** One block of a PUT, with a token of its own, as Californium sends it. */
const put = (number: number, more: boolean, size: number, change: Said = {}): Said => ({
  method: "PUT",
  path: ["5", "0", "0"],
  contentFormat: 42,
  token: [tokens++ & 255, 1],
  block1: block(number, more, size),
  payload: bytes(more ? size : 10, number * size),
  ...change,
});

const block1 = (heard: Parameters<typeof blockOf>[0]) => blockOf(heard, optionNumber.block1);

describe("a body in blocks", () => {
  test("is collected and served as one request, whatever tokens its blocks have", async () => {
    const { askLater, requests } = collecting();
    const answers = [];
    for (const [number, more] of [
      [0, true],
      [1, true],
      [2, false],
    ] as const) {
      answers.push(await askLater(put(number, more, 16)));
    }
    expect(answers.map((answer) => [codeOf(answer), block1(answer)])).toEqual([
      ["2.31", "0/1/16"],
      ["2.31", "1/1/16"],
      ["2.04", "2/0/16"],
    ]);
    expect(only(requests)).toMatchObject({ method: "PUT", path: ["5", "0", "0"], contentFormat: 42 });
    expect(only(requests).payload).toEqual(bytes(42));
  });

  test("of one block is a request like any other", async () => {
    const { askLater, requests } = collecting();
    const answer = await askLater(put(0, false, 16));
    expect([codeOf(answer), block1(answer)]).toEqual(["2.04", "0/0/16"]);
    expect(only(requests).payload).toEqual(bytes(10));
  });

  test("may get smaller blocks on its way", async () => {
    const { askLater, requests } = collecting();
    await askLater(put(0, true, 64));
    await askLater(put(4, true, 16));
    await askLater(put(5, false, 16));
    expect(only(requests).payload).toEqual(bytes(90));
  });

  test("is asked for in smaller blocks when we take only those, and taken even so", async () => {
    const { askLater, requests } = collecting({ limits: { blockSize: 32 } });
    expect(block1(await askLater(put(0, true, 64)))).toBe("0/1/32");
    expect(block1(await askLater(put(2, true, 32)))).toBe("2/1/32");
    expect(codeOf(await askLater(put(3, false, 32)))).toBe("2.04");
    expect(only(requests).payload).toEqual(bytes(106));
  });

  test("goes to a sink block by block, with the size that was announced", async () => {
    const { askLater, sinkLog, heads, requests } = streaming();
    await askLater(put(0, true, 16, { size1: 42 }));
    await askLater(put(1, true, 16));
    await askLater(put(2, false, 16));
    expect(sinkLog).toEqual(["write 16", "write 16", "write 10", "end"]);
    expect(only(heads)).toMatchObject({ size: 42, path: ["5", "0", "0"], contentFormat: 42 });
    expect(requests).toEqual([]);
  });

  test("that goes to a sink may be larger than what is collected", async () => {
    const { askLater, sinkLog } = streaming({}, { limits: { maxBody: 20 } });
    for (let number = 0; number < 8; number++) await askLater(put(number, true, 16));
    expect(sinkLog).toHaveLength(8);
  });

  test("is refused by the handler with the first block", async () => {
    const { askLater, clock } = collecting({ handler: { open: () => ({ code: "4.05" }) } });
    const answer = await askLater(put(0, true, 16));
    expect([codeOf(answer), block1(answer)]).toEqual(["4.05", "0/0/16"]);
    expect(codeOf(await askLater(put(1, true, 16)))).toBe("4.08");
    await clock.advance(seconds(1));
    expect(clock.pending).toBe(0);
  });

  test("is opened in its own time, and what open throws is an answer", async () => {
    const { askLater } = collecting({
      handler: { open: () => Promise.reject(Object.assign(new Error("locked"), { code: "4.01" })) },
    });
    expect(codeOf(await askLater(put(0, true, 16)))).toBe("4.01");
  });

  test("ends with what the sink answers", async () => {
    const { askLater } = streaming({ end: async (): Promise<Response> => ({ code: "4.00" }) });
    await askLater(put(0, true, 16));
    expect(codeOf(await askLater(put(1, false, 16)))).toBe("4.00");
  });

  for (const [name, error, code] of [
    ["an error of its own", Object.assign(new Error("too much"), { code: "4.13" }), "4.13"],
    ["any error", new Error("disk full"), "5.00"],
  ] as const) {
    test(`ends with ${code} when the sink throws ${name}`, async () => {
      const { askLater, sinkLog } = streaming({ write: () => Promise.reject(error) });
      expect(codeOf(await askLater(put(0, true, 16)))).toBe(code);
      expect(sinkLog).toEqual([`abort: ${error.message}`]);
      expect(codeOf(await askLater(put(1, true, 16)))).toBe("4.08");
    });
  }

  test("ends with 5.00, and is not aborted, when the sink throws at the end", async () => {
    const { askLater, sinkLog } = streaming({ end: () => Promise.reject(new Error("disk full")) });
    expect(codeOf(await askLater(put(0, false, 16)))).toBe("5.00");
    expect(sinkLog).toEqual(["write 10"]);
  });

  test("waits for the sink: a slow block is acknowledged first and answered apart", async () => {
    let written = () => {};
    const { say, heard, clock, last } = streaming({
      write: () => new Promise((resolve) => (written = resolve)),
    });
    say(put(0, true, 16, { messageId: 50 }));
    await clock.advance(seconds(1));
    expect(only(heard)).toMatchObject({ type: "ACK", code: 0, messageId: 50 });
    written();
    await settled();
    expect([last().type, codeOf(last()), block1(last())]).toEqual(["CON", "2.31", "0/1/16"]);
  });

  test("stores a block once that comes again under a new Message ID", async () => {
    const { askLater, sinkLog } = streaming();
    await askLater(put(0, true, 16));
    await askLater(put(1, true, 16));
    const again = await askLater(put(1, true, 16));
    expect([codeOf(again), block1(again)]).toEqual(["2.31", "1/1/16"]);
    await askLater(put(2, false, 16));
    expect(sinkLog).toEqual(["write 16", "write 16", "write 10", "end"]);
  });

  test("stores an older block once that comes again amid the body, but no new end of it", async () => {
    const { askLater, sinkLog } = streaming();
    for (const number of [0, 1, 2, 1]) expect(codeOf(await askLater(put(number, true, 16)))).toBe("2.31");
    expect(codeOf(await askLater(put(1, false, 16)))).toBe("4.08");
    await askLater(put(3, false, 16));
    expect(sinkLog).toEqual(["write 16", "write 16", "write 16", "write 10", "end"]);
  });

  test("stores a block once that comes again while it is being stored", async () => {
    let written = () => {};
    const log: number[] = [];
    const { say, heard } = streaming({
      write: (piece) => {
        log.push(piece.length);
        return new Promise((resolve) => (written = resolve));
      },
    });
    say(put(0, true, 16));
    await settled();
    written();
    await settled();
    say(put(1, true, 16));
    say(put(1, true, 16));
    await settled();
    written();
    await settled();
    expect(log).toEqual([16, 16]);
    expect(heard.map(codeOf)).toEqual(["2.31", "2.31", "2.31"]);
  });
});

describe("a block is refused", () => {
  test("with 4.08 when nothing began", async () => {
    const { askLater } = collecting();
    const answer = await askLater(put(3, true, 16));
    expect([codeOf(answer), block1(answer)]).toEqual(["4.08", "3/0/16"]);
  });

  test("with 4.08 when one before it is missing, and the body can still go on", async () => {
    const { askLater, requests } = collecting();
    await askLater(put(0, true, 16));
    expect(codeOf(await askLater(put(2, false, 16)))).toBe("4.08");
    await askLater(put(1, true, 16));
    expect(codeOf(await askLater(put(2, false, 16)))).toBe("2.04");
    expect(only(requests).payload).toEqual(bytes(42));
  });

  test("with 4.08 when the Content-Format changes", async () => {
    const { askLater } = collecting();
    await askLater(put(0, true, 16));
    expect(codeOf(await askLater(put(1, false, 16, { contentFormat: 0 })))).toBe("4.08");
  });

  for (const [name, change] of [
    ["method", { method: "POST" }],
    ["path", { path: ["5", "1", "0"] }],
    ["query", { query: ["a=b"] }],
    ["Accept", { accept: 60 }],
    ["Request-Tag", { options: [{ number: optionNumber.requestTag, value: bytes(2) }] }],
  ] as const) {
    test(`with 4.08 when its ${name} is that of no body on its way`, async () => {
      const { askLater } = collecting();
      await askLater(put(0, true, 16));
      expect(codeOf(await askLater(put(1, false, 16, change)))).toBe("4.08");
    });
  }

  test("with 4.08 when the body is on its way from another peer", async () => {
    const { askLater, say, last } = collecting();
    await askLater(put(0, true, 16));
    say(put(1, false, 16), stranger);
    await settled();
    expect(codeOf(last())).toBe("4.08");
  });

  for (const [name, said] of [
    ["shorter than it says and more are to follow", put(0, true, 32, { payload: bytes(31) })],
    ["longer than it says and more are to follow", put(0, true, 32, { payload: bytes(33) })],
    ["longer than it says and the last", put(0, false, 16, { payload: bytes(17) })],
  ] as const) {
    test(`with 4.00 when it is ${name}`, async () => {
      const { askLater } = collecting();
      expect(codeOf(await askLater(said))).toBe("4.00");
    });
  }

  test("with 4.13 and Size1 when the body grows larger than what is collected", async () => {
    const { askLater, requests } = collecting({ limits: { maxBody: 40 } });
    await askLater(put(0, true, 16));
    await askLater(put(1, true, 16));
    const answer = await askLater(put(2, true, 16));
    expect([codeOf(answer), uintOf(answer, optionNumber.size1)]).toEqual(["4.13", 40]);
    expect(codeOf(await askLater(put(3, false, 16)))).toBe("4.08");
    expect(requests).toEqual([]);
  });

  test("with 4.13 when the body is announced as larger than what is collected", async () => {
    const { askLater } = collecting({ limits: { maxBody: 40 } });
    expect(codeOf(await askLater(put(0, true, 16, { size1: 41 })))).toBe("4.13");
  });
});

describe("a body that is not finished", () => {
  test("is replaced by a new first block", async () => {
    const { askLater, sinkLog } = streaming();
    await askLater(put(0, true, 16));
    await askLater(put(1, true, 16));
    expect(codeOf(await askLater(put(0, true, 16)))).toBe("2.31");
    await askLater(put(1, false, 16));
    expect(sinkLog).toEqual([
      "write 16",
      "write 16",
      "abort: the peer began anew",
      "write 16",
      "write 10",
      "end",
    ]);
  });

  test("is aborted once when it is replaced amid a write, which then fails", async () => {
    let fail = (_: Error) => {};
    const { say, heard, sinkLog, log } = streaming({
      write: () => new Promise((_, reject) => (fail = reject)),
    });
    say(put(0, true, 16));
    await settled();
    const failFirst = fail;
    say(put(0, true, 16));
    failFirst(new Error("aborted"));
    await settled();
    expect(sinkLog).toEqual(["abort: the peer began anew"]);
    expect(codeOf(only(heard))).toBe("4.08");
    expect(log.lines).toEqual([]);
  });

  test("is replaced even while it is being opened", async () => {
    const opened: ((sink: BodySink) => void)[] = [];
    const log: string[] = [];
    const sink = (name: string): BodySink => ({
      write: () => void log.push(`${name} write`),
      end: () => ({ code: "2.04" }),
      abort: () => void log.push(`${name} abort`),
    });
    const { say, heard } = collecting({
      handler: { open: () => new Promise((resolve) => opened.push(resolve)) },
    });
    say(put(0, true, 16));
    say(put(0, true, 16));
    await settled();
    opened[0]?.(sink("first"));
    opened[1]?.(sink("second"));
    await settled();
    expect(log.sort()).toEqual(["first abort", "second write"]);
    expect(heard.map(codeOf).sort()).toEqual(["2.31", "4.08"]);
  });

  test("is dropped after EXCHANGE_LIFETIME of silence, and the timer with it", async () => {
    const { askLater, sinkLog, clock } = streaming();
    await askLater(put(0, true, 16));
    await clock.advance(seconds(200));
    await askLater(put(1, true, 16));
    await clock.advance(seconds(246));
    expect(sinkLog).toEqual(["write 16", "write 16"]);
    await clock.advance(seconds(248));
    expect(sinkLog.at(-1)).toBe("abort: the peer went silent");
    expect(codeOf(await askLater(put(2, true, 16)))).toBe("4.08");
    await clock.advance(seconds(1));
    expect(clock.pending).toBe(0);
  });

  test("is not dropped while its sink is busy", async () => {
    let written = () => {};
    const { say, clock, sinkLog } = streaming({ write: () => new Promise((resolve) => (written = resolve)) });
    say(put(0, true, 16));
    await clock.advance(seconds(600));
    expect(sinkLog).toEqual([]);
    written();
    await clock.advance(seconds(600));
    expect(sinkLog).toEqual(["abort: the peer went silent"]);
  });

  test("is aborted when the endpoint closes", async () => {
    const { askLater, sinkLog, endpoint, clock } = streaming();
    await askLater(put(0, true, 16));
    endpoint.close();
    expect(sinkLog).toEqual(["write 16", "abort: the endpoint is closed"]);
    await clock.advance(millis(1000));
    expect(clock.pending).toBe(0);
  });

  test("keeps others out when a peer has as many as it may", async () => {
    const { askLater, say, last } = collecting({ limits: { transfersPerPeer: 2, transfers: 3 } });
    await askLater(put(0, true, 16, { path: ["a"] }));
    await askLater(put(0, true, 16, { path: ["b"] }));
    const refused = await askLater(put(0, true, 16, { path: ["c"] }));
    expect([codeOf(refused), uintOf(refused, optionNumber.maxAge)]).toEqual(["5.03", 30]);
    expect(codeOf(await askLater(put(0, true, 16, { path: ["b"] })))).toBe("2.31");
    say(put(0, true, 16, { path: ["a"] }), stranger);
    await settled();
    expect(codeOf(last())).toBe("2.31");
    say(put(0, true, 16, { path: ["b"] }), stranger);
    await settled();
    expect(codeOf(last())).toBe("5.03");
  });

  test("makes room when it is finished", async () => {
    const { askLater } = collecting({ limits: { transfersPerPeer: 1 } });
    await askLater(put(0, true, 16, { path: ["a"] }));
    await askLater(put(1, false, 16, { path: ["a"] }));
    expect(codeOf(await askLater(put(0, true, 16, { path: ["b"] })))).toBe("2.31");
  });
});
