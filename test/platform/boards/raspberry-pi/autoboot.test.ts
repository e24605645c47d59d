import { expect, test } from "vitest";
import { parseAutoboot, switchAutoboot } from "../../../../platform/boards/raspberry-pi/autoboot.js";

const text = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n";

test("the sections say what is booted always, and what for a try", () => {
  expect(parseAutoboot(text)).toEqual({ usesPartitions: true, all: 2, tryboot: 3 });
  expect(parseAutoboot("boot_partition=2\n[none]\nboot_partition=7\n[tryboot]\n")).toEqual({
    usesPartitions: false,
    all: 2,
    tryboot: undefined,
  });
  expect(parseAutoboot("[all]\nboot_partition=2\nboot_partition = 4\n#boot_partition=5\n").all).toBe(4);
  expect(parseAutoboot("[tryboot]\ntryboot_a_b=1\n").usesPartitions).toBe(false);
  expect(parseAutoboot("")).toEqual({ usesPartitions: false, all: undefined, tryboot: undefined });
});

test("a switch changes two digits and nothing else", () => {
  const switched = switchAutoboot(text, 3, 2);
  expect(parseAutoboot(switched)).toEqual({ usesPartitions: true, all: 3, tryboot: 2 });
  expect(switched).toHaveLength(text.length);
  const differing = [...switched].filter((letter, index) => letter !== text[index]);
  expect(differing).toEqual(["3", "2"]);
  expect(switchAutoboot(switched, 2, 3)).toBe(text);
});

test("comments, other settings and Windows line ends stay", () => {
  const odd = "# ours\r\n[all]\r\ntryboot_a_b=1\r\nboot_partition=2 # A\r\n[tryboot]\r\nboot_partition=3\r\n";
  const switched = switchAutoboot(odd, 3, 2);
  expect(switched).toContain("boot_partition=3 # A\r\n");
  expect(parseAutoboot(switched)).toMatchObject({ all: 3, tryboot: 2 });
});

test("newlines at the end make room for another digit, and fill up what is shorter", () => {
  const roomy = `${text}\n\n`;
  const longer = switchAutoboot(roomy, 10, 12);
  expect(longer).toHaveLength(roomy.length);
  expect(parseAutoboot(longer)).toMatchObject({ all: 10, tryboot: 12 });
  const shorter = switchAutoboot(longer, 2, 3);
  expect(shorter).toBe(roomy);
});

test.each([text.trimEnd(), "[all]\nboot_partition=2\n", "", "[tryboot]\nboot_partition=3\n"])(
  "%j has no place for it, which is said",
  (odd) => {
    expect(() => switchAutoboot(odd, 10, 12)).toThrow("has no place");
  },
);
