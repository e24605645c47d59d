import { expect, test } from "vitest";
import { createRecentLines } from "../../platform/recent-lines.js";

test("the oldest lines go when there are too many", () => {
  const recent = createRecentLines({ lines: 3, size: 1000, length: 10 });
  for (const line of ["a", "b", "c", "d"]) recent.add(line);
  expect(recent.all()).toEqual(["b", "c", "d"]);
});

test("the oldest lines go when all of them are too long, and a long one is cut", () => {
  const recent = createRecentLines({ lines: 100, size: 25, length: 10 });
  recent.add("1".repeat(9));
  recent.add("2".repeat(9));
  recent.add("3".repeat(99));
  expect(recent.all()).toEqual(["2".repeat(9), "3".repeat(10)]);
});
