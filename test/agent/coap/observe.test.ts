/** Observations by peers, and the notifications for them (RFC 7641). */
import { describe, expect, test } from "vitest";
import type {
  IncomingRequest,
  NotificationFate,
  Relation,
  Response,
} from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import { sequenceAfter } from "../../../agent/coap/relation.js";
import { millis, seconds } from "../../../agent/ports.js";
import {
  block,
  blockOf,
  bytes,
  codeOf,
  type FacedOptions,
  faceEndpoint,
  type Heard,
  message,
  only,
  type Said,
  server,
  settled,
  stranger,
  uintOf,
} from "./scripted-peer.js";

const token = [9, 9];
const observe: Said = { path: ["3", "0", "9"], token, observe: 0 };

function observable(options: FacedOptions = {}, answer: Response = { code: "2.05", observe: true }) {
  const requests: IncomingRequest[] = [];
  const ended: Relation[] = [];
  const facing = faceEndpoint({
    ...options,
    handler: {
      accepts: () => true,
      handle: (request) => {
        requests.push(request);
        return answer;
      },
      relationEnded: (relation) => void ended.push(relation),
      ...options.handler,
    },
  });
  /** The relation of the last registration. */
  const relation = (): Relation => {
    const relation = requests.at(-1)?.observe?.relation;
    if (!relation) throw new Error("nothing is observed");
    return relation;
  };
  const fates: NotificationFate[] = [];
  const notify = (payload: number, confirmable: boolean, change: Partial<Response> = {}) => {
    const notification: Response = { code: "2.05", payload: Uint8Array.of(payload), ...change };
    const index = fates.length;
    fates.push("pending" as NotificationFate);
    void relation()
      .notify(notification, { confirmable })
      .then((fate) => {
        fates[index] = fate;
      });
  };
  return { ...facing, requests, ended, relation, notify, fates };
}

const sequence = (heard: Heard) => uintOf(heard, optionNumber.observe);
const summary = (heard: readonly Heard[]) => heard.map(({ type, payload }) => `${type} ${payload.join()}`);

describe("a request to observe", () => {
  test("is answered with the Observe option when the handler keeps the relation", () => {
    const { ask, requests, relation } = observable();
    const answer = ask(observe);
    expect([codeOf(answer), answer.type]).toEqual(["2.05", "ACK"]);
    expect(sequence(answer)).toBeDefined();
    expect(only(requests).observe?.kind).toBe("register");
    expect(relation()).toMatchObject({ active: true, peer: server });
  });

  test("is answered without it when the handler does not", () => {
    const { ask, relation } = observable({}, { code: "2.05" });
    expect(sequence(ask(observe))).toBeUndefined();
    expect(relation().active).toBe(false);
  });

  test("is answered without it when it fails, whatever the handler says", () => {
    const { ask, relation, ended } = observable({}, { code: "4.04", observe: true });
    expect(sequence(ask(observe))).toBeUndefined();
    expect(relation().active).toBe(false);
    expect(ended).toEqual([]);
  });

  for (const [name, change] of [
    ["with another value", { observe: 2 }],
    ["of another method", { method: "POST" }],
    ["for a later block", { block2: block(1, false, 16) }],
  ] as const) {
    test(`${name} is a plain request`, () => {
      const { ask, requests } = observable();
      ask({ ...observe, ...change });
      expect(only(requests).observe).toBeUndefined();
    });
  }

  test("may be a FETCH", () => {
    const { ask } = observable();
    expect(sequence(ask({ ...observe, method: "FETCH", payload: bytes(3) }))).toBeDefined();
  });

  test("that takes its time is answered apart, and notifications wait for the ACK", async () => {
    let answer = (_: Response) => {};
    let relation: Relation | undefined;
    const { say, heard, clock, last, reply } = observable({
      handler: {
        handle: (request) => {
          relation = request.observe?.relation;
          return new Promise((resolve) => (answer = resolve));
        },
      },
    });
    say(observe);
    await clock.advance(seconds(1));
    void relation?.notify({ code: "2.05", payload: bytes(1, 7) }, { confirmable: false });
    answer({ code: "2.05", observe: true, payload: bytes(1, 5) });
    await settled();
    expect(summary(heard)).toEqual(["ACK ", "CON 5"]);
    reply("ACK", last());
    expect(summary(heard)).toEqual(["ACK ", "CON 5", "NON 7"]);
    expect(sequence(last())).toBeGreaterThan(sequence(heard[1] as Heard) ?? Number.POSITIVE_INFINITY);
  });

  test("that is answered apart and then refused with a RST has ended", async () => {
    let answer = (_: Response) => {};
    const { say, clock, last, reply, ended } = observable({
      handler: { handle: () => new Promise((resolve) => (answer = resolve)) },
    });
    say(observe);
    await clock.advance(seconds(1));
    answer({ code: "2.05", observe: true });
    await settled();
    reply("RST", last());
    expect(only(ended).active).toBe(false);
  });

  test("has notifications wait until it is answered", async () => {
    const { ask, heard } = observable({
      handler: {
        handle: (request) => {
          void request.observe?.relation.notify(
            { code: "2.05", payload: bytes(1, 1) },
            { confirmable: false },
          );
          return { code: "2.05", payload: bytes(1), observe: true };
        },
      },
    });
    expect(() => ask(observe)).toThrow("expected one, got 2");
    expect(summary(heard)).toEqual(["ACK 0", "NON 1"]);
  });

  test("beyond the limit of a peer is a plain request", () => {
    const { ask, say, last, requests } = observable({ limits: { relationsPerPeer: 2 } });
    for (const number of [1, 2, 2]) expect(sequence(ask({ ...observe, token: [number] }))).toBeDefined();
    expect(sequence(ask({ ...observe, token: [3] }))).toBeUndefined();
    expect(requests.at(-1)?.observe).toBeUndefined();
    say({ ...observe, token: [3] }, stranger);
    expect(sequence(last())).toBeDefined();
  });

  test("with the token of an older one replaces it, before the handler hears of it", () => {
    const order: string[] = [];
    const { ask, relation, requests } = observable({
      handler: { relationEnded: () => void order.push(`ended after ${requests.length}`) },
    });
    const first = ask(observe);
    const old = relation();
    const second = ask({ ...observe, path: ["4"] });
    expect(order).toEqual(["ended after 1"]);
    expect([old.active, relation().active]).toEqual([false, true]);
    expect(relation().key).toBe(old.key);
    expect(sequence(second)).toBeGreaterThan(sequence(first) ?? Number.POSITIVE_INFINITY);
  });

  test("has nothing to do with one of the same token by another peer", () => {
    const { say, relation, ended } = observable();
    say(observe);
    const first = relation();
    say(observe, stranger);
    expect(ended).toEqual([]);
    expect(first.active).toBe(true);
    expect(relation().key).not.toBe(first.key);
  });
});

describe("a request to observe no longer", () => {
  test("ends the relation of its token before it is served, and is answered without Observe", () => {
    const { ask, relation, requests, ended } = observable();
    ask(observe);
    const first = relation();
    const answer = ask({ ...observe, observe: 1 });
    expect(sequence(answer)).toBeUndefined();
    expect(only(ended)).toBe(first);
    expect(requests[1]?.observe).toEqual({ kind: "cancel", relation: first });
    expect(first.active).toBe(false);
  });

  test("of something else with the same token is a plain request", () => {
    const { ask, relation, requests, ended } = observable();
    ask(observe);
    const first = relation();
    ask({ ...observe, path: ["3", "0", "13"], observe: 1 });
    expect(requests[1]?.observe).toBeUndefined();
    expect([first.active, ended]).toEqual([true, []]);
  });

  test("ends the relation also when it names no Accept", () => {
    const { ask, relation } = observable();
    ask({ ...observe, accept: 110 });
    const first = relation();
    ask({ ...observe, observe: 1 });
    expect(first.active).toBe(false);
  });

  test("of what nobody observes is served all the same", () => {
    const { ask, relation, ended } = observable();
    expect(codeOf(ask({ ...observe, observe: 1 }))).toBe("2.05");
    expect(relation().active).toBe(false);
    expect(ended).toEqual([]);
  });
});

describe("a notification", () => {
  test("has the token of the request, a rising Observe value and a Message ID of its own", async () => {
    const { ask, notify, heard, fates } = observable();
    ask(observe);
    for (const value of [1, 2, 3]) notify(value, false);
    await settled();
    expect(summary(heard.slice(1))).toEqual(["NON 1", "NON 2", "NON 3"]);
    expect(heard.every((message) => message.token.join() === token.join())).toBe(true);
    const values = heard.map((message) => sequence(message) ?? 0);
    expect(values).toEqual([...values].sort((one, other) => one - other));
    expect(new Set(values).size).toBe(4);
    expect(new Set(heard.map(({ messageId }) => messageId)).size).toBe(4);
    expect(fates).toEqual(["sent", "sent", "sent"]);
  });

  test("that is confirmable is retransmitted until it is acknowledged", async () => {
    const { ask, notify, heard, fates, clock, reply, last } = observable();
    ask(observe);
    notify(1, true);
    await clock.advance(seconds(4));
    expect(summary(heard.slice(1))).toEqual(["CON 1", "CON 1"]);
    expect(fates).toEqual(["pending"]);
    reply("ACK", last());
    await settled();
    expect(fates).toEqual(["acknowledged"]);
    expect(clock.pending).toBe(0);
  });

  test("that is never acknowledged leaves the relation as it is", async () => {
    const { ask, notify, heard, fates, clock, relation, ended } = observable();
    ask(observe);
    notify(1, true);
    await clock.advance(seconds(93));
    expect(fates).toEqual(["unanswered"]);
    expect([relation().active, ended.length, heard.length]).toEqual([true, 0, 6]);
    notify(2, false);
    expect(summary(heard.slice(-1))).toEqual(["NON 2"]);
  });

  for (const confirmable of [true, false]) {
    test(`that is ${confirmable ? "" : "non-"}confirmable and refused with a RST ends the relation`, async () => {
      const { ask, notify, reply, last, relation, ended, fates, heard } = observable();
      ask(observe);
      notify(1, confirmable);
      reply("RST", last());
      await settled();
      expect([relation().active, only(ended)]).toEqual([false, relation()]);
      notify(2, false);
      await settled();
      expect(fates).toEqual([confirmable ? "ended" : "sent", "ended"]);
      expect(heard).toHaveLength(2);
    });
  }

  test("is ended by a RST for an older non-confirmable one too, but not by one of another peer", () => {
    const { ask, notify, heard, reply, relation } = observable();
    ask(observe);
    for (const value of [1, 2, 3]) notify(value, false);
    reply("RST", heard[1] as Heard, stranger);
    expect(relation().active).toBe(true);
    reply("RST", heard[1] as Heard);
    expect(relation().active).toBe(false);
  });

  test("that is newer goes out when the one before is acknowledged, the ones between never", async () => {
    const { ask, notify, heard, reply, last, fates } = observable();
    ask(observe);
    notify(1, true);
    notify(2, false);
    notify(3, false);
    notify(4, false);
    expect(summary(heard.slice(1))).toEqual(["CON 1"]);
    reply("ACK", last());
    await settled();
    expect(summary(heard.slice(1))).toEqual(["CON 1", "NON 4"]);
    expect(fates).toEqual(["acknowledged", "superseded", "superseded", "sent"]);
  });

  test("takes over that the one before it was to be acknowledged", async () => {
    const { ask, notify, heard, reply, last } = observable();
    ask(observe);
    notify(1, true);
    notify(2, true);
    notify(3, false);
    reply("ACK", last());
    await settled();
    expect(summary(heard.slice(1))).toEqual(["CON 1", "CON 3"]);
  });

  test("that is newer takes the place of one that is retransmitted, with a new Message ID in the same series", async () => {
    const { ask, notify, heard, clock, reply, fates } = observable({ transmission: { ackRandomFactor: 1 } });
    ask(observe);
    notify(1, true);
    await clock.advance(seconds(1));
    notify(2, false);
    await clock.advance(seconds(1));
    const [, first, second] = heard;
    expect(summary(heard.slice(1))).toEqual(["CON 1", "CON 2"]);
    expect(second?.messageId).not.toBe(first?.messageId);
    expect(sequence(second as Heard)).toBeGreaterThan(sequence(first as Heard) ?? Number.POSITIVE_INFINITY);
    expect(fates).toEqual(["superseded", "pending"]);
    reply("ACK", first as Heard);
    await clock.advance(seconds(4));
    expect(summary(heard.slice(1))).toEqual(["CON 1", "CON 2", "CON 2"]);
    await clock.advance(seconds(100));
    expect(heard.map(({ at }) => at)).toEqual([0, 0, 2000, 6000, 14_000, 30_000]);
    expect(fates).toEqual(["superseded", "unanswered"]);
  });

  test("that superseded another still ends the relation by a RST to the older one", async () => {
    const { ask, notify, heard, clock, reply, relation, fates } = observable({
      transmission: { ackRandomFactor: 1 },
    });
    ask(observe);
    notify(1, true);
    notify(2, true);
    await clock.advance(seconds(2));
    reply("RST", heard[1] as Heard);
    await clock.advance(seconds(100));
    expect(relation().active).toBe(false);
    expect(fates).toEqual(["superseded", "ended"]);
    expect(heard).toHaveLength(3);
  });

  test("waits for the ACK of one of another relation, as NSTART says", async () => {
    const { ask, notify, heard, reply, last, clock } = observable();
    ask(observe);
    notify(1, true);
    ask({ ...observe, token: [2] });
    notify(2, true);
    notify(3, true);
    expect(summary(heard)).toEqual(["ACK ", "CON 1", "ACK "]);
    reply("ACK", heard[1] as Heard);
    expect(summary(heard.slice(3))).toEqual(["CON 3"]);
    reply("ACK", last());
    expect(clock.pending).toBe(0);
  });

  test("has its turn when one of another relation is given up, or its relation ends", async () => {
    const { ask, notify, relation, heard, clock } = observable({ transmission: { ackRandomFactor: 1 } });
    ask(observe);
    notify(1, true);
    ask({ ...observe, token: [2] });
    const second = relation();
    notify(2, true);
    ask({ ...observe, token: [3] });
    notify(3, true);
    await clock.advance(seconds(62));
    expect(summary(heard.slice(-1))).toEqual(["CON 2"]);
    second.end();
    expect(summary(heard.slice(-1))).toEqual(["CON 3"]);
  });

  test("that is not confirmable does not wait for one of another relation", () => {
    const { ask, notify, heard } = observable();
    ask(observe);
    notify(1, true);
    ask({ ...observe, token: [2] });
    notify(2, false);
    expect(summary(heard)).toEqual(["ACK ", "CON 1", "ACK ", "NON 2"]);
  });

  test("to one peer does not wait for one to another", () => {
    const { say, notify, heard } = observable();
    say(message(observe));
    notify(1, true);
    say(message(observe), stranger);
    notify(2, true);
    expect(summary(heard)).toEqual(["ACK ", "CON 1", "ACK ", "CON 2"]);
  });

  test("goes out confirmably once a silent peer has got more than PROBING_RATE allows", async () => {
    const { ask, notify, heard, reply, last, clock } = observable();
    ask(observe);
    const blob = { payload: bytes(500) };
    // 1152 bytes at once are one message.
    for (const value of [1, 2, 3, 4]) notify(value, false, blob);
    expect(heard.slice(1).map(({ type }) => type)).toEqual(["NON", "NON", "NON", "CON"]);
    // Its ACK is a sign of life.
    reply("ACK", last());
    await settled();
    for (const value of [5, 6, 7]) notify(value, false, blob);
    expect(heard.slice(5).map(({ type }) => type)).toEqual(["NON", "NON", "NON"]);
    // 1.5 KB at 1 byte per second, of which 1152 bytes count as one message.
    await clock.advance(seconds(300));
    notify(8, false, blob);
    expect(last().type).toBe("CON");
    await clock.advance(seconds(93));
    await clock.advance(seconds(60));
    notify(9, false, blob);
    expect(last().type).toBe("NON");
  });

  test("may be followed by as many as anyone likes while the peer is not silent", () => {
    const { ask, relation, heard } = observable();
    ask(observe);
    const observed = relation();
    for (let count = 0; count < 20; count++) {
      void observed.notify({ code: "2.05", payload: bytes(1000) }, { confirmable: false });
      ask({ path: ["3", "0", "0"] });
    }
    expect(heard.filter(({ type }) => type === "NON")).toHaveLength(20);
  });

  for (const confirmable of [true, false]) {
    test(`of an error is the last one, when ${confirmable ? "" : "non-"}confirmable, and has no Observe`, async () => {
      const { ask, notify, relation, ended, last, reply, fates, clock } = observable();
      ask(observe);
      notify(0, confirmable, { code: "4.04" });
      expect([codeOf(last()), sequence(last()), relation().active]).toEqual(["4.04", undefined, false]);
      if (confirmable) reply("ACK", last());
      notify(1, confirmable);
      await settled();
      expect(fates).toEqual([confirmable ? "acknowledged" : "sent", "ended"]);
      expect(ended).toEqual([]);
      expect(clock.pending).toBe(0);
    });
  }

  test("of an error makes room for another relation", () => {
    const { ask, notify } = observable({ limits: { relationsPerPeer: 1 } });
    ask(observe);
    notify(0, false, { code: "4.04" });
    expect(sequence(ask({ ...observe, token: [2] }))).toBeDefined();
  });

  test("has the Observe value that follows, which begins anew after 24 bits", async () => {
    expect(sequenceAfter(0xffffff)).toBe(0);
    const { ask, relation, last, clock } = observable({ transmission: { probingRate: 1_000_000 } });
    ask(observe);
    const before = sequence(last()) ?? 0;
    for (let count = 0; count < 300; count++) {
      await relation().notify({ code: "2.05" }, { confirmable: false });
      await clock.advance(millis(1));
    }
    expect(sequence(last())).toBe(before + 300);
  });

  test("tells when it is on its way", () => {
    let sent = 0;
    const { ask, notify } = observable();
    ask(observe);
    notify(1, true, { afterSent: () => void sent++ });
    notify(2, true, { afterSent: () => void sent++ });
    expect(sent).toBe(1);
  });

  test("that does not fit in a block comes in blocks, the others by requests without Observe", () => {
    const { ask, notify, last, requests } = observable({ limits: { blockSize: 64 } });
    ask(observe);
    notify(0, false, { payload: bytes(100) });
    const first = last();
    expect([blockOf(first, optionNumber.block2), uintOf(first, optionNumber.size2)]).toEqual(["0/1/64", 100]);
    expect(sequence(first)).toBeDefined();
    const rest = ask({ path: ["3", "0", "9"], token: [1], block2: block(1, false, 64) });
    expect([blockOf(rest, optionNumber.block2), rest.payload]).toEqual(["1/0/64", bytes(36, 64)]);
    expect(rest.options.find(({ number }) => number === optionNumber.eTag)).toEqual(
      first.options.find(({ number }) => number === optionNumber.eTag),
    );
    expect(requests).toHaveLength(1);
  });

  test("comes in blocks as small as the observer asked for", () => {
    const { ask, notify, last } = observable();
    ask({ ...observe, block2: block(0, false, 32) });
    notify(0, false, { payload: bytes(100) });
    expect(blockOf(last(), optionNumber.block2)).toBe("0/1/32");
  });
});

describe("a relation", () => {
  test("that we end says nothing more, not even what was on its way", async () => {
    const { ask, notify, relation, heard, fates, clock, ended } = observable();
    ask(observe);
    notify(1, true);
    notify(2, true);
    relation().end();
    await clock.advance(seconds(100));
    expect(fates).toEqual(["ended", "ended"]);
    expect([heard.length, ended.length, clock.pending]).toEqual([2, 0, 0]);
  });

  test("ends when the endpoint closes", async () => {
    const { ask, notify, relation, fates, endpoint, clock } = observable();
    ask(observe);
    notify(1, true);
    endpoint.close();
    await settled();
    expect([relation().active, fates[0], clock.pending]).toEqual([false, "ended", 0]);
  });

  test("is not harmed by a handler that fails when it hears of its end", () => {
    const { ask, log, relation } = observable({
      handler: {
        relationEnded: () => {
          throw new Error("boom");
        },
      },
    });
    ask(observe);
    expect(codeOf(ask({ ...observe, observe: 1 }))).toBe("2.05");
    expect(relation().active).toBe(false);
    expect(only(log.lines).level).toBe("error");
  });

  test("keeps its token although the datagram that brought it is gone", () => {
    const { endpoint, notify, last } = observable();
    const datagram = message(observe);
    endpoint.receive(datagram, server);
    datagram.fill(0);
    notify(1, false);
    expect(last().token).toEqual(Uint8Array.from(token));
  });
});
