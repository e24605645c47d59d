import { describe, expect, test } from "vitest";
import { Deduplication } from "../../../agent/coap/deduplication.js";
import { millis, seconds } from "../../../agent/ports.js";

const now = millis(0);
const lifetime = seconds(247);
const datagram = (...content: number[]) => Uint8Array.from(content);

describe("what was received", () => {
  test("is found by its key and its bytes", () => {
    const memory = new Deduplication(4, 100);
    const received = memory.remember("a", datagram(1, 2), now, lifetime);
    expect(memory.find("a", datagram(1, 2), now)).toBe(received);
    expect(memory.find("a", datagram(1, 3), now)).toBeUndefined();
    expect(memory.find("a", datagram(1, 2, 3), now)).toBeUndefined();
    expect(memory.find("b", datagram(1, 2), now)).toBeUndefined();
  });

  test("is found until it expires", () => {
    const memory = new Deduplication(4, 100);
    memory.remember("a", datagram(1), now, lifetime);
    expect(memory.find("a", datagram(1), millis(lifetime - 1))).toBeDefined();
    expect(memory.find("a", datagram(1), lifetime)).toBeUndefined();
  });

  test("makes room, the oldest first, when there are too many", () => {
    const memory = new Deduplication(2, 100);
    for (const key of ["a", "b", "c"]) memory.remember(key, datagram(1), now, lifetime);
    expect(["a", "b", "c"].map((key) => memory.find(key, datagram(1), now) !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    expect([memory.size, memory.bytes]).toEqual([2, 2]);
  });

  test("makes room when there are too many bytes, answers included", () => {
    const memory = new Deduplication(10, 100);
    memory.remember("a", new Uint8Array(40), now, lifetime);
    const second = memory.remember("b", new Uint8Array(40), now, lifetime);
    memory.answer(second, new Uint8Array(30));
    expect([memory.size, memory.bytes]).toEqual([1, 70]);
    memory.answer(second, new Uint8Array(50));
    expect([memory.size, memory.bytes]).toEqual([1, 90]);
    memory.answer(second, new Uint8Array(61));
    expect([memory.size, memory.bytes]).toEqual([0, 0]);
  });

  test("is no longer counted when it is answered after it was forgotten", () => {
    const memory = new Deduplication(1, 100);
    const first = memory.remember("a", datagram(1), now, lifetime);
    memory.remember("b", datagram(1), now, lifetime);
    memory.answer(first, new Uint8Array(90));
    expect([memory.size, memory.bytes]).toEqual([1, 1]);
  });

  test("is replaced by what has the same key, and the newer stays when the older goes", () => {
    const memory = new Deduplication(2, 100);
    memory.remember("a", datagram(1), now, lifetime);
    memory.remember("a", datagram(2), now, lifetime);
    memory.remember("b", datagram(3), now, lifetime);
    expect(memory.find("a", datagram(2), now)).toBeDefined();
    expect(memory.find("a", datagram(1), now)).toBeUndefined();
  });

  test("goes when something new comes after it expired", () => {
    const memory = new Deduplication(10, 100);
    for (const key of ["a", "b", "c"]) memory.remember(key, datagram(1), now, lifetime);
    memory.remember("d", datagram(1), lifetime, lifetime);
    expect([memory.size, memory.bytes]).toEqual([1, 1]);
  });

  test("never exceeds its bounds, whatever comes", () => {
    const memory = new Deduplication(16, 1000);
    for (let count = 0; count < 10_000; count++) {
      const received = memory.remember(
        String(count % 50),
        new Uint8Array(count % 90),
        millis(count),
        millis(100),
      );
      if (count % 3 > 0) memory.answer(received, new Uint8Array(count % 70));
      expect(memory.size).toBeLessThanOrEqual(16);
      expect(memory.bytes).toBeLessThanOrEqual(1000);
    }
  });
});
