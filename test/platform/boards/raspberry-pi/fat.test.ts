import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readFatFile, rewriteFatFile } from "../../../../platform/boards/raspberry-pi/fat.js";
import { createSeededRandom } from "../../../simulated/random.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { fatImage } from "./images.js";

const image = () =>
  fatImage({ "config.txt": "arm_64bit=1\n", "cmdline.txt": "root=/dev/x\n", "empty.txt": "" });

function deviceOf(bytes: Uint8Array): string {
  const path = join(temporaryDirectory("memory"), "device");
  writeFileSync(path, bytes);
  return path;
}

test("a file is read by its name, whatever its letters; one that is not there is undefined", async () => {
  const device = deviceOf(image());
  expect((await readFatFile(device, "CMDLINE.TXT"))?.toString()).toBe("root=/dev/x\n");
  expect((await readFatFile(device, "empty.txt"))?.toString()).toBe("");
  expect(await readFatFile(device, "kernel8.img")).toBeUndefined();
  expect(await readFatFile(device, "boot")).toBeUndefined(); // the label of the volume
});

test("what is written in place is read back, up to what is allocated", async () => {
  const device = deviceOf(image());
  await rewriteFatFile(device, "cmdline.txt", Buffer.alloc(512, "x"));
  expect((await readFatFile(device, "cmdline.txt"))?.toString()).toBe("x".repeat(512));
  expect((await readFatFile(device, "config.txt"))?.toString()).toBe("arm_64bit=1\n");
  await expect(rewriteFatFile(device, "cmdline.txt", Buffer.alloc(513))).rejects.toThrow("512 bytes only");
  await expect(rewriteFatFile(device, "kernel8.img", Buffer.alloc(1))).rejects.toThrow("has no kernel8.img");
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["zeros", Buffer.alloc(4096)],
  ["a signature alone", Buffer.alloc(4096, Uint8Array.of(0x55, 0xaa))],
])("%s is no file system", async (_, bytes) => {
  await expect(readFatFile(deviceOf(bytes), "cmdline.txt")).rejects.toThrow(Error);
});

test("a file that claims to be huge is refused", async () => {
  const bytes = image();
  bytes.writeUInt32LE(0x7fffffff, bytes.indexOf("CMDLINE") + 28);
  await expect(readFatFile(deviceOf(bytes), "cmdline.txt")).rejects.toThrow("larger than");
});

test("a chain of clusters that runs in a circle comes to an end", async () => {
  const bytes = image();
  const cluster = 3; // of cmdline.txt
  bytes.writeUInt16LE((bytes.readUInt16LE(512 + 4) & 0x000f) | (cluster << 4), 512 + 4);
  bytes.writeUInt32LE(60_000, bytes.indexOf("CMDLINE") + 28);
  expect(await readFatFile(deviceOf(bytes), "cmdline.txt")).toHaveLength(60_000);
});

test("whatever is changed in a file system, reading it ends", async () => {
  const random = createSeededRandom(5);
  const path = join(temporaryDirectory("memory"), "device");
  for (let round = 0; round < 300; round++) {
    const bytes = image();
    for (let change = 0; change < 4; change++) {
      bytes[Math.floor(random.fraction() * 4096)] = Math.floor(random.fraction() * 256);
    }
    writeFileSync(path, bytes);
    const content = await readFatFile(path, "cmdline.txt").catch((error: unknown) => error);
    expect(content === undefined || content instanceof Error || content instanceof Uint8Array).toBe(true);
  }
});
