/** Requests that have to show that they are fresh (RFC 9175 §2.3). */
import { describe, expect, test } from "vitest";
import { optionNumber } from "../../../agent/coap/option.js";
import { seconds } from "../../../agent/ports.js";
import { simulatedPeer } from "../../simulated/link.js";
import {
  block,
  bytes,
  codeOf,
  type FacedOptions,
  faceEndpoint,
  type Heard,
  optionOf,
  type Said,
  server,
  settled,
} from "./scripted-peer.js";

function guarded(options: FacedOptions = {}) {
  let served = 0;
  const facing = faceEndpoint({
    ...options,
    handler: {
      accepts: () => true,
      handle: () => {
        served++;
        return { code: "2.04" };
      },
      needsFreshness: ({ method }) => method === "POST",
    },
  });
  return { ...facing, served: () => served };
}

const execute: Said = { method: "POST", path: ["3", "0", "4"] };
const echoOf = (heard: Heard) => optionOf(heard, optionNumber.echo);
const withEcho = (said: Said, value = bytes(0)): Said => ({
  ...said,
  options: [{ number: optionNumber.echo, value }],
});

describe("a request that has to be fresh", () => {
  test("is served when it repeats the Echo of the challenge, once for each message", () => {
    const { ask, served } = guarded();
    const challenge = ask(execute);
    expect([codeOf(challenge), served()]).toEqual(["4.01", 0]);
    expect(echoOf(challenge)?.length).toBe(8);
    const again = withEcho({ ...execute, messageId: 0x7777 }, echoOf(challenge));
    expect(codeOf(ask(again))).toBe("2.04");
    expect(codeOf(ask(again))).toBe("2.04");
    expect(served()).toBe(1);
  });

  test("may use the same Echo until it expires", async () => {
    const { ask, clock, served } = guarded();
    const echo = echoOf(ask(execute));
    await clock.advance(seconds(201));
    expect(codeOf(ask(withEcho(execute, echo)))).toBe("2.04");
    await clock.advance(seconds(2));
    const late = ask(withEcho(execute, echo));
    expect([codeOf(late), served()]).toEqual(["4.01", 1]);
    expect(echoOf(late)).not.toEqual(echo);
  });

  test("is not served with an Echo of its own making, nor with that of another peer", () => {
    const { ask, say, last, served } = guarded();
    const echo = echoOf(ask(execute));
    expect(codeOf(ask(withEcho(execute, bytes(8))))).toBe("4.01");
    const other = guarded();
    expect(other.served()).toBe(0);
    say(withEcho(execute, echo), simulatedPeer(2));
    expect([codeOf(last()), served()]).toEqual(["4.01", 0]);
  });

  test("is asked for its Echo with its first block alone", async () => {
    const { askLater, served } = guarded();
    const part = (number: number, more: boolean): Said => ({
      ...execute,
      block1: block(number, more, 16),
      payload: bytes(16),
    });
    const challenge = await askLater(part(0, true));
    expect(codeOf(challenge)).toBe("4.01");
    expect(codeOf(await askLater(withEcho(part(0, true), echoOf(challenge))))).toBe("2.31");
    expect(codeOf(await askLater(part(1, false)))).toBe("2.04");
    expect(served()).toBe(1);
  });

  test("is the only one that is challenged; an Echo in others means nothing", () => {
    const { ask } = guarded();
    expect(codeOf(ask(withEcho({ path: ["3"] }, bytes(3))))).toBe("2.04");
  });

  test("from more peers than are remembered has them answer a new challenge", () => {
    const { say, last, ask } = guarded();
    const echo = echoOf(ask(execute));
    for (let number = 2; number < 66; number++) say(execute, simulatedPeer(number));
    say(withEcho(execute, echo), server);
    expect(codeOf(last())).toBe("4.01");
    expect(echoOf(last())).not.toEqual(echo);
  });

  test("gets through to an endpoint that challenges, from one that repeats the Echo", async () => {
    const there = guarded();
    const here = faceEndpoint();
    const response = here.endpoint.request(server, { method: "POST", path: ["3", "0", "4"] });
    for (let round = 0; round < 2; round++) {
      await settled();
      there.say(here.last().bytes);
      here.say(there.last().bytes);
    }
    expect(await response).toMatchObject({ code: "2.04" });
    expect([there.served(), here.heard.length]).toEqual([1, 2]);
  });
});
