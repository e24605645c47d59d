/** Requests of ours: sent until answered, and all the ways to be answered. */
import { describe, expect, test } from "vitest";
import { createEndpoint } from "../../../agent/coap/endpoint.js";
import type { ExchangeError, IncomingResponse } from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import {
  defaultTransmission,
  exchangeLifetime,
  firstTimeout,
  maxTransmitSpan,
  maxTransmitWait,
  nonLifetime,
} from "../../../agent/coap/transmission.js";
import { millis, seconds } from "../../../agent/ports.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createSimulatedLink, simulatedPeer } from "../../simulated/link.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import {
  bytes,
  type FacedOptions,
  faceEndpoint,
  message,
  only,
  optionOf,
  server,
  settled,
  stranger,
} from "./scripted-peer.js";

const update = { method: "POST", path: ["rd", "a"], query: ["lt=300"] } as const;

/** Sends a request, and keeps how it ended. */
function requesting(options: FacedOptions = {}) {
  const facing = faceEndpoint(options);
  let outcome: IncomingResponse | ExchangeError | undefined;
  const promise = facing.endpoint.request(server, update);
  promise.then(
    (response) => (outcome = response),
    (error: ExchangeError) => (outcome = error),
  );
  return {
    ...facing,
    first: only(facing.heard),
    outcome: async () => {
      await settled();
      return outcome;
    },
  };
}

describe("the times of RFC 7252 §4.8.2", () => {
  const p = defaultTransmission;
  test("follow from the parameters", () => {
    expect(
      [maxTransmitSpan, maxTransmitWait, exchangeLifetime, nonLifetime].map((of) => of(p) / 1000),
    ).toEqual([45, 93, 247, 145]);
  });

  test("begin between ACK_TIMEOUT and one and a half of it", () => {
    const at = (fraction: number) => firstTimeout({ fraction: () => fraction, bytes: () => bytes(0) }, p);
    expect([at(0), at(0.5)]).toEqual([2000, 2500]);
    expect(at(0.999_999)).toBeLessThan(3000);
  });
});

describe("a request", () => {
  test("is confirmable and says what it is about", () => {
    const { first } = requesting();
    expect(first).toMatchObject({ type: "CON", code: 2 });
    expect(first.token.length).toBeGreaterThanOrEqual(4);
    expect(first.options.map(({ number, value }) => [number, new TextDecoder().decode(value)])).toEqual([
      [optionNumber.uriPath, "rd"],
      [optionNumber.uriPath, "a"],
      [optionNumber.uriQuery, "lt=300"],
    ]);
  });

  test("is retransmitted with doubled timeouts, then given up", async () => {
    const { heard, clock, outcome } = requesting();
    await clock.advance(seconds(93));
    expect(heard).toHaveLength(5);
    expect(new Set(heard.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).size).toBe(1);
    const waits = heard.slice(1).map(({ at }, index) => at - (heard[index]?.at ?? 0));
    const [first = 0] = waits;
    expect(first).toBeGreaterThanOrEqual(2000);
    expect(first).toBeLessThanOrEqual(3000);
    expect(waits.map((wait) => Math.round(wait / first))).toEqual([1, 2, 4, 8]);
    expect(await outcome()).toMatchObject({ name: "ExchangeError", reason: "timeout" });
    expect(clock.pending).toBe(0);
  });

  test("waits for the last timeout before it is given up", async () => {
    const { heard, clock, outcome } = requesting();
    await clock.advance(seconds(61));
    expect(await outcome()).toBeUndefined();
    expect(heard).toHaveLength(5);
  });

  test("takes the transmission parameters that it is given", async () => {
    const { heard, clock, outcome } = requesting({
      transmission: { ackTimeout: seconds(10), ackRandomFactor: 1, maxRetransmit: 1 },
    });
    await clock.advance(seconds(30));
    expect(heard.map(({ at }) => at)).toEqual([0, 10_000]);
    expect(await outcome()).toMatchObject({ reason: "timeout" });
  });

  test("is answered by the response in the ACK", async () => {
    const { say, first, outcome, heard, clock } = requesting();
    const { messageId, token } = first;
    say({ type: "ACK", code: "2.01", messageId, token, contentFormat: 40, payload: bytes(3) });
    expect(await outcome()).toEqual({ code: "2.01", contentFormat: 40, payload: bytes(3) });
    await clock.advance(seconds(300));
    expect(heard).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test("hears Location-Path, Max-Age and Size1", async () => {
    const { say, first, outcome } = requesting();
    const { messageId, token } = first;
    const options = [
      ...["rd", "é"].map((text) => ({
        number: optionNumber.locationPath,
        value: new TextEncoder().encode(text),
      })),
      { number: optionNumber.maxAge, value: 60 },
      { number: optionNumber.size1, value: 4096 },
    ];
    say({ type: "ACK", code: "5.03", messageId, token, options });
    expect(await outcome()).toMatchObject({ code: "5.03", location: ["rd", "é"], maxAge: 60, size: 4096 });
  });

  for (const type of ["CON", "NON"] as const) {
    test(`is answered by a ${type} response after an empty ACK`, async () => {
      const { say, reply, first, outcome, clock, heard } = requesting();
      reply("ACK", first);
      await clock.advance(seconds(200));
      expect(heard).toHaveLength(1);
      say({ type, code: "2.04", messageId: 999, token: first.token });
      expect(await outcome()).toMatchObject({ code: "2.04" });
      const answers = heard.slice(1).map((answer) => [answer.type, answer.code, answer.messageId]);
      expect(answers).toEqual(type === "CON" ? [["ACK", 0, 999]] : []);
      expect(clock.pending).toBe(0);
    });

    test(`is answered by a ${type} response whose ACK was lost, which ends retransmission`, async () => {
      const { say, first, outcome, clock, heard } = requesting();
      say({ type, code: "2.04", messageId: 999, token: first.token });
      expect(await outcome()).toMatchObject({ code: "2.04" });
      await clock.advance(seconds(100));
      expect(heard.filter(({ code }) => code !== 0)).toHaveLength(1);
    });
  }

  test("that is answered apart twice gets two ACKs and one response", async () => {
    const { say, first, outcome, heard, endpoint } = requesting();
    const response = message({ code: "2.04", messageId: 999, token: first.token });
    say(response);
    say(response);
    expect(await outcome()).toMatchObject({ code: "2.04" });
    expect(heard.slice(1).map(({ type, messageId }) => [type, messageId])).toEqual([
      ["ACK", 999],
      ["ACK", 999],
    ]);
    endpoint.close();
  });

  test("that is acknowledged and never answered is given up after EXCHANGE_LIFETIME", async () => {
    const { reply, first, outcome, clock } = requesting();
    reply("ACK", first);
    await clock.advance(millis(246_999));
    expect(await outcome()).toBeUndefined();
    await clock.advance(millis(1));
    expect(await outcome()).toMatchObject({ reason: "timeout" });
  });

  test("that is refused with a RST fails", async () => {
    const { reply, first, outcome, clock } = requesting();
    reply("RST", first);
    expect(await outcome()).toMatchObject({ reason: "reset" });
    expect(clock.pending).toBe(0);
  });

  for (const [name, change] of [
    ["with another token", { token: [1, 2, 3, 4, 5, 6, 7, 8] }],
    ["with another Message ID", { messageId: 1 }],
  ] as const) {
    test(`is not answered by a piggybacked response ${name}`, async () => {
      const { say, first, outcome } = requesting();
      const { messageId, token } = first;
      say({ type: "ACK", code: "2.04", messageId, token, ...change });
      expect(await outcome()).toBeUndefined();
    });
  }

  test("is not answered by another peer", async () => {
    const { say, first, outcome, reply } = requesting();
    const { messageId, token } = first;
    say({ type: "ACK", code: "2.04", messageId, token }, stranger);
    say({ type: "NON", code: "2.04", token }, stranger);
    reply("RST", first, stranger);
    expect(await outcome()).toBeUndefined();
  });

  for (const type of ["CON", "NON", "ACK"] as const) {
    test(`fails when a ${type} response has a critical option that is unknown`, async () => {
      const { say, first, outcome, heard } = requesting();
      const messageId = type === "ACK" ? first.messageId : 999;
      say({ type, code: "2.05", messageId, token: first.token, options: [{ number: 65_001, value: 0 }] });
      expect(await outcome()).toMatchObject({ reason: "protocol" });
      const answers = heard.slice(1).map((answer) => [answer.type, answer.messageId]);
      expect(answers).toEqual(type === "CON" ? [["RST", 999]] : []);
    });
  }

  test("takes a code without a name as the general one of its class", async () => {
    for (const [byte, code] of [
      [0x9f, "4.00"],
      [0xbf, "5.00"],
    ] as const) {
      const { endpoint, first, outcome } = requesting();
      const response = message({ type: "ACK", code: "2.05", messageId: first.messageId, token: first.token });
      response[1] = byte;
      endpoint.receive(response, server);
      expect(await outcome()).toMatchObject({ code });
    }
  });

  test("fails when the response is a success of an unknown kind", async () => {
    const { endpoint, first, outcome } = requesting();
    const response = message({ type: "ACK", code: "2.05", messageId: first.messageId, token: first.token });
    response[1] = 0x5e;
    endpoint.receive(response, server);
    expect(await outcome()).toMatchObject({ reason: "protocol" });
  });

  test("is repeated once with the Echo that the peer asks for", async () => {
    const { say, heard, first, outcome, last } = requesting();
    const challenge = {
      code: "4.01",
      type: "ACK",
      options: [{ number: optionNumber.echo, value: bytes(8) }],
    } as const;
    say({ ...challenge, messageId: first.messageId, token: first.token });
    await settled();
    expect(optionOf(last(), optionNumber.echo)).toEqual(bytes(8));
    expect(heard).toHaveLength(2);
    say({ ...challenge, messageId: last().messageId, token: last().token });
    expect(await outcome()).toMatchObject({ code: "4.01" });
    expect(heard).toHaveLength(2);
  });

  test("carries the Echo that came with the answer before it, which was no challenge", async () => {
    const { say, heard, first, outcome, endpoint, last } = requesting();
    say({
      code: "2.05",
      type: "ACK",
      options: [{ number: optionNumber.echo, value: bytes(8) }],
      messageId: first.messageId,
      token: first.token,
    });
    expect(await outcome()).toMatchObject({ code: "2.05" });
    expect(heard).toHaveLength(1);
    for (const echo of [bytes(8), undefined]) {
      const next = endpoint.request(server, { method: "GET", path: ["x"] });
      await settled();
      expect(optionOf(last(), optionNumber.echo)).toEqual(echo);
      say({ code: "2.05", type: "ACK", messageId: last().messageId, token: last().token });
      await next;
    }
  });

  test("says the name of its server when it has one", async () => {
    const { endpoint, last } = faceEndpoint();
    endpoint.request(server, { method: "GET", host: "lwm2m.example", path: ["rd"] }).catch(() => {});
    await settled();
    expect(last().options.map(({ number, value }) => [number, new TextDecoder().decode(value)])).toEqual([
      [optionNumber.uriHost, "lwm2m.example"],
      [optionNumber.uriPath, "rd"],
    ]);
    endpoint.close();
  });

  test("that no message can carry is refused before anything is sent", async () => {
    const { endpoint, heard } = faceEndpoint();
    const request = endpoint.request(server, { method: "GET", path: ["x".repeat(256)] });
    await expect(request).rejects.toThrow(RangeError);
    expect(heard).toEqual([]);
  });
});

describe("giving up on a request", () => {
  test("ends it with the reason of the signal, on the wire too", async () => {
    const { endpoint, heard, clock } = faceEndpoint();
    const controller = new AbortController();
    const request = endpoint.request(server, update, { signal: controller.signal });
    const reason = new Error("no longer needed");
    controller.abort(reason);
    await expect(request).rejects.toBe(reason);
    await clock.advance(seconds(100));
    expect(heard).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test("before it began sends nothing", async () => {
    const { endpoint, heard } = faceEndpoint();
    const request = endpoint.request(server, update, { signal: AbortSignal.abort() });
    await expect(request).rejects.toMatchObject({ name: "AbortError" });
    expect(heard).toEqual([]);
  });

  test("while it waits for its turn lets the others go on", async () => {
    const { endpoint, heard, say, last } = faceEndpoint();
    const controller = new AbortController();
    void endpoint.request(server, update);
    const second = endpoint.request(server, update, { signal: controller.signal });
    void endpoint.request(server, { method: "DELETE", path: [] });
    controller.abort();
    await expect(second).rejects.toThrow();
    say({ type: "ACK", code: "2.04", messageId: last().messageId, token: last().token });
    expect(heard.map(({ code }) => code)).toEqual([2, 4]);
  });

  test("because the endpoint closes ends all of them, waiting ones too", async () => {
    const { endpoint, heard, clock, reply, last } = faceEndpoint();
    const requests = [1, 2, 3].map(() => endpoint.request(server, update));
    reply("ACK", last());
    endpoint.close();
    for (const request of requests) await expect(request).rejects.toMatchObject({ reason: "closed" });
    expect(heard).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });
});

describe("requests to one peer", () => {
  test("go out one after the other, each when the one before is answered", async () => {
    const { endpoint, heard, say, last } = faceEndpoint();
    const answered: number[] = [];
    for (const number of [1, 2, 3]) {
      void endpoint
        .request(server, { method: "POST", path: [String(number)] })
        .then(() => answered.push(number));
    }
    for (const count of [1, 2, 3]) {
      expect(heard).toHaveLength(count);
      say({ type: "ACK", code: "2.04", messageId: last().messageId, token: last().token });
      await settled();
    }
    expect(answered).toEqual([1, 2, 3]);
  });

  test("do not wait for a response that comes apart", () => {
    const { endpoint, heard, reply, last } = faceEndpoint();
    void endpoint.request(server, update);
    void endpoint.request(server, update);
    reply("ACK", last());
    expect(heard).toHaveLength(2);
  });

  test("go on after one was given up", async () => {
    const { endpoint, heard, clock } = faceEndpoint();
    const first = endpoint.request(server, update).catch((error: ExchangeError) => error.reason);
    void endpoint.request(server, { method: "DELETE", path: [] });
    await clock.advance(seconds(93));
    expect(await first).toBe("timeout");
    expect(heard.at(-1)?.code).toBe(4);
  });

  test("do not wait for those to another", () => {
    const { endpoint, heard } = faceEndpoint();
    void endpoint.request(server, update);
    void endpoint.request(stranger, update);
    expect(heard).toHaveLength(2);
  });

  test("may be more at a time when NSTART says so", () => {
    const { endpoint, heard } = faceEndpoint({ transmission: { nstart: 2 } });
    for (let count = 0; count < 3; count++) void endpoint.request(server, update);
    expect(heard).toHaveLength(2);
  });

  test("have different tokens and Message IDs", () => {
    const { endpoint, heard } = faceEndpoint({ transmission: { nstart: 100 } });
    for (let count = 0; count < 100; count++) void endpoint.request(server, update);
    expect(new Set(heard.map(({ token }) => token.join())).size).toBe(100);
    expect(new Set(heard.map(({ messageId }) => messageId)).size).toBe(100);
  });
});

describe("two endpoints", () => {
  function connected(link: { loss: number; duplication: number; delay: [number, number] }, seed: number) {
    const clock = createSimulatedClock();
    const random = createSeededRandom(seed);
    const log = createRecordingLog();
    const network = createSimulatedLink({ clock, random, ...link });
    const [near, far] = [simulatedPeer(1), simulatedPeer(2)];
    const executed: string[] = [];
    const client = createEndpoint({
      clock,
      random,
      log,
      send: (datagram, to) => nearSend(datagram, to),
      handler: { accepts: () => false, handle: () => ({ code: "5.00" }) },
    });
    const device = createEndpoint({
      clock,
      random,
      log,
      send: (datagram, to) => farSend(datagram, to),
      handler: {
        accepts: () => true,
        handle: async ({ payload }) => {
          executed.push(payload.join());
          // Every third one takes its time, and is answered apart.
          if ((payload[0] ?? 0) % 3 === 0)
            await new Promise<void>((resolve) => clock.after(seconds(4), resolve));
          return { code: "2.04", payload };
        },
      },
    });
    const nearSend = network.attach(near, (datagram, from) => client.receive(datagram, from));
    const farSend = network.attach(far, (datagram, from) => device.receive(datagram, from));
    return { clock, client, far, executed, network, log };
  }

  test("do each thing once over a link that loses, doubles and reorders", async () => {
    let answered = 0;
    let unanswered = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const { clock, client, far, executed, log } = connected(
        { loss: 0.25, duplication: 0.2, delay: [5, 3000] },
        seed,
      );
      for (let number = 0; number < 12; number++) {
        const payload = Uint8Array.of(number, seed);
        client.request(far, { method: "POST", path: ["3", "0", "4"], payload }).then(
          (response) => {
            answered++;
            expect(response).toEqual({ code: "2.04", payload });
          },
          (error: ExchangeError) => {
            unanswered++;
            expect(error.reason).toBe("timeout");
          },
        );
      }
      await clock.advance(seconds(3600));
      expect(new Set(executed).size).toBe(executed.length);
      expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
      expect(clock.pending).toBe(0);
    }
    expect(answered + unanswered).toBe(120);
    expect(answered).toBeGreaterThan(110);
  });

  test("need no timer once all is said", async () => {
    const { clock, client, far, network } = connected({ loss: 0, duplication: 0, delay: [1, 1] }, 1);
    const response = client.request(far, { method: "POST", path: [], payload: Uint8Array.of(1) });
    await clock.advance(seconds(2));
    expect(network.sent).toHaveLength(2);
    await expect(response).resolves.toMatchObject({ code: "2.04" });
    expect(clock.pending).toBe(0);
  });
});
