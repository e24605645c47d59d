/** What a Server orders of a whole client in one message, and what comes of it on the line. */
import { expect, test } from "vitest";
import { seconds } from "../../agent/ports.js";
import { settle } from "../simulated/clock.js";
import { createObservingWorld } from "./observing-world.js";

test("an Execute of the Registration Update Trigger with the argument 0='U' in its query makes an Update", async () => {
  for (const query of [["0=U"], ["0='U'"], []]) {
    const world = await createObservingWorld({ version: "1.1" });
    await world.start();
    expect((await world.ask({ method: "POST", path: "/1/0/8", query })).code).toBe("2.04");
    await settle();
    expect(world.requests.map(({ path }) => path)).toEqual(["rd", "rd/1"]);
  }
});

test("an observation ends by 4.01 when the Server loses the right to read, and the others go on", async () => {
  const world = await createObservingWorld({
    version: "1.1",
    accessControl: [
      { objectId: 1, objectInstanceId: 0, owner: 1, acl: {} },
      { objectId: 3, objectInstanceId: 0, owner: 1, acl: {} },
      { objectId: 16, owner: 1, acl: {} },
    ],
  });
  world.device.set(0, 9, 100);
  await world.start();
  await world.ask({ method: "GET", path: "/3/0/9", observe: 0, token: 0x70 });
  await world.ask({ method: "GET", path: "/1/0/1", observe: 0, token: 0x71 });
  expect(world.client.observationCount).toBe(2);
  const noRights = await world.ask({
    method: "PUT",
    path: "/2/1/2",
    contentFormat: 110,
    payload: new TextEncoder().encode('[{"n":"/2/1/2/1","v":0}]'),
  });
  expect(noRights.code).toBe("2.04");
  await world.clock.advance(seconds(2));
  const last = world.notifications.filter(({ token }) => token === 0x70).at(-1);
  expect([last?.code, last?.observe]).toEqual(["4.01", undefined]);
  expect(world.client.observationCount).toBe(1);
  expect((await world.ask({ method: "GET", path: "/3/0/9" })).code).toBe("4.01");
  world.device.set(0, 9, 50);
  await world.clock.advance(seconds(60));
  expect(world.notifications.filter(({ token }) => token === 0x70).at(-1)).toBe(last);
});
