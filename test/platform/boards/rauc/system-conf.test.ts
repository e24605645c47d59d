import { describe, expect, test } from "vitest";
import { isOlder } from "../../../../platform/boards/rauc/bundle.js";
import { parseSystemConf } from "../../../../platform/boards/rauc/system-conf.js";

const parse = (text: string) => parseSystemConf(text, "/etc/rauc/system.conf");

describe("RAUC's system.conf", () => {
  test("what it says is read, with paths from where it is", () => {
    expect(
      parse(
        "# comment\n[system]\ncompatible = Board\nbootloader=uboot\nstatusfile=/data/slots\n\n[keyring]\npath=ca.pem\n[slot.rootfs.0]\npath=no",
      ),
    ).toMatchObject({
      compatible: "Board",
      bootloader: "uboot",
      keyringPath: "/etc/rauc/ca.pem",
      hasCentralStatus: true,
      mountPrefix: "/mnt/rauc",
    });
  });

  test.each([
    ["statusfile=per-slot", false],
    ["", false],
    ["data-directory=/data/rauc", true],
  ])("with [system] %s the status of slots is kept centrally: %s", (line, hasCentralStatus) => {
    expect(parse(`[system]\n${line}\n`).hasCentralStatus).toBe(hasCentralStatus);
  });

  test.each([
    ["", ["plain", "verity", "crypt"]],
    ["bundle-formats=verity", ["verity"]],
    ["bundle-formats=-plain", ["verity", "crypt"]],
    ["bundle-formats=-crypt +plain", ["plain", "verity"]],
  ])("with [system] %s it takes %s", (line, formats) => {
    expect([...parse(`[system]\n${line}\n`).bundleFormats]).toEqual(formats);
  });
});

test.each([
  [[1, 8], true],
  [[1, 15], true],
  [[1, 15, 1], true],
  [[1, 15, 2], false],
  [[1, 16], false],
  [[2], false],
])("RAUC %s is older than 1.15.2: %s", (version, expected) => {
  expect(isOlder(version, [1, 15, 2])).toBe(expected);
});
