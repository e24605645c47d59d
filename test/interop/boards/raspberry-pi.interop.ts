/** The Raspberry Pi's procedure with FAT file systems of mkfs.vfat and mtools, and on real block devices. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { deviceNumber, sizeOfDevice } from "../../../platform/boards/block-device.js";
import { readFatFile, rewriteFatFile } from "../../../platform/boards/raspberry-pi/fat.js";
import { bundleFile, rootImage } from "../../platform/boards/raspberry-pi/images.js";
import { PiWorld } from "../../platform/boards/raspberry-pi/world.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { requirePrograms, requireRoot, run } from "./tools.js";

beforeAll(() => {
  requirePrograms("mcopy", "mkfs.vfat", "mkfs.ext2", "losetup", "mount");
  requireRoot();
});

const commandLine =
  "console=serial0,115200 console=tty1 root=PARTUUID=00000000-02 rootfstype=ext4 rootwait panic=10\n";

function fatOf(directory: string, bits: 12 | 16 | 32, files: Readonly<Record<string, string>>): string {
  const device = join(directory, `fat${bits}.img`);
  writeFileSync(device, "");
  truncateSync(device, { 12: 1, 16: 32, 32: 64 }[bits] * 1024 ** 2);
  run("mkfs.vfat", "-F", `${bits}`, "-n", "BOOT", ...(bits === 32 ? ["-s", "1"] : []), device);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content);
    run("mcopy", "-i", device, join(directory, name), `::${name}`);
  }
  return device;
}

describe.each([12, 16, 32] as const)("a FAT%s of mkfs.vfat and mtools", (bits) => {
  const many = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [`overlay with a long name ${index}.dtbo`, `${index}`]),
  );

  test("files are found behind many others, of any size, and none that is not there", async () => {
    const long = "0123456789abcdef".repeat(2000);
    const device = fatOf(temporaryDirectory(), bits, {
      ...many,
      "cmdline.txt": commandLine,
      "config.txt": long,
    });
    expect((await readFatFile(device, "cmdline.txt"))?.toString()).toBe(commandLine);
    expect((await readFatFile(device, "config.txt"))?.toString()).toBe(long);
    expect(await readFatFile(device, "autoboot.txt")).toBeUndefined();
  });

  test("what is written in place is what mtools read, shorter and longer", async () => {
    const device = fatOf(temporaryDirectory(), bits, { "cmdline.txt": commandLine });
    for (const text of ["root=PARTUUID=abcd1234-06\n", `${"x".repeat(400)}\n`]) {
      await rewriteFatFile(device, "cmdline.txt", Buffer.from(text));
      expect(run("mtype", "-i", device, "::cmdline.txt")).toBe(text);
    }
    await expect(rewriteFatFile(device, "cmdline.txt", Buffer.alloc(40_000))).rejects.toThrow("room for");
  });
});

test("a file that was deleted is not found again", async () => {
  const device = fatOf(temporaryDirectory(), 16, { "cmdline.txt": commandLine });
  run("mdel", "-i", device, "::cmdline.txt");
  expect(await readFatFile(device, "cmdline.txt")).toBeUndefined();
});

test("an update runs on block devices, and never writes one that is mounted", async () => {
  const world = await PiWorld.create("1.0");
  const { directory } = world;
  const loops = Object.fromEntries(
    [2, 3, 5, 6].map((number) => {
      const loop = run("losetup", "--find", "--show", world.device(number)).trim();
      onTestFinished(() => void run("losetup", "--detach", loop));
      return [number, loop] as const;
    }),
  );
  const device = (number: number) => loops[number] ?? "";
  expect(await sizeOfDevice(device(5))).toBe(readFileSync(world.device(5)).length);
  expect(await deviceNumber(device(5))).toBe(run("lsblk", "-dno", "MAJ:MIN", device(5)).trim());

  const board = world.board({
    slots: [
      { partition: 2, boot: device(2), root: device(5) },
      { partition: 3, boot: device(3), root: device(6) },
    ],
    mountInfoFile: "/proc/self/mountinfo",
  });
  const files = {
    "boot.img": readFileSync(fatOf(directory, 12, { "cmdline.txt": "root=/dev/mmcblk0p9 ro\n" })).subarray(
      0,
      256 * 1024,
    ),
    "root.img": rootImage("2.0"),
  };
  const image = await bundleFile(directory, "2.0", files);
  const apply = () =>
    board.apply(image, { signal: new AbortController().signal, attempt: "a", progress: () => {} });

  run("mkfs.ext2", "-q", "-F", device(6));
  const mnt = join(directory, "mnt");
  mkdirSync(mnt);
  run("mount", device(6), mnt);
  try {
    await expect(apply()).rejects.toThrow(`${device(6)} is mounted`);
  } finally {
    run("umount", mnt);
  }
  await apply();
  expect(readFileSync(device(6)).subarray(0, files["root.img"].length).equals(files["root.img"])).toBe(true);
  expect(run("mtype", "-i", device(3), "::cmdline.txt")).toContain(`root=${device(6)} ro`);
});
