/** A client that sleeps (LwM2M Core 1.2 §6.2, Transport §6.6): what wakes it, and what does not. */
import { beforeEach, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import { settle } from "../../simulated/clock.js";
import { createObservingWorld, type ObservingWorld } from "../observing-world.js";

const read = { method: "GET", path: "/3/0/9" } as const;

let world: ObservingWorld;

/** Observed with con=1, and asleep. */
beforeEach(async () => {
  world = await createObservingWorld({
    version: "1.2",
    account: { lifetime: 400, muteSend: false },
    registration: { queueMode: { awakeTime: seconds(20) } },
  });
  world.device.set(0, 9, 100);
  await world.start();
  await world.ask({ ...read, observe: 0, query: ["con=1"] });
  await world.clock.advance(seconds(21));
  expect(world.client.isAwake(1)).toBe(false);
});

const listens = async () => {
  expect(world.client.isAwake(1)).toBe(true);
  expect((await world.ask({ ...read, token: 1 })).code).toBe("2.05");
  await world.clock.advance(seconds(21));
  expect(world.client.isAwake(1)).toBe(false);
};

test("a request does not wake it, and is not answered", async () => {
  await expect(world.ask({ ...read, token: 1 })).rejects.toThrow("no answer");
  expect(world.client.isAwake(1)).toBe(false);
});

test("a notification does, and the Server may ask until it sleeps again", async () => {
  world.device.set(0, 9, 99);
  await settle();
  expect(world.told()).toEqual([[21, "99"]]);
  await listens();
});

test("a Send does", async () => {
  const sending = world.client.send(["/3/0/9"]);
  await settle();
  expect(await sending).toEqual([{ shortServerId: 1, delivered: true }]);
  await listens();
});

test("the Update before the end of the lifetime does", async () => {
  world.requests.length = 0;
  await world.clock.advance(seconds(285)); // 306 s after the Register: 93 s before the end, and one to go
  expect(world.requests).toEqual([]);
  await world.clock.advance(seconds(1));
  expect(world.requests.map(({ path }) => path)).toEqual(["rd/1"]);
  await listens();
});
