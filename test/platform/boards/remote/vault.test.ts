import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ImageFile } from "../../../../agent/ports.js";
import { createVault } from "../../../../platform/boards/remote/vault.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";

const never = { signal: new AbortController().signal };
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function world(content: Uint8Array = randomBytes(700_000)) {
  const folder = temporaryDirectory();
  const packages = join(folder, "cache");
  const directory = join(folder, "vault");
  mkdirSync(packages);
  const path = join(packages, "package");
  writeFileSync(path, content);
  const image: ImageFile = { path, size: content.length, sha256: sha256(content) };
  return {
    folder,
    packages,
    directory,
    path,
    image,
    vault: createVault({ packageDirectory: packages, directory }),
  };
}

test("a package is copied as it is, and once", async () => {
  const { vault, image, directory, path } = world();
  const copy = await vault.take(image, never);
  expect(copy).toEqual({ ...image, path: join(directory, image.sha256) });
  expect(sha256(readFileSync(copy.path))).toBe(image.sha256);
  writeFileSync(path, "changed afterwards");
  expect(await vault.take(image, never)).toEqual(copy);
});

test("who holds the file open for writing cannot change the copy", async () => {
  const { vault, image, path } = world();
  const descriptor = openSync(path, "r+");
  const copy = await vault.take(image, never);
  writeSync(descriptor, "evil", 0);
  closeSync(descriptor);
  expect(sha256(readFileSync(copy.path))).toBe(image.sha256);
});

test.each([
  ["another content", (path: string) => writeFileSync(path, randomBytes(700_000))],
  ["one byte less", (path: string) => truncateSync(path, 699_999)],
  ["one byte more", (path: string) => truncateSync(path, 700_001)],
  ["nothing in it", (path: string) => truncateSync(path, 0)],
])("a file with %s is not the package that was verified", async (_, change) => {
  const { vault, image, path, directory } = world();
  change(path);
  await expect(vault.take(image, never)).rejects.toMatchObject({ failure: "integrity" });
  expect(readdirSync(directory)).toEqual([]);
});

test("a copy that was damaged is made again; a half-written one is removed", async () => {
  const { vault, image, directory } = world();
  const { path } = await vault.take(image, never);
  writeFileSync(path, randomBytes(700_000));
  writeFileSync(join(directory, `${"0".repeat(64)}~`), "half");
  const copy = await vault.take(image, never);
  expect(sha256(readFileSync(copy.path))).toBe(image.sha256);
  expect(readdirSync(directory)).toEqual([image.sha256]);
});

test("there is room for one: another package takes the place of the first", async () => {
  const { vault, image, packages, directory } = world();
  await vault.take(image, never);
  const path = join(packages, "other");
  writeFileSync(path, "other");
  const other = { path, size: 5, sha256: sha256(Buffer.from("other")) };
  await vault.take(other, never);
  expect(readdirSync(directory)).toEqual([other.sha256]);
  await vault.clear();
  expect(readdirSync(directory)).toEqual([]);
});

test.each([
  ["a symbolic link", (path: string) => symlinkSync("/etc/passwd", path), "is a symbolic link"],
  ["a folder", (path: string) => mkdirSync(path), "is not a regular file"],
  ["a pipe", (path: string) => execFileSync("mkfifo", [path]), "is not a regular file"],
  ["nothing", () => {}, "no such file or directory (ENOENT)"],
  [
    "a second name of another file",
    (path: string) => linkSync(join(path, "..", "package"), path),
    "has a second name",
  ],
])("%s is not taken for a package", async (_, make, why) => {
  const { vault, image, packages } = world();
  const path = join(packages, "trap");
  make(path);
  await expect(vault.take({ ...image, path }, never)).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringContaining(why),
  });
});

test("a file that belongs to somebody else than the folder is not taken", async () => {
  const { vault, image, path } = world();
  if (process.getuid?.() === 0) {
    chownSync(path, 12_345, 12_345);
    await expect(vault.take(image, never)).rejects.toThrow("belongs to the user 12345, not to 0");
  } else {
    const folder = temporaryDirectory(); // it lies in a folder of root's
    const ofRoot = createVault({ packageDirectory: tmpdir(), directory: join(folder, "vault") });
    const mine = `${folder}.package`;
    writeFileSync(mine, "mine");
    await expect(ofRoot.take({ ...image, path: mine, size: 4 }, never)).rejects.toThrow(
      "belongs to the user",
    );
  }
});

test.each([
  "/etc/passwd",
  "/",
  "{packages}",
  "{packages}/",
  "{packages}/.",
  "{packages}/..",
  "{packages}/../vault/x",
  "{packages}/below/package",
  "{packages}/./package",
  "{packages}//package",
  "{packages}-other/package",
])("the path %s does not lead out of the folder", async (pattern) => {
  const { vault, image, packages } = world();
  mkdirSync(join(packages, "below"));
  writeFileSync(join(packages, "below", "package"), "x");
  await expect(
    vault.take({ ...image, path: pattern.replace("{packages}", packages) }, never),
  ).rejects.toMatchObject({ failure: "failed", message: expect.stringContaining("does not lie in") });
});

test("a package that is too large is refused before anything is read", async () => {
  const { packages, directory, image } = world();
  const vault = createVault({ packageDirectory: packages, directory, maximumSize: 1000 });
  await expect(vault.take(image, never)).rejects.toMatchObject({ failure: "storage" });
});

test("a folder of the helper's that others may enter is not used", async () => {
  const { vault, image, directory } = world();
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  await expect(vault.take(image, never)).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("open to other users"),
  });
});

test("an abort ends the copy and leaves nothing", async () => {
  const { vault, image, directory } = world(randomBytes(20_000_000));
  const cut = new AbortController();
  const taking = vault.take(image, { signal: cut.signal });
  setTimeout(() => cut.abort(new Error("not wanted")), 3);
  await expect(taking).rejects.toThrow("not wanted");
  expect(readdirSync(directory)).toEqual([]);
});

test("a small file beside the package is read within its bounds, and not through a link", async () => {
  const { vault, packages } = world();
  expect(await vault.readSmall("package.sig", 64)).toBeUndefined();
  writeFileSync(join(packages, "package.sig"), "signature");
  expect(Buffer.from((await vault.readSmall("package.sig", 64)) ?? []).toString()).toBe("signature");
  await expect(vault.readSmall("package.sig", 5)).rejects.toThrow("has more than 5 bytes");
  symlinkSync("/etc/passwd", join(packages, "link.sig"));
  await expect(vault.readSmall("link.sig", 64)).rejects.toThrow("is a symbolic link");
});
