/** A client whose Server talks nonsense: what it does then, what its log tells, and that it recovers by itself. */
import { describe, expect, test } from "vitest";
import { encodeMessage, type OutgoingMessage } from "../../agent/coap/message.js";
import { optionNumber } from "../../agent/coap/option.js";
import { seconds } from "../../agent/ports.js";
import { settle } from "../simulated/clock.js";
import { createObservingWorld, type ObservingWorld } from "./observing-world.js";

type Serve = NonNullable<NonNullable<Parameters<typeof createObservingWorld>[0]>["serve"]>;

const block2 = (number: number, more: boolean, exponent = 0) => ({
  number: optionNumber.block2,
  value: number * 16 + (more ? 8 : 0) + exponent,
});
const block1 = (number: number, more: boolean, exponent: number) => ({
  number: optionNumber.block1,
  value: number * 16 + (more ? 8 : 0) + exponent,
});
let pages = 0;
let exponent = 6;

/** What the Server makes of a Register, and what an operator reads of it. */
const nonsense: readonly (readonly [what: string, serve: Serve, reason: RegExp])[] = [
  ["nothing at all", () => undefined, /does not answer/],
  [
    "an answer with the token of nobody",
    (_, usual) => ({ ...usual, token: Uint8Array.of(1, 2, 3) }),
    /never answered|does not answer/,
  ],
  [
    "an ACK of another message",
    (_, usual) => ({ ...usual, messageId: usual.messageId ^ 1 }),
    /does not answer/,
  ],
  [
    "a RST",
    (_, usual) => ({ ...usual, type: "RST", code: 0, token: new Uint8Array(), options: [] }),
    /refused the message/,
  ],
  [
    "an empty ACK, and no more",
    (_, usual) => ({ ...usual, code: 0, token: new Uint8Array(), options: [] }),
    /acknowledged the request and never answered it/,
  ],
  ["a request in an ACK", (_, usual) => ({ ...usual, code: 1 }), /does not answer/],
  ["a Content in place of Created", (_, usual) => ({ ...usual, code: 0x45 }), /2\.05 in place of 2\.01/],
  ["Created, but not where", (_, usual) => ({ ...usual, options: [] }), /did not say where/],
  [
    "a code that nobody knows, which counts as the first of its class (RFC 7252 §5.9)",
    (_, usual) => ({ ...usual, code: 0x9f }),
    /4\.00/,
  ],
  [
    "a critical option that nobody knows",
    (_, usual) => ({ ...usual, options: [...usual.options, { number: 65001, value: Uint8Array.of(1) }] }),
    /option/,
  ],
  [
    "a body in blocks without end",
    (_, usual) => ({
      ...usual,
      options: [...usual.options, block2(pages++, true)],
      payload: new Uint8Array(16),
    }),
    /more than 65536 bytes/,
  ],
  [
    "the same block again and again",
    (_, usual) => ({ ...usual, options: [...usual.options, block2(0, true)], payload: new Uint8Array(16) }),
    /do not follow each other/,
  ],
  [
    "a block with less in it than it says",
    (_, usual) => ({ ...usual, options: [...usual.options, block2(0, true)], payload: new Uint8Array(3) }),
    /a block of 16 bytes has 3/,
  ],
  [
    "that each block is too large, down to the smallest and on",
    (_, usual) => ({
      ...usual,
      code: 0x8d,
      options: [block1(0, true, (exponent = Math.max(0, exponent - 1)))],
    }),
    /4\.13/,
  ],
];

const said = (world: ObservingWorld, event: string) => world.log.lines.filter((line) => line.event === event);
const stateOf = (world: ObservingWorld) => world.client.registrationState(1)?.name;

describe("a Server that answers a Register with", () => {
  for (const [what, answer, reason] of nonsense) {
    test(`${what}: one line that tells what to do, and recovery when it makes sense again`, async () => {
      pages = 0;
      exponent = 6;
      let isSane = false;
      const serve: Serve = (request, usual) => (isSane ? usual : answer(request, usual));
      const world = await createObservingWorld({ version: "1.1", serve, account: { retryCount: 2 } });
      await world.start();
      for (let count = 0; count < 20 && said(world, "registration failed").length === 0; count++) {
        await world.clock.advance(seconds(20));
      }
      const [line] = said(world, "registration failed");
      expect(String(line?.fields["reason"])).toMatch(reason);
      expect(stateOf(world)).not.toBe("registered");
      expect(world.requests.length).toBeLessThan(20 + 65536 / 16); // it does not run in circles
      isSane = true;
      await world.clock.advance(seconds(600));
      expect(stateOf(world)).toBe("registered");
      expect((await world.ask({ method: "GET", path: "/3/0/16" })).code).toBe("4.04"); // not set: but it answers
      expect(said(world, "registration failed").length).toBeLessThan(4);
      expect(world.log.lines.filter(({ level }) => level === "error")).toEqual([]);
    });
  }
});

describe("a registered client", () => {
  const begin = async (serve?: Serve) => {
    const world = await createObservingWorld({ version: "1.1", ...(serve && { serve }) });
    world.device.set(0, 9, 100);
    await world.start();
    return world;
  };

  test("takes nothing from an answer that it did not ask for, nor from noise", async () => {
    const world = await begin();
    const stray: OutgoingMessage = {
      type: "NON",
      code: 0x84,
      messageId: 7,
      token: Uint8Array.of(9),
      options: [],
      payload: new Uint8Array(),
    };
    for (const type of ["NON", "ACK", "CON", "RST"] as const) {
      await world.receive(
        encodeMessage({ ...stray, type, ...(type === "RST" && { code: 0, token: new Uint8Array() }) }),
      );
    }
    await world.receive(Uint8Array.of(0x40));
    await world.receive(new Uint8Array(1500).fill(0xff));
    expect(stateOf(world)).toBe("registered");
    expect(world.requests).toHaveLength(1);
    expect(world.log.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  });

  test("an Observe of a number that is none is a plain Read", async () => {
    const world = await begin();
    for (const observe of [2, 70_000, 0xffffff]) {
      const { code, observe: sequence } = await world.ask({ method: "GET", path: "/3/0/9", observe });
      expect([code, sequence]).toEqual(["2.05", undefined]);
    }
    expect(world.client.observationCount).toBe(0);
  });

  test("an Observe that comes again and again with its token is one observation, and its numbers grow", async () => {
    const world = await begin();
    const numbers: number[] = [];
    for (let count = 0; count < 5; count++) {
      const { observe } = await world.ask({ method: "GET", path: "/3/0/9", observe: 0, token: 0x70 });
      numbers.push(observe ?? -1);
    }
    expect(world.client.observationCount).toBe(1);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(new Set(numbers).size).toBe(5);
  });

  test("an Update that gets nonsense makes a new registration, by itself", async () => {
    let isSane = true;
    const world = await begin((_, usual) => (isSane ? usual : { ...usual, code: 0x45 }));
    isSane = false;
    world.client.triggerUpdate(1);
    await settle();
    isSane = true;
    await world.clock.advance(seconds(180));
    expect(stateOf(world)).toBe("registered");
    expect(world.requests.map(({ path }) => path).slice(0, 3)).toEqual(["rd", "rd/1", "rd"]);
    expect(said(world, "registration failed")[0]?.fields["advice"]).toContain("LwM2M Server");
  });
});
