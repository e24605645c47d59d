/**
 * The Edison's procedure on a disk image, with the programs that the board has: mount with a loop device at the offset of a real
 * partition table, the real fw_setenv, packages of the real zip and mkimage. Where the kernel has no FAT, ext2 takes its place
 * in the mounts; FAT itself is then looked at through mkfs.vfat and mtools.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ImageFile } from "../../../agent/ports.js";
import { createBootEnvironment } from "../../../platform/boards/boot-environment.js";
import { createEdisonBoard } from "../../../platform/boards/edison/board.js";
import { findFileSystem } from "../../../platform/boards/edison/update-partition.js";
import { createSystemClock } from "../../../platform/clock.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";
import { kernelKnows, requirePrograms, requireRoot, run } from "./tools.js";

const clock = createSystemClock();
const fileSystem = kernelKnows("vfat") ? "vfat" : "ext2";
const never = new AbortController().signal;

beforeAll(() => {
  requirePrograms("fw_setenv", "mkimage", "mcopy", "mkfs.vfat", "mkfs.ext2", "sfdisk", "zip", "mount");
  requireRoot();
  if (fileSystem !== "vfat")
    console.log("left out: mounting FAT, which this kernel does not know; ext2 is mounted");
});

/** A DOS table whose first partition begins at sector 16, as the factory image has it, and a file system there. */
function updateImage(directory: string, megabytes: number, type: "vfat" | "ext2"): string {
  const device = join(directory, "update.img");
  writeFileSync(device, "");
  truncateSync(device, megabytes * 1024 ** 2);
  execFileSync("sfdisk", ["--quiet", device], { input: "label: dos\nstart=16, type=b\n" });
  if (type === "vfat") run("mkfs.vfat", "--offset", "16", device);
  else run("mkfs.ext2", "-q", "-F", "-E", "offset=8192", device, `${megabytes * 1024 - 8}k`);
  return device;
}

/** What the build of an image does: images, a script with their digests, mkimage, zip. */
function packageFile(directory: string, version: string, rootSize = 3_000_000): ImageFile {
  const folder = join(directory, `package-${version}`);
  mkdirSync(folder);
  const names = [
    "edison_ifwi-dbg-05-dfu.bin",
    "u-boot-edison.bin",
    "edison-image-edison.hddimg",
    "edison-image-edison.ext4",
  ];
  const lines = names.map((name) => {
    const content = Buffer.alloc(name.endsWith("ext4") ? rootSize : 40_000, `${name} ${version} `);
    writeFileSync(join(folder, name), content);
    const pattern = name.replace("-05-", "-$" + "{hardware_id}-");
    return `setenv ota_image_name ${pattern}\nsetenv sha1_sum_ref ${createHash("sha1").update(content).digest("hex")}\n`;
  });
  writeFileSync(join(directory, "script.txt"), lines.join(""));
  writeFileSync(join(folder, "version"), `${version}@2026\n`);
  run(
    "mkimage",
    "-A",
    "x86",
    "-T",
    "script",
    "-C",
    "none",
    "-n",
    "ota",
    "-d",
    join(directory, "script.txt"),
    join(folder, "ota_update.scr"),
  );
  const path = join(directory, `${version}.zip`);
  run("zip", "-q", "-j", "-r", path, folder);
  const bytes = readFileSync(path);
  return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function world(megabytes = 16) {
  const directory = temporaryDirectory();
  const device = updateImage(directory, megabytes, fileSystem);
  const copies = [0, 1].map((index) => join(directory, `environment-${index}`));
  for (const copy of copies) {
    writeFileSync(copy, "");
    truncateSync(copy, 64 * 1024);
  }
  const configuration = join(directory, "fw_env.config");
  writeFileSync(configuration, copies.map((copy) => `${copy} 0 0x10000\n`).join(""));
  writeFileSync(join(directory, "defaults"), "");
  const initial = "bootcmd=run do_boot\nota_done=1\nota_checked=1\nota_status=0\nbootargs_mode=ota\n";
  execFileSync("fw_setenv", ["-c", configuration, "-f", join(directory, "defaults"), "-s", "-"], {
    input: initial,
  });
  writeFileSync(join(directory, "version"), "1.0@factory\n");
  writeFileSync(join(directory, "serial_number"), "FZED451A00001234\n");
  const mountPoint = join(directory, "mnt");
  onTestFinished(() => {
    while (isMounted(mountPoint)) run("umount", mountPoint);
  });
  const board = createEdisonBoard({
    clock,
    log: createRecordingLog(),
    store: createMemoryStore(),
    updatePartition: device,
    mountPoint,
    fileSystem,
    bootEnvironment: { configuration },
    packageVersionFile: "version",
    versionFile: join(directory, "version"),
    serialNumberFile: join(directory, "serial_number"),
    gadgetFiles: [],
  });
  const environment = createBootEnvironment({ clock, configuration });
  return { directory, device, board, environment, mountPoint };
}

const isMounted = (folder: string) => readFileSync("/proc/mounts", "utf8").includes(` ${folder} `);

function contentOf(device: string, folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  run("mount", "-t", fileSystem, "-o", "ro,loop,offset=8192", device, folder);
  try {
    return Object.fromEntries(
      readdirSync(folder).map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex"),
      ]),
    );
  } finally {
    run("umount", folder);
  }
}

test("a package of zip and mkimage is unpacked into the partition, and the boot loader is asked", async () => {
  const { directory, device, board, environment, mountPoint } = world();
  const image = packageFile(directory, "2.0");
  expect(await board.inspect(image, { signal: never })).toEqual({ name: "edison-image", version: "2.0" });
  const told: number[] = [];
  await board.apply(image, { signal: never, attempt: "a", progress: (fraction) => told.push(fraction) });
  expect(told.at(-1)).toBe(1);

  const folder = join(directory, "package-2.0");
  const expected = readdirSync(folder).map((name) => [
    name,
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex"),
  ]);
  expect(contentOf(device, join(directory, "look"))).toEqual(Object.fromEntries(expected));
  expect(
    await environment.read(["ota_status", "ota_done", "ota_checked", "bootargs_mode", "bootcmd"]),
  ).toEqual({
    ota_status: "9",
    ota_done: "1",
    ota_checked: undefined,
    bootargs_mode: "ota",
    bootcmd: "run do_boot",
  });
  expect(isMounted(mountPoint)).toBe(false);
  expect(run("losetup", "-a")).not.toContain(device);
});

test("what was left mounted and lying there is in nobody's way", async () => {
  const { directory, device, board, mountPoint } = world();
  mkdirSync(mountPoint);
  run("mount", "-t", fileSystem, "-o", "rw,loop,offset=8192", device, mountPoint);
  writeFileSync(join(mountPoint, "half-written"), Buffer.alloc(1_000_000, 1));
  await board.apply(packageFile(directory, "2.0"), { signal: never, attempt: "a", progress: () => {} });
  expect(Object.keys(contentOf(device, join(directory, "look")))).not.toContain("half-written");
  expect(isMounted(mountPoint)).toBe(false);
});

test("an abort leaves nothing mounted, and no request", async () => {
  const { directory, device, board, environment, mountPoint } = world();
  const image = packageFile(directory, "2.0");
  const cut = new AbortController();
  const applying = board.apply(image, {
    signal: cut.signal,
    attempt: "a",
    progress: () => cut.abort(new Error("not any more")),
  });
  await expect(applying).rejects.toThrow("not any more");
  expect(isMounted(mountPoint)).toBe(false);
  expect(run("losetup", "-a")).not.toContain(device);
  expect((await environment.read(["bootargs_mode"])).bootargs_mode).toBeUndefined();
});

test("a package that does not fit is refused, with nothing asked", async () => {
  const { directory, board, environment } = world(4);
  const image = packageFile(directory, "2.0", 4_000_000);
  await expect(board.inspect(image, { signal: never })).rejects.toMatchObject({ failure: "storage" });
  await expect(board.apply(image, { signal: never, attempt: "a", progress: () => {} })).rejects.toMatchObject(
    {
      failure: "storage",
    },
  );
  expect((await environment.read(["ota_status"])).ota_status).toBe("0");
});

test("check has no complaint about the files that stand for the board", async () => {
  const { board } = world();
  expect(((await board.check?.()) ?? []).filter(({ level }) => level === "error")).toEqual([]);
});

describe("a FAT of mkfs.vfat", () => {
  test("is found behind the table of sfdisk, where mtools find it too", async () => {
    const directory = temporaryDirectory();
    const device = updateImage(directory, 40, "vfat");
    const { offset, size } = await findFileSystem(device);
    expect([offset, size]).toEqual([8192, 40 * 1024 ** 2 - 8192]);
    writeFileSync(join(directory, "file"), "content");
    run("mcopy", "-i", `${device}@@${offset}`, join(directory, "file"), "::ota_update.scr");
    expect(run("mtype", "-i", `${device}@@8192`, "::ota_update.scr")).toBe("content");
  });

  test("that begins at 0 is found at 0", async () => {
    const device = join(temporaryDirectory(), "update.img");
    writeFileSync(device, "");
    truncateSync(device, 40 * 1024 ** 2);
    for (const bits of ["16", "32"]) {
      run("mkfs.vfat", "-F", bits, device);
      expect((await findFileSystem(device)).offset).toBe(0);
    }
  });
});
