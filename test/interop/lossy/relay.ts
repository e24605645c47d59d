/** A way between two peers that loses, delays, doubles and reorders what goes over it. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createSeededRandom } from "../../simulated/random.js";

export interface RelayOptions {
  /** Where to: a port on this machine. */
  readonly target: number;
  readonly seed: number;
  /**
   * `everything`: loses, delays, doubles and reorders a fifth each. `loss`: loses and delays a fifth each, never the same
   * twice. `lossOfRequests`: that on the way to the target only, so that nothing reaches it twice.
   */
  readonly does?: Does;
  /** Sees what comes from the target, before anything happens to it. */
  readonly watch?: (datagram: Buffer) => void;
}

type Does = "everything" | "loss" | "lossOfRequests";

export interface Relay {
  /** Who wants to reach the target speaks to this port instead. Each who does has an address of its own there. */
  readonly port: number;
  /** What happened to the datagrams, both ways together. */
  readonly counts: { passed: number; lost: number; doubled: number; delayed: number; reordered: number };
  close(): Promise<void>;
}

const host = "127.0.0.1";
const probability = 0.2;
/** Milliseconds, at most. */
const delay = 40;
/** Milliseconds after which one that is to come after its successor goes without one. */
const patience = 30;

/**
 * No more of the same bytes are lost. With MAX_RETRANSMIT 4 an exchange fails as soon as five attempts do: a fifth
 * lost both ways makes that one in 166, and no body of 300 blocks would ever get through, whoever sends it.
 */
const lostAtMost = { everything: 2, loss: 1, lossOfRequests: 1 };

export async function startRelay({ target, seed, does = "everything", watch }: RelayOptions): Promise<Relay> {
  const random = createSeededRandom(seed);
  const counts: Relay["counts"] = { passed: 0, lost: 0, doubled: 0, delayed: 0, reordered: 0 };
  const entrance = await bind();
  const exits = new Map<number, Promise<Socket>>();
  let isOpen = true;

  const hand = (datagram: Buffer, from: Socket, to: number) => {
    if (!isOpen) return;
    counts.passed++;
    from.send(datagram, to, host);
  };
  /** One direction between two ports. */
  const createDirection = (socket: Socket, to: number) => {
    const lost = new Map<string, number>();
    let overtaken: (() => void) | undefined;
    return (datagram: Buffer) => {
      const key = datagram.toString("latin1");
      const before = lost.get(key) ?? 0;
      if (before < lostAtMost[does] && random.fraction() < probability) {
        lost.set(key, before + 1);
        counts.lost++;
        return;
      }
      const goes = () => hand(datagram, socket, to);
      const chance = random.fraction();
      const predecessor = overtaken;
      overtaken = undefined;
      if (chance < probability) {
        counts.delayed++;
        setTimeout(goes, random.fraction() * delay);
      } else if (chance < 2 * probability && does === "everything") {
        let gone = false;
        const go = () => {
          if (gone) return;
          gone = true;
          goes();
        };
        counts.reordered++;
        overtaken = go;
        setTimeout(go, patience);
      } else {
        goes();
      }
      if (does === "everything" && random.fraction() < probability) {
        counts.doubled++;
        setTimeout(goes, random.fraction() * delay);
      }
      predecessor?.();
    };
  };
  const openExit = async (client: number) => {
    const exit = await bind();
    const backward = createDirection(entrance, client);
    exit.on("message", (datagram) => {
      watch?.(datagram);
      if (does === "lossOfRequests") hand(datagram, entrance, client);
      else backward(datagram);
    });
    const forward = createDirection(exit, target);
    return { exit, forward };
  };
  const ways = new Map<number, ReturnType<typeof openExit>>();
  entrance.on("message", async (datagram, { port }) => {
    const way = ways.get(port) ?? openExit(port);
    ways.set(port, way);
    exits.set(
      port,
      way.then(({ exit }) => exit),
    );
    (await way).forward(datagram);
  });

  return {
    port: entrance.address().port,
    counts,
    async close() {
      isOpen = false;
      const sockets = [entrance, ...(await Promise.all(exits.values()))];
      await Promise.all(sockets.map((socket) => closed(socket)));
    },
  };
}

async function bind(): Promise<Socket> {
  const socket = createSocket("udp4");
  // A peer that has ended refuses what comes too late for it.
  socket.on("error", () => {});
  socket.bind(0, host);
  await once(socket, "listening");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  const gone = once(socket, "close");
  socket.close();
  await gone;
}
