import { type Clock, millis, type Peer } from "../../agent/ports.js";
import type { createSeededRandom } from "./random.js";

export interface LinkOptions {
  readonly clock: Clock;
  readonly random: ReturnType<typeof createSeededRandom>;
  /** Probabilities, 0 to 1. */
  readonly loss?: number;
  readonly duplication?: number;
  /** Milliseconds, least and most: when they differ, datagrams overtake each other. */
  readonly delay?: readonly [number, number];
}

export interface SimulatedLink {
  /** All datagrams that were handed to the link, those that it lost included. */
  readonly sent: {
    readonly datagram: Uint8Array;
    readonly from: Peer;
    readonly to: Peer;
    readonly at: number;
  }[];
  /** Makes a peer reachable; what it returns is its way to send. */
  attach(
    peer: Peer,
    receive: (datagram: Uint8Array, from: Peer) => void,
  ): (datagram: Uint8Array, to: Peer) => void;
  /** Loses the datagrams for which this is true, beside those that are lost by chance. */
  lose(isLost: (datagram: Uint8Array, from: Peer, to: Peer) => boolean): void;
}

/** A network that does to datagrams what networks do, the same way with each run. */
export function createSimulatedLink({
  clock,
  random,
  loss = 0,
  duplication = 0,
  delay: [least, most] = [10, 10],
}: LinkOptions): SimulatedLink {
  const receivers = new Map<string, (datagram: Uint8Array, from: Peer) => void>();
  const sent: SimulatedLink["sent"] = [];
  let isLost: Parameters<SimulatedLink["lose"]>[0] = () => false;
  const deliver = (datagram: Uint8Array, from: Peer, to: Peer) => {
    const copy = datagram.slice();
    const delay = millis(least + random.fraction() * (most - least));
    clock.after(delay, () => receivers.get(to.key)?.(copy, from));
  };
  return {
    sent,
    attach(peer, receive) {
      receivers.set(peer.key, receive);
      return (datagram, to) => {
        sent.push({ datagram: datagram.slice(), from: peer, to, at: clock.now() });
        if (isLost(datagram, peer, to) || random.fraction() < loss) return;
        deliver(datagram, peer, to);
        if (random.fraction() < duplication) deliver(datagram, peer, to);
      };
    },
    lose(predicate) {
      isLost = predicate;
    },
  };
}

/** A peer by its last number: 192.0.2.`host`. */
export const simulatedPeer = (host: number, port = 5683): Peer => ({
  address: `192.0.2.${host}`,
  port,
  key: `192.0.2.${host}:${port}`,
});
