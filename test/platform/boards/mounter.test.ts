import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMounter } from "../../../platform/boards/mounter.js";
import { createSystemClock } from "../../../platform/clock.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

function world(script: string) {
  const directory = temporaryDirectory();
  const program = join(directory, "program");
  writeFileSync(program, `#!/bin/sh\necho "$@" >> ${directory}/calls\n${script}\n`);
  chmodSync(program, 0o755);
  const mounter = createMounter({
    clock: createSystemClock(),
    mountProgram: program,
    unmountProgram: program,
  });
  return {
    directory,
    mounter,
    calls: () => readFileSync(join(directory, "calls"), "utf8").trim().split("\n"),
  };
}

test("mount and umount get what they are to do as arguments; the folder is made", async () => {
  const { directory, mounter, calls } = world("exit 0");
  const folder = join(directory, "a/b");
  await mounter.mount({ device: "/dev/x y", folder, fileSystem: "vfat", options: ["ro", "offset=8192"] });
  await mounter.remount(folder, "rw");
  await mounter.unmount(folder);
  expect(existsSync(folder)).toBe(true);
  expect(calls()).toEqual([
    `-t vfat -o ro,offset=8192 -- /dev/x y ${folder}`,
    `-o remount,rw -- ${folder}`,
    `-- ${folder}`,
  ]);
});

test("a mount that meets a loop device on its way out is tried again", async () => {
  const { directory, mounter, calls } = world(
    `[ -e ${"$"}(dirname $0)/ready ] || { touch ${"$"}(dirname $0)/ready; exit 32; }`,
  );
  await mounter.mount({
    device: "/dev/x",
    folder: join(directory, "mnt"),
    fileSystem: "ext2",
    options: ["ro"],
  });
  expect(calls()).toHaveLength(2);
});

test("what fails says why, in the words of the program, and after five tries", async () => {
  const { directory, mounter, calls } = world(
    "echo 'mount: wrong fs type' >&2; echo 'dmesg(1) may have more information' >&2; exit 32",
  );
  const request = { device: "/dev/x", folder: join(directory, "mnt"), fileSystem: "ext2", options: ["ro"] };
  await expect(mounter.mount(request)).rejects.toThrow(/mounting \/dev\/x .*: mount: wrong fs type$/);
  expect(calls()).toHaveLength(5);
});

test("a folder is mounted when it is on another device than the one above it", async () => {
  const { directory, mounter } = world("exit 0");
  mkdirSync(join(directory, "folder"));
  expect(await mounter.isMounted(join(directory, "folder"))).toBe(false);
  expect(await mounter.isMounted(join(directory, "none"))).toBe(false);
  expect(await mounter.isMounted("/proc")).toBe(true);
});
