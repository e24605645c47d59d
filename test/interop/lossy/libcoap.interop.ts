/** libcoap's example client and server, over a way that loses a fifth of everything. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Packet, parse } from "coap-packet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolvePeer } from "../../../platform/net/resolve.js";
import { keepRunning, requirePrograms, run } from "./programs.js";
import { type Relay, startRelay } from "./relay.js";
import { bodyOf, startThing, type Thing } from "./thing.js";

const sizes = [64 * 1024, 300 * 1024];
/** There a body goes both ways. */
const serverSizes = [64 * 1024, 128 * 1024];
const noBytes = Buffer.alloc(0);

let directory: string;
let thing: Thing;
/** From a foreign client to the thing. */
let toThing: Relay;
/**
 * The same for bodies in blocks: libcoap 4.3 takes the duplicate of an answer for the answer to its next block, and so goes
 * back, or writes one twice, whoever is at the other end.
 */
let toThingInBlocks: Relay;
beforeAll(async () => {
  requirePrograms("coap-client-notls", "coap-server-notls", "faketime");
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-libcoap-"));
  thing = await startThing();
  toThing = await startRelay({ target: thing.port, seed: 1 });
  toThingInBlocks = await startRelay({ target: thing.port, seed: 2, does: "loss" });
});
afterAll(async () => {
  await toThing?.close();
  await toThingInBlocks?.close();
  await thing?.close();
  if (directory) await rm(directory, { recursive: true, force: true });
});

/** As long as it takes, in the seconds of the program. */
const patient = ["-B", "20000"];
const uri = (path: string, relay = toThing) => `coap://127.0.0.1:${relay.port}/${path}`;
const client = async (...argv: string[]) => {
  const output = await run("coap-client-notls", [...patient, ...argv]);
  // Of an error response it shows the code there, and ends as if nothing were.
  expect(output.stderr).toBe("");
  return output;
};

describe.concurrent("the client of libcoap", () => {
  for (const size of sizes) {
    test(`stores ${size} bytes in blocks, once`, async () => {
      const file = join(directory, `to-store-${size}`);
      await writeFile(file, bodyOf(size));
      const path = `body/put-${size}`;
      await client("-m", "put", "-t", "42", "-f", file, uri(path, toThingInBlocks));
      const [body, ...others] = thing.stored.get(path) ?? [];
      expect(body && Buffer.compare(body, bodyOf(size))).toBe(0);
      expect(others).toEqual([]);
    });
  }

  /**
   * No more than that: 93 seconds after it began, however lively it is, libcoap 4.3.1 drops what it knows of a body that
   * it fetches ("lg_crcv released"), and asks for no further block.
   */
  const fetched = 16 * 1024;

  test(`fetches ${fetched} bytes in blocks`, async () => {
    const file = join(directory, "fetched");
    await client("-o", file, uri(`body/${fetched}`, toThingInBlocks));
    expect(Buffer.compare(await readFile(file), bodyOf(fetched))).toBe(0);
  });

  test("is given the same blocks of one body over a way that also doubles, whatever it makes of them", async () => {
    const answers: Packet[] = [];
    const relay = await startRelay({
      target: thing.port,
      seed: 5,
      watch: (datagram) => answers.push(parse(datagram)),
    });
    await client("-o", join(directory, "doubled"), uri(`body/${fetched}`, relay));
    await relay.close();
    const blocks = answers.map(({ code, payload = noBytes, options = [] }) => {
      const optionOf = (name: string) => options.find((option) => option.name === name)?.value ?? noBytes;
      const number = optionOf("Block2").reduce((value, byte) => value * 256 + byte, 0) >>> 4;
      return { code, eTag: optionOf("ETag").toString("hex"), number, payload };
    });
    const body = bodyOf(fetched);
    for (const { code, number, payload } of blocks) {
      expect(code).toBe("2.05");
      expect(Buffer.compare(payload, body.subarray(number * 1024, (number + 1) * 1024))).toBe(0);
    }
    expect(new Set(blocks.map(({ number }) => number)).size).toBe(16);
    expect(new Set(blocks.map(({ eTag }) => eTag)).size).toBe(1);
    expect(relay.counts.doubled).toBeGreaterThan(0);
  });

  test("has twenty requests executed, each exactly once", async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, number) => client("-m", "post", uri(`execute/libcoap-${number}`))),
    );
    const counts = Array.from({ length: 20 }, (_, number) =>
      thing.served.get(`POST execute/libcoap-${number}`),
    );
    expect(counts).toEqual(new Array(20).fill(1));
  });

  test("gets responses that come apart from their ACK, to requests that are served once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, number) => client("-m", "post", uri(`slow/libcoap-${number}`))),
    );
    expect(answers.map(({ stdout }) => stdout.toString().trim())).toEqual(new Array(5).fill("at last"));
    const counts = Array.from({ length: 5 }, (_, number) => thing.served.get(`POST slow/libcoap-${number}`));
    expect(counts).toEqual(new Array(5).fill(1));
  });

  test("gets an answer that needs blocks to a FETCH that needs blocks", async () => {
    const body = bodyOf(5000);
    const [request, answer] = [join(directory, "request"), join(directory, "answer")];
    await writeFile(request, body);
    await client("-m", "fetch", "-t", "42", "-f", request, "-o", answer, uri("twice", toThingInBlocks));
    expect((await readFile(answer)).equals(Buffer.concat([body, body]))).toBe(true);
    expect(thing.served.get("FETCH twice")).toBe(1);
  });

  test("observes, and is shown the newest value at last", async () => {
    const observing = client("-w", "-s", "500", uri("observed"));
    const deadline = Date.now() + 2000;
    for (let value = 1; Date.now() < deadline; value++) {
      void thing.notify(String(value));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    // It takes the place of one that is under way, and what is left of its attempts: they may be lost together.
    let fates = await thing.notify("1000");
    for (let again = 0; again < 3 && fates[0] === "unanswered"; again++) fates = await thing.notify("1000");
    expect(fates).toEqual(["acknowledged"]);
    const shown = (await observing).stdout.toString().trim().split(/\s+/).map(Number);
    expect(shown).toContain(1000);
    expect(shown.length).toBeGreaterThan(2);
  });
});

describe.concurrent("the server of libcoap", () => {
  let server: ReturnType<typeof keepRunning>;
  let relay: Relay;
  /**
   * libcoap 4.3.1 does not tell a duplicate by its Message ID: where the answer to the last block of a body is lost, it takes
   * that block for a body of its own, answers 2.04 and stores it alone; a first block that comes late begins the body anew.
   * So nothing may come twice to it.
   */
  let onceThere: Relay;
  beforeAll(async () => {
    const port = await freePort();
    server = keepRunning("coap-server-notls", ["-A", "127.0.0.1", "-p", `${port}`, "-d", "50"]);
    relay = await startRelay({ target: port, seed: 3 });
    onceThere = await startRelay({ target: port, seed: 4, does: "lossOfRequests" });
  });
  afterAll(async () => {
    await relay?.close();
    await onceThere?.close();
    await server?.stop();
  });
  const ask = async (request: Parameters<Thing["endpoint"]["request"]>[1], way = relay) =>
    thing.endpoint.request(await resolvePeer("127.0.0.1", way.port), request);

  for (const size of serverSizes) {
    test(`stores ${size} bytes in blocks, and gives them back over a way that does everything`, async () => {
      const path = [`stored-${size}`];
      const put = await ask({ method: "PUT", path, contentFormat: 42, payload: bodyOf(size) }, onceThere);
      expect(put.code).toBe("2.01");
      const got = await ask({ method: "GET", path });
      expect([got.code, Buffer.compare(got.payload, bodyOf(size))]).toEqual(["2.05", 0]);
    });
  }

  test("answers a ping of ours", async () => {
    await expect(thing.endpoint.ping(await resolvePeer("127.0.0.1", relay.port))).resolves.toBeUndefined();
  });

  test("answers apart from the ACK", async () => {
    const { code } = await ask({ method: "GET", path: ["async"], query: ["1"] });
    expect(code).toBe("2.05");
  });
});

test("the way was as bad as it should be", () => {
  for (const { lost, delayed } of [toThing.counts, toThingInBlocks.counts]) {
    expect(Math.min(lost, delayed)).toBeGreaterThan(10);
  }
  expect(Math.min(toThing.counts.doubled, toThing.counts.reordered)).toBeGreaterThan(10);
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}
