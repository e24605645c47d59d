import { expect, test } from "vitest";
import { activatedSocket } from "../../../platform/systemd/activation.js";

test("one socket that was handed to this process is descriptor 3", () => {
  expect(activatedSocket({ LISTEN_PID: "17", LISTEN_FDS: "1" }, 17)).toBe(3);
});

test("none, or one for another process, is none", () => {
  expect(activatedSocket({}, 17)).toBeUndefined();
  expect(activatedSocket({ LISTEN_PID: "16", LISTEN_FDS: "1" }, 17)).toBeUndefined();
});

test("several are refused", () => {
  expect(() => activatedSocket({ LISTEN_PID: "17", LISTEN_FDS: "2" }, 17)).toThrow("hands over 2 sockets");
});
