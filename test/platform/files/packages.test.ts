import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PackageFile } from "../../../platform/files/package-file.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { downloadStorageContract } from "../download-storage.contract.js";
import { packageStorageContract } from "../package-storage.contract.js";
import { temporaryDirectory } from "./temporary-directory.js";

const openTwice = () => {
  const directory = join(temporaryDirectory(), "cache");
  const open = () => createPackageStorage({ directory, maximumSize: 1_000_000 });
  return { storage: open(), reopen: open };
};
packageStorageContract("the storage on disk", openTwice);
downloadStorageContract("the storage on disk", openTwice);

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
    message: `the package of 1 bytes does not fit into the 0 bytes that are free in ${directory}, beside the ${Number.MAX_SAFE_INTEGER} that stay free`,
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

describe("after a cut", () => {
  const uri = "https://example.com/fw.bin";
  const source = { uri, size: 1000, validator: '"1"' };
  const record = { ...source, durable: 600 };
  const { signal } = new AbortController();
  const resume = (directory: string) => createPackageStorage({ directory }).resume(uri, { signal });

  function leave(part: string | undefined, recorded: unknown): string {
    const directory = temporaryDirectory();
    if (part !== undefined) writeFileSync(join(directory, "package.part"), part);
    const text = typeof recorded === "string" ? recorded : JSON.stringify(recorded);
    writeFileSync(join(directory, "package.part.json"), text);
    return directory;
  }

  test("what is behind the durable bytes is cut off", async () => {
    const directory = leave(`${"a".repeat(600)}rubbish`, record);
    const part = await resume(directory);
    expect(part).toMatchObject({ source, received: 600 });
    await part?.writer.write(Buffer.from("b".repeat(400)));
    const { path, sha256 } = (await part?.writer.finish()) ?? { path: "", sha256: "" };
    const content = "a".repeat(600) + "b".repeat(400);
    expect(readFileSync(path, "utf8")).toBe(content);
    expect(sha256).toBe(createHash("sha256").update(content).digest("hex"));
    expect(readdirSync(directory)).toEqual(["package"]);
  });

  test.each<[string, string | undefined, unknown]>([
    ["the part is gone", undefined, record],
    ["the part is shorter than what was durable", "a".repeat(599), record],
    ["the record is empty", "a".repeat(1000), ""],
    ["the record is full of zeros", "a".repeat(1000), "\0".repeat(100)],
    ["the record is cut", "a".repeat(1000), JSON.stringify(record).slice(0, -1)],
    ["the record names no validator", "a".repeat(1000), { ...record, validator: undefined }],
    ["the record names a negative offset", "a".repeat(1000), { ...record, durable: -1 }],
    ["the record names half a byte", "a".repeat(1000), { ...record, durable: 0.5 }],
    ["the record names more than the whole", "a".repeat(1001), { ...record, durable: 1001 }],
    ["the record is a list", "a".repeat(1000), [record]],
  ])("nothing is taken up when %s", async (_, part, recorded) => {
    const directory = leave(part, recorded);
    expect(await resume(directory)).toBeUndefined();
    await createPackageStorage({ directory }).clear();
    expect(readdirSync(directory)).toEqual([]);
  });

  test("the record never tells of more than is durable", async () => {
    const directory = temporaryDirectory();
    const writer = await createPackageStorage({ directory }).begin({ ...source, size: undefined });
    const told = () => {
      try {
        return JSON.parse(readFileSync(join(directory, "package.part.json"), "utf8")).durable as number;
      } catch {
        return 0;
      }
    };
    const piece = new Uint8Array(1024 ** 2);
    for (let mebibytes = 1; mebibytes <= 40; mebibytes++) {
      await writer.write(piece);
      expect(told()).toBeLessThanOrEqual(statSync(join(directory, "package.part")).size);
    }
    expect(told()).toBeGreaterThan(7 * 1024 ** 2);
    await writer.discard();
    expect(readdirSync(directory)).toEqual([]);
  });
});

test("space that others took meanwhile ends a package", async () => {
  const directory = temporaryDirectory();
  const { bavail, bsize } = statfsSync(directory);
  // Not reserved are 64 MiB, which something else takes.
  const storage = createPackageStorage({ directory, reserve: bavail * bsize - 64 * 1024 ** 2 });
  const writer = await storage.create(undefined);
  const other = join(directory, "other");
  writeFileSync(other, new Uint8Array(70 * 1024 ** 2));
  const write = async () => {
    for (let mebibytes = 0; mebibytes < 60; mebibytes++) await writer.write(new Uint8Array(1024 ** 2));
  };
  await expect(write()).rejects.toMatchObject({
    failure: "storage",
    message: expect.stringContaining("does not fit"),
  });
  await writer.discard();
  expect(readdirSync(directory)).toEqual(["other"]);
});
