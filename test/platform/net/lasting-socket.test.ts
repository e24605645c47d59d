import { describe, expect, test } from "vitest";
import { type DatagramHandlers, type DatagramSocket, seconds, TransportError } from "../../../agent/ports.js";
import { type LastingSocketOptions, openLastingSocket } from "../../../platform/net/lasting-socket.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { simulatedPeer } from "../../simulated/link.js";
import { createRecordingLog } from "../../simulated/log.js";

/** A system that gives out sockets, takes them away, and may have none. */
async function opened(options: Pick<LastingSocketOptions, "port"> = {}) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const asked: (number | undefined)[] = [];
  const sent: number[] = [];
  const closed: number[] = [];
  const taken = new Set<number>();
  let current: DatagramHandlers | undefined;
  let isDown = false;
  const errors: string[] = [];
  const datagrams: Uint8Array[] = [];
  const socket = await openLastingSocket(
    {
      ...options,
      clock,
      log,
      open: async (wanted, handlers): Promise<DatagramSocket> => {
        asked.push(wanted);
        if (isDown || (wanted !== undefined && taken.has(wanted))) throw new TransportError("no socket");
        current = handlers;
        const port = wanted ?? 40_000 + asked.length;
        return {
          local: { address: "0.0.0.0", port },
          send: () => void sent.push(port),
          close: async () => void closed.push(port),
        };
      },
    },
    {
      onDatagram: (datagram) => void datagrams.push(datagram),
      onError: ({ message }) => void errors.push(message),
    },
  );
  return {
    clock,
    log,
    socket,
    asked,
    sent,
    closed,
    errors,
    datagrams,
    taken,
    lose: () => current?.onLost?.(new TransportError("the network is down")),
    receive: (datagram: Uint8Array) => current?.onDatagram(datagram, simulatedPeer(1)),
    down: (down: boolean) => (isDown = down),
  };
}

const datagram = Uint8Array.of(1);

describe("a socket that is lost", () => {
  test("is opened again at the port that it had, and goes on in both directions", async () => {
    const { socket, lose, sent, receive, datagrams, asked, log } = await opened();
    lose();
    socket.send(datagram, simulatedPeer(1));
    await settle();
    socket.send(datagram, simulatedPeer(1));
    receive(datagram);
    expect([asked, sent, datagrams]).toEqual([[undefined, 40_001], [40_001], [datagram]]);
    expect(log.lines.map(({ event }) => event)).toEqual(["socket lost", "socket opened again"]);
  });

  test("is opened at another port when that one is taken", async () => {
    const { socket, lose, taken, asked } = await opened();
    taken.add(40_001);
    lose();
    await settle();
    expect(asked).toEqual([undefined, 40_001, undefined]);
    expect(socket.local.port).toBe(40_003);
  });

  test("waits for the port that it was told to have", async () => {
    const { socket, lose, taken, clock, asked } = await opened({ port: 5683 });
    taken.add(5683);
    lose();
    await clock.advance(seconds(7));
    expect(asked).toEqual([5683, 5683, 5683, 5683, 5683]);
    taken.clear();
    await clock.advance(seconds(8));
    expect([socket.local.port, clock.pending]).toEqual([5683, 0]);
  });

  test("is tried for at longer and longer intervals, up to a minute", async () => {
    const { lose, down, clock, errors } = await opened({ port: 5683 });
    down(true);
    lose();
    await clock.advance(seconds(63));
    expect(errors).toHaveLength(7); // at once, and after 1, 3, 7, 15, 31 and 63 seconds
    await clock.advance(seconds(600));
    expect(errors).toHaveLength(17);
    down(false);
    await clock.advance(seconds(60));
    expect([errors.length, clock.pending]).toEqual([17, 0]);
  });

  test("is not opened again once it is closed", async () => {
    const { socket, lose, down, clock, asked } = await opened({ port: 5683 });
    down(true);
    lose();
    await settle();
    await socket.close();
    down(false);
    await clock.advance(seconds(600));
    expect([asked.length, clock.pending]).toEqual([2, 0]);
  });

  test("is closed when it comes back while it is being closed", async () => {
    const { socket, lose, closed } = await opened();
    lose();
    await socket.close();
    expect(closed).toEqual([40_001]);
  });
});

test("a socket that cannot be opened the first time is an error", async () => {
  const open = async () => {
    throw new TransportError("no socket");
  };
  const handlers = { onDatagram: () => {}, onError: () => {} };
  const options = { open, clock: createSimulatedClock(), log: createRecordingLog() };
  await expect(openLastingSocket(options, handlers)).rejects.toThrow("no socket");
});
