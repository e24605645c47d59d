/** An endpoint that is told nonsense by a peer it trusts. */
import { expect, test } from "vitest";
import { BodyReceiver } from "../../../agent/coap/body-receiver.js";
import { Channel } from "../../../agent/coap/channel.js";
import { createEndpoint } from "../../../agent/coap/endpoint.js";
import type { IncomingRequest, Response } from "../../../agent/coap/exchange-types.js";
import { decodeMessage, encodeMessage, MessageFormatError, noBytes } from "../../../agent/coap/message.js";
import { defaultTransmission } from "../../../agent/coap/transmission.js";
import { millis, type Peer, seconds } from "../../../agent/ports.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { simulatedPeer } from "../../simulated/link.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { bytes, message, type Said, server, settled } from "./scripted-peer.js";

const rounds = 200_000;
const random = createSeededRandom(20_260_101);

function pick<T>(items: readonly T[]): T {
  return items[random.integer(items.length)] as T;
}

/** Something that a peer could mean: all kinds of messages, small numbers, so that they meet each other. */
function sensible(): Uint8Array {
  const said: Said = {
    type: pick(["CON", "CON", "NON", "ACK"]),
    method: pick(["GET", "POST", "PUT", "DELETE", "FETCH", "iPATCH"]),
    messageId: random.integer(2000),
    token: random.bytes(random.integer(3)),
    path: pick([[], ["3"], ["3"], ["3", "0", "9"], ["5", "0", "0"], ["5", "0", "0"], ["slow"], ["large"]]),
    payload: random.bytes(pick([0, 0, 10, 16, 32])),
    ...(random.fraction() < 0.2 && { observe: random.integer(3) }),
    ...(random.fraction() < 0.3 && {
      block1: { number: random.integer(5), more: random.fraction() < 0.7, size: 16 },
    }),
    ...(random.fraction() < 0.2 && {
      block2: { number: random.integer(5), more: false, size: pick([16, 64]) },
    }),
    ...(random.fraction() < 0.2 && { code: pick(["2.05", "2.31", "4.04", "4.13"]) }),
    ...(random.fraction() < 0.1 && { query: ["a=b"], accept: random.integer(70_000) & 0xffff }),
  };
  return message(said);
}

function mutated(): Uint8Array {
  const datagram = sensible();
  for (let count = 1 + random.integer(4); count > 0; count--) {
    datagram[random.integer(datagram.length)] = random.integer(256);
  }
  return datagram;
}

const truncated = () => {
  const datagram = sensible();
  return datagram.slice(0, random.integer(datagram.length));
};

const empty = () =>
  encodeMessage({
    type: pick(["CON", "ACK", "RST"]),
    code: 0,
    messageId: random.integer(65_536),
    token: noBytes,
    options: [],
    payload: noBytes,
  });

const kinds = [
  sensible,
  sensible,
  mutated,
  mutated,
  truncated,
  empty,
  () => random.bytes(random.integer(64)),
];

test("what is decoded and encoded again means the same, and nothing else is decoded", () => {
  for (let round = 0; round < 20_000; round++) {
    const datagram = pick(kinds)();
    try {
      const decoded = decodeMessage(datagram);
      expect(decodeMessage(encodeMessage(decoded))).toEqual(decoded);
    } catch (error) {
      expect(error).toBeInstanceOf(MessageFormatError);
    }
  }
});

test("200,000 datagrams of nonsense do no harm", async () => {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const relations = new Set<string>();
  let waiting = 0;
  let aborted = 0;
  let last: Uint8Array = noBytes;
  const handle = (request: IncomingRequest): Response | Promise<Response> => {
    const observe = request.observe?.kind === "register";
    if (observe) {
      const { relation } = request.observe ?? {};
      clock.after(
        millis(500),
        () => void relation?.notify({ code: "2.05" }, { confirmable: random.fraction() < 0.1 }),
      );
      if (relation) relations.add(relation.key);
    }
    const response: Response = {
      code: "2.05",
      payload: bytes(request.path[0] === "large" ? 200 : 5),
      ...(observe && { observe }),
    };
    if (request.path[0] !== "slow") return response;
    waiting++;
    expect(waiting).toBeLessThanOrEqual(64);
    return new Promise((resolve) =>
      clock.after(millis(1200), () => {
        waiting--;
        resolve(response);
      }),
    );
  };
  const endpoint = createEndpoint({
    clock,
    log,
    random,
    send: (datagram) => (last = datagram),
    handler: {
      accepts: () => true,
      handle,
      open: ({ path }) =>
        path[0] === "5"
          ? { write: () => {}, end: () => ({ code: "2.04" }), abort: () => void aborted++ }
          : undefined,
    },
    limits: { blockSize: 64 },
  });
  const peers: Peer[] = [server, simulatedPeer(2), simulatedPeer(3)];
  for (let round = 0; round < rounds; round++) {
    endpoint.receive(pick(kinds)(), pick(peers));
    if (round % 20 > 0) continue;
    await clock.advance(millis(50));
    // One for each relation, each slow request and each response apart, the handler's own, and the few that are shared.
    expect(clock.pending).toBeLessThan(peers.length * 64 + 2 * 64 + 100);
  }
  expect(log.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  expect(aborted).toBeGreaterThan(0);
  expect(relations.size).toBeGreaterThan(0);

  endpoint.receive(message({ path: ["3"], messageId: 60_000, token: [42] }), server);
  expect(decodeMessage(last)).toMatchObject({
    type: "ACK",
    code: 0x45,
    messageId: 60_000,
    token: Uint8Array.of(42),
  });

  // What was begun ends by itself: nothing is left but relations, which are the handler's to end.
  await clock.advance(seconds(1000));
  expect(waiting).toBe(0);
  expect(clock.pending).toBe(0);
});

test("bodies that never end are bounded in number, whatever begins them", async () => {
  const clock = createSimulatedClock();
  const channel = new Channel(
    { clock, random, log: createRecordingLog(), send: () => {} },
    defaultTransmission,
  );
  const receiver = new BodyReceiver(
    channel,
    { accepts: () => true, handle: () => ({ code: "2.04" }) },
    { maxBody: 1000, transfers: 16, transfersPerPeer: 2 },
  );
  for (let count = 0; count < 5000; count++) {
    const peer = simulatedPeer(random.integer(40));
    void receiver.receive({
      key: `${peer.key} ${random.integer(6)}`,
      block: { number: random.integer(3), more: random.fraction() < 0.9, size: 16 },
      payload: bytes(16),
      head: { method: "PUT", path: [], query: [], peer, size: undefined },
      serve: () => ({ code: "2.04" }),
    });
    if (count % 10 === 0) await settled();
    expect(receiver.size).toBeLessThanOrEqual(16);
  }
  expect(receiver.size).toBe(16);
  await clock.advance(seconds(600));
  expect(receiver.size).toBe(0);
});
