/** An endpoint of ours on a real socket, as a foreign client sees it: bodies to fetch, to store, and things to count. */
import { createEndpoint, type Endpoint } from "../../../agent/coap/endpoint.js";
import type {
  BodySink,
  IncomingHead,
  IncomingRequest,
  NotificationFate,
  Relation,
  RequestHandler,
  Response,
} from "../../../agent/coap/exchange-types.js";
import { millis } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { openUdpSocket } from "../../../platform/net/udp.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";
import { transmission } from "./timing.js";

export interface Thing {
  readonly port: number;
  readonly endpoint: Endpoint;
  /** Requests served, by `POST execute/7`. */
  readonly served: ReadonlyMap<string, number>;
  /** Bodies that were put, by path, each as often as it came. */
  readonly stored: ReadonlyMap<string, readonly Uint8Array[]>;
  readonly relations: readonly Relation[];
  /** What became of a value sent to all who observe. */
  notify(text: string): Promise<NotificationFate[]>;
  close(): Promise<void>;
}

/** `n` bytes that tell where they belong. */
export const bodyOf = (n: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

/** What is larger is streamed. */
const collected = 64 * 1024;

/** A response that comes apart from its ACK. */
const slowness = 300;

export async function startThing(): Promise<Thing> {
  const served = new Map<string, number>();
  const stored = new Map<string, Uint8Array[]>();
  const relations: Relation[] = [];
  const count = ({ method, path }: IncomingHead | IncomingRequest) => {
    const name = `${method} ${path.join("/")}`;
    served.set(name, (served.get(name) ?? 0) + 1);
  };
  const store = (path: readonly string[], body: Uint8Array) => {
    const name = path.join("/");
    stored.set(name, [...(stored.get(name) ?? []), body]);
  };
  const text = new TextEncoder();

  const handle = (request: IncomingRequest): Response | Promise<Response> => {
    count(request);
    const [name, argument] = request.path;
    switch (name) {
      case "body":
        if (request.method === "GET")
          return { code: "2.05", contentFormat: 42, payload: bodyOf(Number(argument)) };
        store(request.path, request.payload);
        return { code: "2.04" };
      case "execute":
        return { code: "2.04" };
      case "slow":
        return new Promise((resolve) => {
          setTimeout(
            () => resolve({ code: "2.05", contentFormat: 0, payload: text.encode("at last") }),
            slowness,
          );
        });
      case "twice": {
        const payload = new Uint8Array(2 * request.payload.length);
        payload.set(request.payload);
        payload.set(request.payload, request.payload.length);
        return { code: "2.05", contentFormat: 42, payload };
      }
      case "observed":
        if (request.observe?.kind === "register") relations.push(request.observe.relation);
        return { code: "2.05", contentFormat: 0, payload: text.encode("0"), observe: true };
      default:
        return { code: "4.04" };
    }
  };
  const open = (head: IncomingHead): BodySink | undefined => {
    if (head.method !== "PUT" || (head.size ?? Number.POSITIVE_INFINITY) <= collected) return undefined;
    const pieces: Uint8Array[] = [];
    return {
      write: async (piece) => {
        await new Promise((resolve) => setImmediate(resolve));
        pieces.push(piece.slice());
      },
      end: () => {
        count(head);
        store(head.path, Buffer.concat(pieces));
        return { code: "2.04" };
      },
      abort: () => {},
    };
  };

  const clock = createSystemClock();
  const handler: RequestHandler = { accepts: () => true, handle, open };
  const endpoint = createEndpoint({
    clock,
    random: systemRandom,
    log: createRecordingLog(),
    transmission,
    limits: {
      piggybackDelay: millis(100),
      transfers: 64,
      snapshots: 64,
      snapshotBytes: 8 * 1024 * 1024,
      maxBody: 512 * 1024,
    },
    send: (datagram, to) => socket.send(datagram, to),
    handler,
  });
  const socket = await openUdpSocket(
    { family: "udp4", address: "127.0.0.1" },
    { onDatagram: (datagram, from) => endpoint.receive(datagram, from), onError: () => {} },
  );
  return {
    port: socket.local.port,
    endpoint,
    served,
    stored,
    relations,
    notify: (value) =>
      Promise.all(
        relations
          .filter(({ active }) => active)
          .map((relation) =>
            relation.notify(
              { code: "2.05", contentFormat: 0, payload: text.encode(value) },
              { confirmable: true },
            ),
          ),
      ),
    async close() {
      endpoint.close();
      await socket.close();
    },
  };
}
