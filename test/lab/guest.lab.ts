import { afterAll, beforeAll, expect, test } from "vitest";
import { Guest } from "./guest.js";

let guest: Guest;
beforeAll(async () => {
  guest = await Guest.create();
});
afterAll(() => guest?.remove());

test("a guest is a whole system: it boots, restarts, loses power, and keeps what was written", async () => {
  await guest.boot();
  expect(await guest.must("systemctl", "is-system-running")).toBe("running\n");
  await guest.must("sh", "-c", "echo kept > /var/lib/kept");
  await guest.must("systemctl", "--no-block", "reboot");
  expect(await guest.ended()).toBe("restart");
  await guest.boot();
  expect(await guest.must("cat", "/var/lib/kept")).toBe("kept\n");
  await guest.cut();
  expect(await guest.ended()).toBe("off");
});
