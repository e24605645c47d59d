/** Requests of ours, and their responses, that do not fit in a message (RFC 7959 §2.4, §2.5 as a client). */
import { describe, expect, test } from "vitest";
import { createEndpoint } from "../../../agent/coap/endpoint.js";
import type {
  IncomingRequest,
  IncomingResponse,
  Request,
  RequestHandler,
} from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import { seconds } from "../../../agent/ports.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createSimulatedLink, simulatedPeer } from "../../simulated/link.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import {
  block,
  blockOf,
  bytes,
  type FacedOptions,
  faceEndpoint,
  type Heard,
  optionOf,
  type Said,
  server,
  settled,
  uintOf,
} from "./scripted-peer.js";

const send = { method: "POST", path: ["dp"], contentFormat: 112 } as const;

/** Sends a request to a peer whose answers, one for each message, are these. */
async function converse(
  request: Request,
  answer: (heard: Heard, count: number) => Said | undefined,
  options: FacedOptions = {},
) {
  const { endpoint, heard, say } = faceEndpoint(options);
  let outcome: IncomingResponse | Error | undefined;
  endpoint.request(server, request).then(
    (response) => (outcome = response),
    (error: Error) => (outcome = error),
  );
  await settled();
  for (let count = 0; count < heard.length; count++) {
    const message = heard[count] as Heard;
    const said = answer(message, count);
    if (said) say({ type: "ACK", messageId: message.messageId, token: message.token, ...said });
    await settled();
  }
  return { heard, outcome };
}

const sentBlocks = (heard: readonly Heard[]) => heard.map((message) => blockOf(message, optionNumber.block1));
const askedBlocks = (heard: readonly Heard[]) =>
  heard.map((message) => blockOf(message, optionNumber.block2));

/** 2.31 for all blocks but the last, which gets 2.04. */
const obedient = (heard: Heard): Said => {
  const [number = 0, more, size = 0] = (blockOf(heard, optionNumber.block1) ?? "0/0/16")
    .split("/")
    .map(Number);
  return { code: more ? "2.31" : "2.04", block1: block(number, more === 1, size) };
};

describe("a request that does not fit in a block", () => {
  test("goes out in blocks, its size with the first, each with a token of its own", async () => {
    const { heard, outcome } = await converse({ ...send, payload: bytes(2100) }, obedient);
    expect(sentBlocks(heard)).toEqual(["0/1/1024", "1/1/1024", "2/0/1024"]);
    expect(heard.map((message) => uintOf(message, optionNumber.size1))).toEqual([2100, undefined, undefined]);
    expect(heard.flatMap(({ payload }) => [...payload])).toEqual([...bytes(2100)]);
    expect(new Set(heard.map(({ token }) => token.join())).size).toBe(3);
    expect(heard.map((message) => uintOf(message, optionNumber.contentFormat))).toEqual([112, 112, 112]);
    expect(outcome).toMatchObject({ code: "2.04" });
  });

  test("fits in a block to the byte, and then goes out whole", async () => {
    const { heard } = await converse({ ...send, payload: bytes(1024) }, () => ({ code: "2.04" }));
    expect(sentBlocks(heard)).toEqual([undefined]);
  });

  test("goes on in smaller blocks when the peer takes only those", async () => {
    const { heard, outcome } = await converse(
      { ...send, payload: bytes(150) },
      (message, count) => (count === 0 ? { code: "2.31", block1: block(0, true, 32) } : obedient(message)),
      { limits: { blockSize: 64 } },
    );
    expect(sentBlocks(heard)).toEqual(["0/1/64", "2/1/32", "3/1/32", "4/0/32"]);
    expect(heard.flatMap(({ payload }) => [...payload])).toEqual([...bytes(150)]);
    expect(outcome).toMatchObject({ code: "2.04" });
  });

  test("begins anew in smaller blocks when the first was too large", async () => {
    const { heard, outcome } = await converse(
      { ...send, payload: bytes(100) },
      (message, count) => (count === 0 ? { code: "4.13", block1: block(0, false, 32) } : obedient(message)),
      { limits: { blockSize: 64 } },
    );
    expect(sentBlocks(heard)).toEqual(["0/1/64", "0/1/32", "1/1/32", "2/1/32", "3/0/32"]);
    expect(outcome).toMatchObject({ code: "2.04" });
  });

  test("goes out in blocks when the whole was too large", async () => {
    const { heard, outcome } = await converse({ ...send, payload: bytes(60) }, (message, count) =>
      count === 0 ? { code: "4.13", block1: block(0, false, 32) } : obedient(message),
    );
    expect(sentBlocks(heard)).toEqual([undefined, "0/1/32", "1/0/32"]);
    expect(outcome).toMatchObject({ code: "2.04" });
  });

  test("is refused for good with 4.13 when there is no smaller block to try", async () => {
    const { heard, outcome } = await converse({ ...send, payload: bytes(2000) }, () => ({
      code: "4.13",
      size1: 100,
    }));
    expect(heard).toHaveLength(1);
    expect(outcome).toMatchObject({ code: "4.13", size: 100 });
  });

  test("has a Request-Tag once another was given up on its way", async () => {
    const { endpoint, heard, say, last, clock } = faceEndpoint({ limits: { blockSize: 64 } });
    const request = { ...send, payload: bytes(100) };
    const givenUp = endpoint.request(server, request).catch((error: Error) => error);
    await settled();
    say({
      type: "ACK",
      code: "2.31",
      block1: block(0, true, 64),
      messageId: last().messageId,
      token: last().token,
    });
    await clock.advance(seconds(100));
    expect(await givenUp).toMatchObject({ reason: "timeout" });
    void endpoint.request(server, request).catch(() => {});
    await settled();
    expect(blockOf(last(), optionNumber.block1)).toBe("0/1/64");
    expect(optionOf(last(), optionNumber.requestTag)).toHaveLength(4);
    expect(
      heard.slice(0, -1).every((message) => optionOf(message, optionNumber.requestTag) === undefined),
    ).toBe(true);
    endpoint.close();
  });

  test("begins anew once, with a Request-Tag, when the peer lost track", async () => {
    const { heard, outcome } = await converse(
      { ...send, payload: bytes(150) },
      (message, count) => (count === 1 ? { code: "4.08" } : obedient(message)),
      { limits: { blockSize: 64 } },
    );
    expect(sentBlocks(heard)).toEqual(["0/1/64", "1/1/64", "0/1/64", "1/1/64", "2/0/64"]);
    const tags = heard.map((message) => optionOf(message, optionNumber.requestTag)?.join());
    expect(tags.slice(0, 2)).toEqual([undefined, undefined]);
    expect(tags[2]).toBeDefined();
    expect(new Set(tags.slice(2)).size).toBe(1);
    expect(outcome).toMatchObject({ code: "2.04" });
  });

  test("ends with 4.08 when the peer loses track again", async () => {
    const { heard, outcome } = await converse({ ...send, payload: bytes(2000) }, () => ({ code: "4.08" }));
    expect(heard).toHaveLength(2);
    expect(outcome).toMatchObject({ code: "4.08" });
  });

  test("ends with whatever refuses a block", async () => {
    const { heard, outcome } = await converse({ ...send, payload: bytes(5000) }, (message, count) =>
      count === 1 ? { code: "4.03" } : obedient(message),
    );
    expect(heard).toHaveLength(2);
    expect(outcome).toMatchObject({ code: "4.03" });
  });

  test("goes on when the peer acts on each block by itself", async () => {
    const { heard, outcome } = await converse({ ...send, payload: bytes(2000) }, (message) => ({
      ...obedient(message),
      code: "2.04",
    }));
    expect(heard).toHaveLength(2);
    expect(outcome).toMatchObject({ code: "2.04" });
  });

  for (const [name, said] of [
    ["the last block is asked to be continued", { code: "2.31", block1: block(1, true, 1024) }],
    ["a block is confirmed that was not sent", { code: "2.31", block1: block(7, true, 1024) }],
  ] as const) {
    test(`begins anew once when ${name}, and then fails`, async () => {
      const request = { ...send, payload: bytes(2000) };
      const once = await converse(request, (message, count) => (count === 1 ? said : obedient(message)));
      expect(once.heard).toHaveLength(4);
      expect(once.outcome).toMatchObject({ code: "2.04" });
      const again = await converse(request, (message, count) => (count % 2 === 1 ? said : obedient(message)));
      expect(again.heard).toHaveLength(4);
      expect(again.outcome).toMatchObject({ name: "ExchangeError", reason: "protocol" });
    });
  }

  test("waits until another one to the same target is through", async () => {
    const { endpoint, heard, say, last } = faceEndpoint({ transmission: { nstart: 2 } });
    const answer = () =>
      say({ type: "ACK", messageId: last().messageId, token: last().token, ...obedient(last()) });
    const ended: number[] = [];
    for (const number of [1, 2]) {
      const payload = bytes(1500, number);
      void endpoint.request(server, { ...send, payload }).then(() => ended.push(number));
    }
    for (let count = 0; count < 4; count++) {
      await settled();
      answer();
    }
    await settled();
    expect(sentBlocks(heard)).toEqual(["0/1/1024", "1/0/1024", "0/1/1024", "1/0/1024"]);
    expect(heard.map(({ payload }) => payload[0])).toEqual([1, 1025 % 251, 2, 1026 % 251]);
    expect(ended).toEqual([1, 2]);
  });

  test("does not keep the next one waiting when it fails", async () => {
    const { endpoint, heard, clock } = faceEndpoint();
    const first = endpoint.request(server, { ...send, payload: bytes(1500) });
    const failed = expect(first).rejects.toMatchObject({ reason: "timeout" });
    void endpoint.request(server, { ...send, payload: bytes(1500, 9) });
    await clock.advance(seconds(93));
    await failed;
    await settled();
    expect(heard.at(-1)?.payload[0]).toBe(9);
  });
});

describe("a response that does not fit in a block", () => {
  const read = { method: "GET", path: ["fw"], accept: 42 } as const;
  const tag = { number: optionNumber.eTag, value: bytes(4) };
  /** The block that was asked for, of this body. */
  const blockwise =
    (body: Uint8Array, size: number) =>
    (message: Heard): Said => {
      const asked = blockOf(message, optionNumber.block2)?.split("/").map(Number) ?? [0];
      const [number = 0] = asked;
      const end = (number + 1) * size;
      return {
        code: "2.05",
        contentFormat: 42,
        options: [tag],
        block2: block(number, end < body.length, size),
        payload: body.subarray(number * size, end),
      };
    };

  test("is fetched block by block, with tokens of their own", async () => {
    const { heard, outcome } = await converse(read, blockwise(bytes(150), 64));
    expect(askedBlocks(heard)).toEqual([undefined, "1/0/64", "2/0/64"]);
    expect(outcome).toEqual({ code: "2.05", contentFormat: 42, payload: bytes(150) });
    expect(new Set(heard.map(({ token }) => token.join())).size).toBe(3);
    expect(heard.map((message) => uintOf(message, optionNumber.accept))).toEqual([42, 42, 42]);
  });

  test("is asked for in our size when that is a small one", async () => {
    const { heard } = await converse(read, () => ({ code: "2.05" }), { limits: { blockSize: 32 } });
    expect(askedBlocks(heard)).toEqual(["0/0/32"]);
  });

  test("is taken when the peer says that one block is all", async () => {
    const { heard, outcome } = await converse(read, blockwise(bytes(10), 64));
    expect(heard).toHaveLength(1);
    expect(outcome).toMatchObject({ payload: bytes(10) });
  });

  test("is fetched on in smaller blocks when the peer goes over to them", async () => {
    const body = bytes(150);
    const { heard, outcome } = await converse(read, (message, count) =>
      count === 0
        ? blockwise(body, 64)(message)
        : count === 1
          ? { code: "2.05", options: [tag], block2: block(2, true, 32), payload: body.subarray(64, 96) }
          : blockwise(body, 32)(message),
    );
    expect(askedBlocks(heard)).toEqual([undefined, "1/0/64", "3/0/32", "4/0/32"]);
    expect(outcome).toMatchObject({ payload: body });
  });

  test("follows a request in blocks, and the rest is fetched without its body", async () => {
    const answerBody = bytes(100);
    const { heard, outcome } = await converse({ ...send, payload: bytes(1500) }, (message, count) =>
      count === 0
        ? obedient(message)
        : { ...blockwise(answerBody, 64)(message), ...(count === 1 && { block1: block(1, false, 1024) }) },
    );
    expect(sentBlocks(heard)).toEqual(["0/1/1024", "1/0/1024", undefined]);
    expect(askedBlocks(heard)).toEqual([undefined, undefined, "1/0/64"]);
    expect(heard[2]?.payload).toHaveLength(0);
    expect(outcome).toMatchObject({ code: "2.05", payload: answerBody });
  });

  const body = bytes(150);
  const otherTag = { options: [{ number: optionNumber.eTag, value: bytes(4, 9) }] };
  for (const [name, change] of [
    ["its ETag changes", otherTag],
    ["its ETag disappears", { options: [] }],
    ["the peer forgets it", { code: "4.08" }],
  ] as const) {
    test(`is fetched anew, once, when ${name} on the way`, async () => {
      const once = await converse(read, (message, count) => ({
        ...blockwise(body, 64)(message),
        ...(count === 1 ? (change as Said) : {}),
      }));
      expect(askedBlocks(once.heard)).toEqual([undefined, "1/0/64", undefined, "1/0/64", "2/0/64"]);
      expect(once.outcome).toMatchObject({ code: "2.05", payload: body });
      const always = await converse(read, (message, count) => ({
        ...blockwise(body, 64)(message),
        ...(count % 2 === 1 ? (change as Said) : {}),
      }));
      expect(always.heard).toHaveLength(4);
      expect(always.outcome).toMatchObject({ name: "ExchangeError", reason: "protocol" });
    });
  }

  test("to a request that is no read is never asked for anew", async () => {
    const { heard, outcome } = await converse(send, (message, count) => ({
      ...blockwise(body, 64)(message),
      ...(count === 1 ? otherTag : {}),
    }));
    expect(heard).toHaveLength(2);
    expect(outcome).toMatchObject({ name: "ExchangeError", reason: "protocol" });
  });

  test("may come in larger blocks on its way, as long as they follow each other", async () => {
    const { heard, outcome } = await converse(read, (message, count) =>
      blockwise(
        body,
        count < 2 ? 32 : 64,
      )(
        count === 2
          ? { ...message, options: [{ number: optionNumber.block2, value: Uint8Array.of(0x12) }] }
          : message,
      ),
    );
    expect(askedBlocks(heard)).toEqual([undefined, "1/0/32", "2/0/32", "2/0/64"]);
    expect(outcome).toMatchObject({ payload: body });
  });

  test("ends when its blocks never do", async () => {
    const { heard, outcome } = await converse(read, (message) => {
      const [number = 0] = blockOf(message, optionNumber.block2)?.split("/").map(Number) ?? [0];
      return { code: "2.05", block2: block(number, true, 16), payload: bytes(16) };
    });
    expect(heard).toHaveLength((64 * 1024) / 16 + 1);
    expect(outcome).toMatchObject({ reason: "protocol" });
  });

  for (const [name, change] of [
    ["a block is not the one that was asked for", { block2: block(2, false, 64) }],
    ["a block has no number", { block2: undefined }],
    ["a block is shorter than it says", { payload: bytes(63) }],
    ["a block is refused", { code: "4.04" }],
  ] as const) {
    test(`fails when ${name}`, async () => {
      const { outcome } = await converse(read, (message, count) => {
        const said: Said = { ...blockwise(body, 64)(message), ...(count === 1 ? (change as Said) : {}) };
        return said;
      });
      expect(outcome).toMatchObject({ name: "ExchangeError", reason: "protocol" });
    });
  }

  test("fails when it begins amid the body", async () => {
    const { outcome } = await converse(read, () => ({
      code: "2.05",
      block2: block(1, true, 64),
      payload: bytes(64),
    }));
    expect(outcome).toMatchObject({ reason: "protocol" });
  });

  test("fails when it is larger than what we take, before it is all there", async () => {
    const { heard, outcome } = await converse(read, blockwise(bytes(10_000), 64), {
      limits: { maxBody: 200 },
    });
    expect(outcome).toMatchObject({ reason: "protocol" });
    expect(heard).toHaveLength(4);
  });
});

describe("two endpoints", () => {
  function connect(handler: Partial<RequestHandler>, blockSizes: readonly [number, number], seed = 1) {
    const clock = createSimulatedClock();
    const random = createSeededRandom(seed);
    const log = createRecordingLog();
    const link = createSimulatedLink({ clock, random, loss: 0.15, duplication: 0.15, delay: [5, 2500] });
    const peers = [simulatedPeer(1), simulatedPeer(2)] as const;
    const [client] = peers.map((peer, index) => {
      const endpoint = createEndpoint({
        clock,
        random,
        log,
        send: (datagram, to) => sendFrom(datagram, to),
        handler: { accepts: () => true, handle: () => ({ code: "5.00" }), ...handler },
        limits: { blockSize: blockSizes[index] ?? 1024 },
      });
      const sendFrom = link.attach(peer, (datagram, from) => endpoint.receive(datagram, from));
      return endpoint;
    });
    if (!client) throw new Error("no client");
    return { clock, client, far: peers[1] };
  }

  for (const sizes of [
    [64, 64],
    [64, 16],
    [16, 64],
  ] as const) {
    test(`exchange bodies in blocks of ${sizes.join(" and ")} bytes over a bad link, unharmed and once`, async () => {
      const served: IncomingRequest[] = [];
      const { clock, client, far } = connect(
        {
          handle: async (request) => {
            served.push(request);
            return { code: "2.05", payload: request.payload.map((byte) => byte ^ 0xff) };
          },
        },
        sizes,
        sizes[0] + sizes[1],
      );
      const payload = bytes(500);
      const response = client.request(far, { method: "FETCH", path: [], contentFormat: 112, payload });
      await clock.advance(seconds(3600));
      expect(await response).toEqual({ code: "2.05", payload: payload.map((byte) => byte ^ 0xff) });
      expect(served.map((request) => request.payload)).toEqual([payload]);
    });
  }
});
