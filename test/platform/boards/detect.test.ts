import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { detectBoard } from "../../../platform/boards/detect.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

function rootWith(files: Readonly<Record<string, string>>): string {
  const root = temporaryDirectory();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const rauc = {
  "etc/rauc/system.conf": "[system]\n",
  "usr/share/dbus-1/system-services/de.pengutronix.rauc.service": "[D-BUS Service]\n",
};
const swupdate = { "etc/swupdate/swupdate.cfg": "", "usr/bin/swupdate": "" };
const edison = { "dev/disk/by-partlabel/update": "", "factory/serial_number": "FZED\n" };
const pi = {
  "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
  "boot/autoboot/autoboot.txt": "[all]\n",
};

test.each([
  ["rauc", rauc],
  ["swupdate", swupdate],
  ["swupdate", { "tmp/sockinstctrl": "", "usr/bin/swupdate": "" }],
  ["edison", edison],
  ["raspberry-pi", pi],
  ["rauc", { ...pi, ...rauc }],
  ["swupdate", { ...edison, ...swupdate }],
  ["none", {}],
] as const)("%s is found by its signs: %j", async (type, files) => {
  const { type: found, reasons } = await detectBoard({ root: rootWith(files) });
  expect(found).toBe(type);
  if (type !== "none")
    expect(reasons.filter((reason) => reason.startsWith(`${type}: there is `)).length).toBe(2);
});

test.each(
  Object.entries({ rauc, swupdate, edison, "raspberry-pi": pi }).flatMap(([type, files]) =>
    Object.keys(files).map((path) => [path, type, files] as const),
  ),
)(
  "without %s it is not %s, and the reason names the file",
  async (path, type, files: Readonly<Record<string, string>>) => {
    const { [path]: _, ...rest } = files;
    const { type: found, reasons } = await detectBoard({ root: rootWith(rest) });
    expect(found).toBe("none");
    expect(
      reasons.some((reason) => reason.startsWith(`${type}: there is not`) && reason.includes(path)),
    ).toBe(true);
  },
);

test("the device tree of another board is no Raspberry Pi", async () => {
  const root = rootWith({ ...pi, "proc/device-tree/model": "BeagleBone Black\0" });
  expect((await detectBoard({ root })).type).toBe("none");
});
