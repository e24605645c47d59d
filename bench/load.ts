/** The load: a closed loop of GET on loopback with 16 requests outstanding. */
import { createSocket, type Socket } from "node:dgram";

const outstanding = 16;
const roundSeconds = 2;
const host = "127.0.0.1";

export type Load = Awaited<ReturnType<typeof createLoad>>;

/** A request to repeat: a confirmable GET, whose Message ID and token follow from `sequence`. */
export type GetRequest = (sequence: number) => Buffer;

/** Replies per second once the other side is warm. */
export async function measure(load: Load, port: number, request: GetRequest): Promise<number> {
  await load.run(port, request, 1);
  return load.run(port, request, roundSeconds);
}

export const perSecond = (rate: number) => `${Math.round(rate).toLocaleString("en")}/s`;

/** The load generator, which is also the LwM2M server that the agent registers with. */
export async function createLoad() {
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
  async function run(port: number, request: GetRequest, duration: number): Promise<number> {
    let replies = 0;
    let running = true;
    const sendNext = () => {
      sequence = (sequence + 1) >>> 0;
      socket.send(request(sequence), port, host);
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

/** GET of a path of single digits such as `300`, in a format if one is asked for. */
export function getRequest(digits: string, accept?: number): GetRequest {
  const [first = "", ...rest] = digits;
  const segments = [0xb1, first.charCodeAt(0), ...rest.flatMap((digit) => [0x01, digit.charCodeAt(0)])];
  const options = Buffer.from([...segments, ...acceptOption(accept)]);
  return (sequence) => {
    const datagram = Buffer.allocUnsafe(8 + options.length);
    datagram.writeUInt16BE(0x4401, 0);
    datagram.writeUInt16BE(sequence & 0xffff, 2);
    datagram.writeUInt32BE(sequence, 4);
    options.copy(datagram, 8);
    return datagram;
  };
}

/** Accept is option 17, six after Uri-Path. */
function acceptOption(accept: number | undefined): number[] {
  if (accept === undefined) return [];
  return accept < 256 ? [0x61, accept] : [0x62, accept >> 8, accept & 0xff];
}

const bound = (socket: Socket) => new Promise<void>((resolve) => socket.bind(0, host, resolve));

/** Spares the load a name look-up per datagram. */
const numericLookup = (
  name: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
) => callback(null, name, 4);
