import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PackageFile } from "../../../platform/files/package-file.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { packageStorageContract } from "../package-storage.contract.js";
import { temporaryDirectory } from "./temporary-directory.js";

packageStorageContract("the storage on disk", () => {
  const directory = join(temporaryDirectory(), "cache");
  const open = () => createPackageStorage({ directory, maximumSize: 1_000_000 });
  return { storage: open(), reopen: open };
});

test("only a complete package has its final name, and only the owner can read it", async () => {
  const directory = temporaryDirectory();
  const writer = await createPackageStorage({ directory }).create(undefined);
  await writer.write(Buffer.from("image"));
  expect(readdirSync(directory)).toEqual(["package.part"]);
  const image = await writer.finish();
  expect(readdirSync(directory)).toEqual(["package"]);
  expect(image.path).toBe(join(directory, "package"));
  expect(readFileSync(image.path, "utf8")).toBe("image");
  expect(statSync(image.path).mode & 0o777).toBe(0o600);
});

test("what a crash left of a package is removed by the next one", async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "package.part"), "half of a larger package");
  const writer = await createPackageStorage({ directory }).create(undefined);
  await writer.write(Buffer.from("image"));
  expect(readFileSync((await writer.finish()).path, "utf8")).toBe("image");
  expect(readdirSync(directory)).toEqual(["package"]);
});

test("a package that changed on disk is not verified", async () => {
  const storage = createPackageStorage({ directory: temporaryDirectory() });
  const writer = await storage.create(undefined);
  const image = await writer.finish();
  appendFileSync(image.path, "x");
  expect(await storage.verify(image)).toBe(false);
});

test("the reserve of the file system is not for packages", async () => {
  const directory = temporaryDirectory();
  const storage = createPackageStorage({ directory, reserve: Number.MAX_SAFE_INTEGER });
  await expect(storage.create(1)).rejects.toMatchObject({
    failure: "storage",
    message: `the package of 1 bytes does not fit into the 0 bytes that are free in ${directory}`,
  });
});

test("a directory that cannot be written to is a lack of storage", async () => {
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  await expect(createPackageStorage({ directory: join(file, "cache") }).create(1)).rejects.toMatchObject({
    failure: "storage",
    message: expect.stringContaining(`cannot write to the directory ${file}/cache`),
  });
});

test("a disk that fills up is reported by a later piece or by the end", async () => {
  const append = async (pieces: number) => {
    const file = new PackageFile(await open("/dev/full", "w"));
    try {
      for (let piece = 0; piece < pieces; piece++) await file.append(new Uint8Array(256 * 1024));
      await file.finish();
    } finally {
      await file.close();
    }
  };
  await expect(append(3)).rejects.toMatchObject({ code: "ENOSPC" });
  await expect(append(1)).rejects.toMatchObject({ code: "ENOSPC" });
});
