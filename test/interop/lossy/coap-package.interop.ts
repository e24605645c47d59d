/** Client and server of the `coap` package, over a way that loses a fifth of everything. */
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type ObserveReadStream,
  type OutgoingMessage,
  request,
} from "coap";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolvePeer } from "../../../platform/net/resolve.js";
import { type Relay, startRelay } from "./relay.js";
import { bodyOf, startThing, type Thing } from "./thing.js";
import { scaleCoapPackage } from "./timing.js";

/**
 * Its client doubles its timeout with each loss and starts the next block with what the last one ended with: twelve losses
 * in one body are minutes of waiting, whoever is at the other end. It also appends a block that came twice.
 */
const clientSizes = [3 * 1024, 6 * 1024];
const serverSizes = [64 * 1024, 128 * 1024];
let thing: Thing;
let toThing: Relay;
beforeAll(async () => {
  scaleCoapPackage();
  thing = await startThing();
  toThing = await startRelay({ target: thing.port, seed: 11 });
});
afterAll(async () => {
  await toThing?.close();
  await thing?.close();
});

async function ask(
  relay: Relay,
  method: "GET" | "PUT" | "POST",
  pathname: string,
  payload?: Uint8Array,
): Promise<IncomingMessage> {
  const outgoing = request({ host: "127.0.0.1", port: relay.port, method, pathname });
  if (payload) {
    outgoing.setOption("Content-Format", Buffer.of(42));
    outgoing.setOption("Block1", Buffer.of(6));
  }
  const answer = once(outgoing, "response");
  outgoing.end(payload && Buffer.from(payload));
  const [response] = (await answer) as [IncomingMessage];
  return response;
}

/** A way of its own for each body: what it loses depends on the seed alone, not on what else is under way. */
async function overLoss<T>(seed: number, work: (relay: Relay) => Promise<T>): Promise<T> {
  const relay = await startRelay({ target: thing.port, seed, does: "loss" });
  try {
    const result = await work(relay);
    expect(relay.counts.lost).toBeGreaterThan(0);
    return result;
  } finally {
    await relay.close();
  }
}

describe.concurrent("the client of the package", () => {
  for (const size of clientSizes) {
    test(`fetches ${size} bytes in blocks`, async () => {
      const { payload } = await overLoss(12, (relay) => ask(relay, "GET", `/body/${size}`));
      expect(Buffer.compare(payload, bodyOf(size))).toBe(0);
    });

    test(`stores ${size} bytes in blocks, once`, async () => {
      const { code } = await overLoss(14, (relay) =>
        ask(relay, "PUT", `/body/package-${size}`, bodyOf(size)),
      );
      expect(code).toBe("2.04");
      const [body, ...others] = thing.stored.get(`body/package-${size}`) ?? [];
      expect(body && Buffer.compare(body, bodyOf(size))).toBe(0);
      expect(others).toEqual([]);
    });
  }

  test("has twenty requests executed, each exactly once", async () => {
    const names = Array.from({ length: 20 }, (_, number) => `execute/package-${number}`);
    await Promise.all(names.map((name) => ask(toThing, "POST", `/${name}`)));
    expect(names.map((name) => thing.served.get(`POST ${name}`))).toEqual(new Array(20).fill(1));
  });

  test("gets responses that come apart from their ACK, to requests that are served once", async () => {
    const names = Array.from({ length: 5 }, (_, number) => `slow/package-${number}`);
    const answers = await Promise.all(names.map((name) => ask(toThing, "POST", `/${name}`)));
    expect(answers.map(({ payload }) => payload.toString())).toEqual(new Array(5).fill("at last"));
    expect(names.map((name) => thing.served.get(`POST ${name}`))).toEqual(new Array(5).fill(1));
  });
});

test("the client of the package observes: newer values only, and the newest at last", async () => {
  const outgoing = request({
    host: "127.0.0.1",
    port: toThing.port,
    pathname: "/observed",
    observe: true,
  });
  const answer = once(outgoing, "response");
  outgoing.end();
  const [stream] = (await answer) as [ObserveReadStream];
  const shown: number[] = [];
  stream.on("data", (payload: Buffer) => shown.push(Number(payload.toString())));
  const deadline = Date.now() + 2000;
  let value = 1;
  for (; Date.now() < deadline; value++) {
    void thing.notify(String(value));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  // It takes the place of one that is under way, and what is left of its attempts: they may be lost together.
  let fates = await thing.notify(String(value));
  for (let again = 0; again < 3 && fates[0] === "unanswered"; again++)
    fates = await thing.notify(String(value));
  expect(fates).toEqual(["acknowledged"]);
  await expect.poll(() => shown.at(-1)).toBe(value);
  expect(shown.length).toBeGreaterThan(2);
  expect(shown).toEqual([...shown].sort((one, other) => one - other));
  stream.close();
});

describe.concurrent("the server of the package", () => {
  const stored = new Map<string, Buffer>();
  const executed = new Map<string, number>();
  const server = createServer((incoming: IncomingMessage, outgoing: OutgoingMessage) => {
    const { method, url, payload } = incoming;
    if (method === "GET") {
      outgoing.end(stored.get(url) ?? Buffer.alloc(0));
      return;
    }
    if (method === "PUT") stored.set(url, payload);
    else executed.set(url, (executed.get(url) ?? 0) + 1);
    outgoing.code = "2.04";
    outgoing.end();
  });
  let relay: Relay;
  beforeAll(async () => {
    const port = 30_000 + (process.pid % 20_000);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
    relay = await startRelay({ target: port, seed: 13 });
  });
  afterAll(async () => {
    await relay?.close();
    server.close();
  });
  const askServer = async (outgoing: Parameters<Thing["endpoint"]["request"]>[1]) =>
    thing.endpoint.request(await resolvePeer("127.0.0.1", relay.port), outgoing);

  // Not the other way: it keeps blocks of a request by token and answers 5.00 as soon as each has one of its own, which
  // RFC 7959 leaves to the client.
  for (const size of serverSizes) {
    test(`gives ${size} bytes back in blocks`, async () => {
      stored.set(`/given-${size}`, Buffer.from(bodyOf(size)));
      const { payload } = await askServer({ method: "GET", path: [`given-${size}`] });
      expect(Buffer.compare(payload, bodyOf(size))).toBe(0);
    });
  }

  test("stores what fits in one message", async () => {
    const path = ["small"];
    const put = await askServer({ method: "PUT", path, contentFormat: 42, payload: bodyOf(1000) });
    expect(put.code).toBe("2.04");
    const { payload } = await askServer({ method: "GET", path });
    expect(Buffer.compare(payload, bodyOf(1000))).toBe(0);
  });

  test("executes ten requests of ours, each exactly once", async () => {
    for (let number = 0; number < 10; number++)
      await askServer({ method: "POST", path: [`execute-${number}`] });
    expect([...executed.values()]).toEqual(new Array(10).fill(1));
  });
});
