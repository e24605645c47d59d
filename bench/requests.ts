/**
 * GET /3/0/0 in a closed loop on loopback with 16 requests outstanding: the agent, a bare UDP echo and a minimal server
 * on the `coap` package, each in a process of its own, in turn. The load comes from this process.
 */
import { createSocket, type Socket } from "node:dgram";
import { createServer } from "coap";
import { type Child, type Figure, median, residentMegabytes, startChild } from "./child.js";
import { runMeasuredAgent } from "./measured-agent.js";

const outstanding = 16;
const rounds = 7;
const roundSeconds = 2;
const soakSeconds = 30;
const host = "127.0.0.1";

export async function benchRequests(): Promise<Figure[]> {
  const load = await createLoad();
  const agent = await startChild(import.meta.url, ["agent", `${load.port}`]);
  const agentPort = await load.registered;
  const echo = await startChild(import.meta.url, ["echo"]);
  const rates: Record<"agent" | "echo" | "coap", number[]> = { agent: [], echo: [], coap: [] };
  try {
    for (let round = 0; round < rounds; round++) {
      rates.agent.push(await measure(load, agentPort));
      rates.echo.push(await measure(load, portOf(echo)));
      // It works on after its load, on what it has to forget, and would slow the next: each round has one of its own.
      const coap = await startChild(import.meta.url, ["coap"]);
      rates.coap.push(await measure(load, portOf(coap)));
      await coap.stop();
    }
    const samples: number[] = [];
    const sampling = setInterval(() => samples.push(residentMegabytes(agent.pid)), 500);
    await load.run(agentPort, soakSeconds);
    clearInterval(sampling);
    // Garbage comes and goes by ten megabytes: medians of the first and the last third tell whether it grows.
    const third = Math.floor(samples.length / 3);
    const before = median(samples.slice(0, third));
    const after = median(samples.slice(-third));
    const [ours, bare, other] = [median(rates.agent), median(rates.echo), median(rates.coap)];
    // Round by round: what else the machine does then slows both sides of a ratio.
    const ratioTo = (reference: readonly number[]) =>
      median(rates.agent.map((rate, round) => rate / (reference[round] ?? Number.NaN)));
    return [
      {
        text: `GET /3/0/0: agent ${perSecond(ours)}, bare UDP echo ${perSecond(bare)}: ratio ${ratioTo(rates.echo).toFixed(2)} (at least 0.5)`,
        holds: ratioTo(rates.echo) >= 0.5,
      },
      {
        text: `GET /3/0/0: server on the coap package ${perSecond(other)}: ratio ${ratioTo(rates.coap).toFixed(1)} (at least 3)`,
        holds: ratioTo(rates.coap) >= 3,
      },
      {
        text: `RSS of the agent over ${soakSeconds} s of load: ${before.toFixed(0)} MB in its first third, ${after.toFixed(0)} MB in its last (flat: within 10 MB)`,
        holds: after - before < 10,
      },
    ];
  } finally {
    await Promise.all([agent.stop(), echo.stop()]);
    load.close();
  }
}

/** Replies per second once the other side is warm. */
async function measure(load: Load, port: number): Promise<number> {
  await load.run(port, 1);
  return load.run(port, roundSeconds);
}

type Load = Awaited<ReturnType<typeof createLoad>>;

const portOf = (child: Child) => (child.ready as { port: number }).port;
const perSecond = (rate: number) => `${Math.round(rate).toLocaleString("en")}/s`;

/** The load generator, which is also the LwM2M server that the agent registers with. */
async function createLoad() {
  const socket = createSocket({ type: "udp4", lookup: numericLookup });
  await bound(socket);
  let onReply: (reply: Buffer) => void = () => undefined;
  let onRegistered: (port: number) => void;
  const registered = new Promise<number>((resolve) => {
    onRegistered = resolve;
  });
  socket.on("message", (message, { port }) => {
    // A Register is a confirmable POST; it is answered with 2.01 and Location-Path rd/1.
    if (message[1] === 0x02 && (message[0] ?? 0) >> 4 === 0x4) {
      const token = message.subarray(4, 4 + ((message[0] ?? 0) & 0xf));
      const head = Buffer.from([0x60 | token.length, 0x41, message[2] ?? 0, message[3] ?? 0]);
      socket.send(Buffer.concat([head, token, Buffer.from([0x82, 0x72, 0x64, 0x01, 0x31])]), port, host);
      onRegistered(port);
      return;
    }
    onReply(message);
  });
  let sequence = 0;

  /** Replies per second. */
  async function run(port: number, duration: number): Promise<number> {
    let replies = 0;
    let running = true;
    const sendNext = () => {
      sequence = (sequence + 1) >>> 0;
      socket.send(getRequest(sequence), port, host);
    };
    onReply = () => {
      replies++;
      if (running) sendNext();
    };
    const start = process.hrtime.bigint();
    for (let count = 0; count < outstanding; count++) sendNext();
    let seen = 0;
    // Loopback may drop a datagram under load: the loop is filled up again when it has dried out.
    const refill = setInterval(() => {
      if (replies === seen) for (let count = 0; count < outstanding; count++) sendNext();
      seen = replies;
    }, 200);
    await new Promise((resolve) => setTimeout(resolve, duration * 1000));
    running = false;
    clearInterval(refill);
    const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return replies / elapsed;
  }
  return { port: socket.address().port, registered, run, close: () => socket.close() };
}

/** A confirmable GET /3/0/0 with Message ID and a token of four bytes from `sequence`. */
function getRequest(sequence: number): Buffer {
  const datagram = Buffer.allocUnsafe(14);
  datagram.writeUInt16BE(0x4401, 0);
  datagram.writeUInt16BE(sequence & 0xffff, 2);
  datagram.writeUInt32BE(sequence, 4);
  datagram.write("\xb1\x33\x01\x30\x01\x30", 8, "latin1");
  return datagram;
}

const bound = (socket: Socket) => new Promise<void>((resolve) => socket.bind(0, host, resolve));

/** Spares the load a name look-up per datagram. */
const numericLookup = (
  name: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
) => callback(null, name, 4);

/** As the manual of Node.js has it: nothing but a socket that answers. */
async function runEcho(): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send(message, port, address));
  await bound(socket);
  process.send?.({ port: socket.address().port });
}

function runCoapPackage(): void {
  const server = createServer((_request, response) => {
    response.setOption("Content-Format", "text/plain");
    response.end("Open Mobile Alliance");
  });
  const port = 20000 + (process.pid % 20000);
  server.listen(port, host, () => process.send?.({ port }));
}

const [, , role, port] = process.argv;
if (role === "echo") await runEcho();
if (role === "coap") runCoapPackage();
if (role === "agent") {
  await runMeasuredAgent(Number(port));
  process.send?.({});
}
