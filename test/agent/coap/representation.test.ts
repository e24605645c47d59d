/** Response bodies in blocks: Block2 as a server (RFC 7959 §2.4). */
import { describe, expect, test } from "vitest";
import type { IncomingRequest, Response } from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import { seconds } from "../../../agent/ports.js";
import {
  block,
  blockOf,
  bytes,
  codeOf,
  type FacedOptions,
  faceEndpoint,
  type Heard,
  only,
  optionOf,
  type Said,
  stranger,
  uintOf,
} from "./scripted-peer.js";

function serving(body: (count: number) => Uint8Array, options: FacedOptions = {}) {
  const requests: IncomingRequest[] = [];
  const facing = faceEndpoint({
    ...options,
    handler: {
      accepts: () => true,
      handle: (request): Response => {
        requests.push(request);
        return { code: "2.05", contentFormat: 60, payload: body(requests.length) };
      },
    },
  });
  return { ...facing, requests };
}

const get = (number: number, size: number, change: Said = {}): Said => ({
  path: ["3"],
  accept: 60,
  token: [number],
  block2: block(number, false, size),
  ...change,
});
const block2 = (heard: Heard) => blockOf(heard, optionNumber.block2);
const eTag = (heard: Heard) => optionOf(heard, optionNumber.eTag)?.join();
const size2 = (heard: Heard) => uintOf(heard, optionNumber.size2);

describe("a response that fits in a block", () => {
  test("is sent as it is", () => {
    const { ask } = serving(() => bytes(1024));
    const answer = ask({ path: ["3"] });
    expect([block2(answer), eTag(answer), size2(answer), answer.payload.length]).toEqual([
      undefined,
      undefined,
      undefined,
      1024,
    ]);
  });

  test("says so when it was asked for in blocks", () => {
    const { ask } = serving(() => bytes(10));
    expect(block2(ask(get(0, 64)))).toBe("0/0/64");
  });
});

describe("a response that does not fit in a block", () => {
  test("comes in blocks with one ETag, its size with the first, made once", () => {
    const { ask, requests } = serving(() => bytes(2100));
    const first = ask({ path: ["3"], accept: 60 });
    const others = [1, 2].map((number) => ask(get(number, 1024)));
    const answers = [first, ...others];
    expect(answers.map(block2)).toEqual(["0/1/1024", "1/1/1024", "2/0/1024"]);
    expect(answers.map(size2)).toEqual([2100, undefined, undefined]);
    expect(new Set(answers.map(eTag)).size).toBe(1);
    expect(eTag(first)).toBeDefined();
    expect(answers.map((answer) => uintOf(answer, optionNumber.contentFormat))).toEqual([60, 60, 60]);
    expect(answers.flatMap(({ payload }) => [...payload])).toEqual([...bytes(2100)]);
    expect(requests).toHaveLength(1);
  });

  test("comes in blocks as small as the peer asks for, also from some block on", () => {
    const { ask } = serving(() => bytes(100));
    expect(block2(ask(get(0, 64)))).toBe("0/1/64");
    const second = ask(get(4, 16));
    expect(block2(second)).toBe("4/1/16");
    expect(second.payload).toEqual(bytes(16, 64));
    expect(block2(ask(get(6, 16)))).toBe("6/0/16");
  });

  test("comes in blocks no larger than ours, numbered in our size", () => {
    const { ask } = serving(() => bytes(200), { limits: { blockSize: 32 } });
    expect(block2(ask(get(0, 1024)))).toBe("0/1/32");
    const second = ask(get(1, 64));
    expect([block2(second), second.payload.length]).toEqual(["2/1/32", 32]);
  });

  test("stays as it was, whatever becomes of the bytes that the handler gave", () => {
    const body = bytes(100);
    const { ask } = serving(() => body);
    ask(get(0, 64));
    body.fill(0);
    expect(ask(get(1, 64)).payload).toEqual(bytes(36, 64));
  });

  test("is made anew when its first block is asked for again", () => {
    const { ask, requests } = serving((count) => bytes(100, count));
    const first = ask(get(0, 64));
    const again = ask(get(0, 64));
    expect(requests).toHaveLength(2);
    expect(eTag(again)).not.toBe(eTag(first));
    expect(ask(get(1, 64)).payload).toEqual(bytes(36, 66));
  });

  test("is made anew when it is not known any more, with the same ETag if it is the same", async () => {
    const { ask, requests, clock } = serving(() => bytes(100));
    const first = ask(get(0, 64));
    await clock.advance(seconds(248));
    const second = ask(get(1, 64));
    expect(requests).toHaveLength(2);
    expect([block2(second), eTag(second)]).toEqual(["1/0/64", eTag(first)]);
  });

  test("is another for another peer, path, query or Accept", () => {
    const { ask, say, requests } = serving((count) => bytes(100, count));
    ask(get(0, 64));
    ask(get(1, 64, { path: ["4"] }));
    ask(get(1, 64, { query: ["a"] }));
    ask(get(1, 64, { accept: 0 }));
    say(get(1, 64), stranger);
    expect(requests).toHaveLength(5);
  });

  test("has no block beyond its end", () => {
    const { ask } = serving(() => bytes(128));
    ask(get(0, 64));
    expect(codeOf(ask(get(2, 64)))).toBe("4.00");
    expect(codeOf(ask(get(9, 64, { path: ["other"] })))).toBe("4.00");
  });

  test("to a FETCH is served from what the last FETCH answered, payload or not", () => {
    const { ask, requests } = serving(() => bytes(100));
    ask(get(0, 64, { method: "FETCH", contentFormat: 110, payload: bytes(5) }));
    expect(ask(get(1, 64, { method: "FETCH" })).payload).toEqual(bytes(36, 64));
    expect(ask(get(1, 64, { method: "FETCH", contentFormat: 110, payload: bytes(5) })).payload).toHaveLength(
      36,
    );
    expect(requests).toHaveLength(1);
  });

  test("to a FETCH is made anew when its payload is another than the last one's", () => {
    const { ask, requests } = serving((count) => bytes(100, count));
    const first = { method: "FETCH", contentFormat: 110, payload: bytes(5) } as const;
    const other = { method: "FETCH", contentFormat: 110, payload: bytes(6) } as const;
    ask(get(0, 64, first));
    ask(get(0, 64, other));
    expect(ask(get(1, 64, other)).payload).toEqual(bytes(36, 66));
    expect(requests).toHaveLength(2);
    expect(ask(get(1, 64, first)).payload).toEqual(bytes(36, 67));
    expect(requests.map(({ payload }) => payload.length)).toEqual([5, 6, 5]);
  });

  test("to a FETCH that is not known any more cannot be made anew without its payload", () => {
    const { ask, requests } = serving(() => bytes(100));
    expect(codeOf(ask(get(1, 64, { method: "FETCH" })))).toBe("4.08");
    expect(requests).toEqual([]);
  });

  test("to a POST is never made anew just to show the end of it", () => {
    const { ask, requests } = serving(() => bytes(100));
    expect(codeOf(ask(get(1, 64, { method: "POST" })))).toBe("4.08");
    expect(requests).toEqual([]);
    ask(get(0, 64, { method: "POST" }));
    expect(ask(get(1, 64, { method: "POST" })).payload).toEqual(bytes(36, 64));
    expect(requests).toHaveLength(1);
  });

  test("to a body that came in blocks begins with the answer to its last block", async () => {
    const { askLater, ask, requests } = serving(() => bytes(100), { limits: { blockSize: 64 } });
    const part = (number: number, more: boolean) =>
      ({
        method: "FETCH",
        path: ["x"],
        block1: block(number, more, 16),
        payload: bytes(more ? 16 : 3, number * 16),
      }) as const;
    expect(codeOf(await askLater(part(0, true)))).toBe("2.31");
    const first = await askLater(part(1, false));
    expect([blockOf(first, optionNumber.block1), block2(first), size2(first)]).toEqual([
      "1/0/16",
      "0/1/64",
      100,
    ]);
    const second = ask({ method: "FETCH", path: ["x"], block2: block(1, false, 64) });
    expect([block2(second), second.payload]).toEqual(["1/0/64", bytes(36, 64)]);
    expect(only(requests).payload).toEqual(bytes(19));
  });

  test("makes room for others, the oldest first", () => {
    const { ask, requests } = serving(() => bytes(100), { limits: { snapshots: 2 } });
    for (const path of ["a", "b", "c"]) ask(get(0, 64, { path: [path] }));
    for (const path of ["b", "c"]) ask(get(1, 64, { path: [path] }));
    expect(requests).toHaveLength(3);
    ask(get(1, 64, { path: ["a"] }));
    expect(requests).toHaveLength(4);
  });

  test("is not kept when it is larger than all that may be kept, and still comes whole", () => {
    const { ask, requests } = serving(() => bytes(100), { limits: { snapshotBytes: 99 } });
    const answers = [0, 1].map((number) => ask(get(number, 64)));
    expect(answers.flatMap(({ payload }) => [...payload])).toEqual([...bytes(100)]);
    expect(requests).toHaveLength(2);
  });

  test("is kept only within the bytes that may be kept", () => {
    const { ask, requests } = serving(() => bytes(100), { limits: { snapshotBytes: 250 } });
    for (const path of ["a", "b", "c"]) ask(get(0, 64, { path: [path] }));
    for (const path of ["b", "c", "a"]) ask(get(1, 64, { path: [path] }));
    expect(requests).toHaveLength(4);
  });

  test("is told once to whom it may concern that it is on its way", () => {
    let sent = 0;
    const { ask } = faceEndpoint({
      handler: { handle: () => ({ code: "2.05", payload: bytes(100), afterSent: () => void sent++ }) },
    });
    ask(get(0, 64));
    ask(get(1, 64));
    expect(sent).toBe(1);
  });
});
