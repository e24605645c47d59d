import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { socketPaths } from "../../../platform/dbus/address.js";
import { connectToBus } from "../../../platform/dbus/connection.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createScriptedBus, type ScriptedBus, type Service } from "./scripted-bus.js";

let bus: ScriptedBus | undefined;
afterEach(async () => {
  await bus?.close();
  bus = undefined;
});

const clock = createSystemClock();
const call = (member: string) => ({ destination: "a.b", path: "/", interface: "a.b", member });
const open = async (service: Service) => {
  bus = await createScriptedBus(service, "a.b");
  return connectToBus({ address: bus.address, clock });
};

describe("a connection to the bus", () => {
  test.each([
    ["unix:path=/run/dbus/system_bus_socket", ["/run/dbus/system_bus_socket"]],
    ["unix:path=/a%20b,guid=00;tcp:host=x;unix:abstract=/c", ["/a b", "\0/c"]],
    ["tcp:host=localhost,port=1", []],
    ["nonsense", []],
  ])("the address %s names its sockets", (address, paths) => {
    expect(socketPaths(address)).toEqual(paths);
  });

  test("calls are answered, each with its own answer, in any order", async () => {
    const late: (() => void)[] = [];
    const connection = await open({
      First: (_, peer) => late.push(() => peer.answer("s", ["first"])),
      Second: (_, peer) => {
        peer.answer("s", ["second"]);
        for (const answer of late) answer();
      },
    });
    const answers = await Promise.all([connection.call(call("First")), connection.call(call("Second"))]);
    expect(answers.map(({ body }) => body[0])).toEqual(["first", "second"]);
    connection.close();
  });

  test("an error of the peer keeps its name and words", async () => {
    const connection = await open({ Fail: (_, peer) => peer.refuse("a.b.Broken", "it is broken") });
    await expect(connection.call(call("Fail"))).rejects.toMatchObject({
      errorName: "a.b.Broken",
      message: "it is broken",
    });
    connection.close();
  });

  test("signals reach their listeners, and are numbered in order with the answers", async () => {
    const connection = await open({
      Go: (_, peer) => {
        peer.signal("Before", "", []);
        peer.answer();
        peer.signal("After", "s", ["x"]);
        peer.signal("After", "s", ["y"]);
      },
    });
    const orders: number[] = [];
    let wanted: () => void;
    const arrived = new Promise<void>((resolve) => (wanted = resolve));
    await connection.listen({ sender: "a.b", interface: "a.b", member: "Before" }, ({ order }) =>
      orders.push(order),
    );
    await connection.listen(
      { sender: "a.b", interface: "a.b", member: "After", argument: "y" },
      ({ order }) => {
        orders.push(order);
        wanted();
      },
    );
    const answer = await connection.call(call("Go"));
    await arrived;
    const [before, after] = orders;
    expect(before).toBeLessThan(answer.order);
    expect(after).toBeGreaterThan(answer.order);
    connection.close();
  });

  test("a peer that never answers costs a bounded wait", async () => {
    bus = await createScriptedBus({ Silent: () => undefined }, "a.b");
    const simulated = createSimulatedClock();
    const connection = await connectToBus({ address: bus.address, clock: simulated });
    const waiting = connection.call(call("Silent")).catch((error: unknown) => error);
    await simulated.advance(seconds(25));
    expect(await waiting).toMatchObject({ errorName: "org.freedesktop.DBus.Error.NoReply" });
    expect(simulated.pending).toBe(0);
    connection.close();
  });

  test("a bus that goes away fails what waits and what comes after", async () => {
    const connection = await open({ Leave: (_, peer) => peer.hangUp() });
    const lost = { errorName: "org.freedesktop.DBus.Error.Disconnected" };
    await expect(connection.call(call("Leave"))).rejects.toMatchObject(lost);
    await connection.ended;
    await expect(connection.call(call("Leave"))).rejects.toMatchObject(lost);
    connection.close();
    connection.close();
  });

  test("no bus at all is a sentence that names the address", async () => {
    await expect(connectToBus({ address: "unix:path=/nonexistent/bus", clock })).rejects.toMatchObject({
      errorName: "org.freedesktop.DBus.Error.NoServer",
      message: expect.stringContaining("unix:path=/nonexistent/bus"),
    });
    await expect(connectToBus({ address: "tcp:host=x", clock })).rejects.toThrow(/names no unix socket/);
  });

  test.each([
    ["refuses us", "REJECTED EXTERNAL\r\n", /refuses this user/],
    ["is something else", "x".repeat(10_000), /no message bus/],
    ["hangs up", undefined, /closed the connection/],
  ])("a server that %s is given up", async (_, words, message) => {
    const directory = mkdtempSync(join(tmpdir(), "bus-"));
    const path = join(directory, "bus");
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => (words === undefined ? socket.destroy() : socket.write(words)));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await expect(connectToBus({ address: `unix:path=${path}`, clock })).rejects.toThrow(message);
    } finally {
      server.close();
      rmSync(directory, { recursive: true });
    }
  });
});
