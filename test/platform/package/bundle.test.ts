import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkMembers, isBundle, openMember, readBundle } from "../../../platform/package/bundle.js";
import { formatManifest } from "../../../platform/package/manifest.js";
import { signManifest } from "../../../platform/package/signature.js";
import { encodeTarHeader, paddingAfter, tarBlock } from "../../../platform/package/tar.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { createTestBundle, description, testKeys } from "./packages.js";

const boot = Buffer.from("the boot partition");
const root = randomBytes(3 * 256 * 1024 + 17);
const contents = { "boot.img": boot, "root.img": root };

async function contentOf(path: string, name: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of openMember(await readBundle(path), name)) pieces.push(piece);
  return Buffer.concat(pieces);
}

// ---- Archives as one likes them --------------------------------------------------------------------------------

type Piece = Uint8Array | { readonly name: string; readonly content: Uint8Array; readonly patch?: Patch };
/** Bytes of a header that are other than ours, by their offset. */
type Patch = Readonly<Record<number, string>>;

function patched(header: Uint8Array, patch: Patch): Uint8Array {
  const block = Buffer.from(header);
  for (const [offset, text] of Object.entries(patch)) block.write(text, Number(offset), "latin1");
  if (patch[148] !== undefined) return block;
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

const end = new Uint8Array(2 * tarBlock);

function archive(...pieces: readonly Piece[]): string {
  const blocks = pieces.flatMap((piece) =>
    piece instanceof Uint8Array
      ? [piece]
      : [
          patched(encodeTarHeader({ name: piece.name, size: piece.content.length }), piece.patch ?? {}),
          piece.content,
          new Uint8Array(paddingAfter(piece.content.length)),
        ],
  );
  const path = join(temporaryDirectory(), "package");
  writeFileSync(path, Buffer.concat(blocks));
  return path;
}

const signed = signManifest(description(contents), testKeys.privateKey);
const manifest = { name: "manifest.json", content: signed.bytes };
const signature = { name: "manifest.sig", content: signed.signature };
const first = { name: "boot.img", content: boot };
const second = { name: "root.img", content: root };

// ---- What is read ----------------------------------------------------------------------------------------------

test("a bundle that we wrote gives manifest, places and contents", async () => {
  const path = await createTestBundle(contents);
  const bundle = await readBundle(path);
  expect(bundle.manifest).toMatchObject({
    name: "gateway",
    version: "1.4.0",
    compatible: ["acme-gateway-2"],
  });
  expect(bundle.members.map(({ name, size }) => [name, size])).toEqual([
    ["boot.img", boot.length],
    ["root.img", root.length],
  ]);
  const file = readFileSync(path);
  for (const { offset, size, name } of bundle.members) {
    expect(file.subarray(offset, offset + size).equals(contents[name as keyof typeof contents])).toBe(true);
  }
  expect((await contentOf(path, "root.img")).equals(root)).toBe(true);
  await checkMembers(bundle);
});

test("the same package is the same file, whenever it is made", async () => {
  const [one, other] = [await createTestBundle(contents), await createTestBundle(contents)];
  expect(readFileSync(one).equals(readFileSync(other))).toBe(true);
});

test("tar lists and unpacks what we wrote", async () => {
  const path = await createTestBundle(contents);
  const folder = temporaryDirectory();
  expect(execFileSync("tar", ["-tf", path], { encoding: "utf8" })).toBe(
    "manifest.json\nmanifest.sig\nboot.img\nroot.img\n",
  );
  execFileSync("tar", ["-xf", path, "-C", folder]);
  expect(readFileSync(join(folder, "root.img")).equals(root)).toBe(true);
});

test("an archive that tar wrote is a bundle, its filled-up end included", async () => {
  const folder = temporaryDirectory();
  const all = { "manifest.json": signed.bytes, "manifest.sig": signed.signature, ...contents };
  for (const [name, content] of Object.entries(all)) writeFileSync(join(folder, name), content);
  const path = join(folder, "package");
  execFileSync("tar", ["--format=ustar", "-cf", path, ...Object.keys(all)], { cwd: folder });
  expect(readFileSync(path).length % 10240).toBe(0);
  expect(await contentOf(path, "boot.img")).toEqual(boot);
});

test("a bundle is told from other files by its beginning", async () => {
  expect(await isBundle(await createTestBundle(contents))).toBe(true);
  expect(await isBundle(archive(first, manifest))).toBe(false);
  expect(await isBundle(archive(Buffer.from("image")))).toBe(false);
  expect(await isBundle(archive())).toBe(false);
});

test("manifest and signature are judged before anything behind them is looked at", async () => {
  const refuse = () => {
    throw new Error("not trusted");
  };
  const path = archive(manifest, signature, Buffer.from("no archive at all"));
  await expect(readBundle(path, { accept: refuse })).rejects.toThrow("not trusted");
});

test("a changed byte shows at the end of the stream, and when all files are checked", async () => {
  const path = await createTestBundle(contents);
  const bundle = await readBundle(path);
  const file = readFileSync(path);
  const at = (bundle.members[1]?.offset ?? 0) + 1000;
  file[at] = (file[at] ?? 0) ^ 1;
  writeFileSync(path, file);
  const wrong = {
    failure: "integrity",
    message: expect.stringContaining("root.img does not have the SHA-256"),
  };
  await expect(contentOf(path, "root.img")).rejects.toMatchObject(wrong);
  await expect(checkMembers(bundle)).rejects.toMatchObject(wrong);
  expect(await contentOf(path, "boot.img")).toEqual(boot);
});

test("a check ends when it is cancelled", async () => {
  const bundle = await readBundle(await createTestBundle(contents));
  await expect(checkMembers(bundle, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
});

test("a file that a bundle does not have cannot be opened", async () => {
  const path = await createTestBundle(contents);
  await expect(contentOf(path, "../root.img")).rejects.toThrow(RangeError);
});

// ---- What is refused -------------------------------------------------------------------------------------------

const whole: readonly Piece[] = [manifest, signature, first, second, end];
const instead = (at: number, ...pieces: readonly Piece[]): readonly Piece[] =>
  whole.toSpliced(at, 1, ...pieces);
const header = (patch: Patch) => instead(2, { ...first, patch });
const renamed = (name: string) => header({ 0: name });

const refusals: readonly { what: string; pieces: readonly Piece[]; failure?: string; message: string }[] = [
  { what: "nothing", pieces: [], failure: "integrity", message: "its end is missing" },
  { what: "a manifest that is not first", pieces: [signature, manifest], message: '"manifest.sig" is where' },
  { what: "no signature", pieces: instead(1), message: '"boot.img" is where manifest.sig should be' },
  {
    what: "a signature of another length",
    pieces: instead(1, { name: "manifest.sig", content: new Uint8Array(63) }),
    message: "manifest.sig has 63 bytes",
  },
  {
    what: "an endless signature",
    pieces: instead(1, { name: "manifest.sig", content: new Uint8Array(65) }),
    message: "manifest.sig has 65 bytes, and 64 are the most",
  },
  {
    what: "an endless manifest",
    pieces: instead(0, { name: "manifest.json", content: new Uint8Array(64 * 1024 + 1) }),
    message: "manifest.json has 65537 bytes, and 65536 are the most",
  },
  {
    what: "a manifest that is none",
    pieces: instead(0, { name: "manifest.json", content: Buffer.from("{") }),
    message: "it is not JSON",
  },
  {
    what: "another order",
    pieces: [manifest, signature, second, first, end],
    message: '"root.img" is where',
  },
  { what: "a missing file", pieces: instead(3), message: "it ends where root.img should be" },
  {
    what: "a file twice",
    pieces: instead(3, first, second),
    message: '"boot.img" is where root.img should be',
  },
  { what: "a file more", pieces: instead(4, first, end), message: "something behind the files" },
  { what: "a path", pieces: renamed("../boot.img"), message: '"../boot.img" is where boot.img should be' },
  { what: "an absolute path", pieces: renamed("/boot.img"), message: '"/boot.img" is where boot.img' },
  { what: "a folder in the prefix", pieces: header({ 345: "etc" }), message: "lies in a folder" },
  { what: "a name with a tail", pieces: renamed("boot.img\0evil"), message: "more than its text" },
  { what: "a hard link", pieces: header({ 156: "1" }), message: "is not a regular file" },
  { what: "a symbolic link", pieces: header({ 156: "2" }), message: "is not a regular file" },
  { what: "a device", pieces: header({ 156: "3" }), message: "is not a regular file" },
  { what: "a folder", pieces: header({ 156: "5" }), message: "is not a regular file" },
  { what: "a sparse file", pieces: header({ 156: "S" }), message: "is not a regular file" },
  { what: "a pax header", pieces: header({ 156: "x" }), message: "is not a regular file" },
  { what: "a global pax header", pieces: header({ 156: "g" }), message: "is not a regular file" },
  { what: "a long name of GNU tar", pieces: header({ 156: "L" }), message: "is not a regular file" },
  { what: "an old regular file", pieces: header({ 156: "\0" }), message: "is not a regular file" },
  { what: "a regular file with a link name", pieces: header({ 157: "x" }), message: "is a link" },
  { what: "the format of GNU tar", pieces: header({ 257: "ustar  \0" }), message: "tar --format=ustar" },
  { what: "a wrong checksum", pieces: header({ 148: "0000000\0" }), message: "the checksum of a header" },
  { what: "a size in binary", pieces: header({ 124: "\x80\0\0\0\0\0\0\0\0\0\0\x12" }), message: "not octal" },
  { what: "a negative size", pieces: header({ 124: "-0000000022\0" }), message: "not octal" },
  {
    what: "another size than in the manifest",
    pieces: header({ 124: "00000000023\0" }),
    failure: "integrity",
    message: "boot.img has 19 bytes, and its manifest says 18",
  },
  {
    what: "a size beyond the end",
    pieces: header({ 124: "77777777777\0" }),
    failure: "integrity",
    message: "its end is missing, from boot.img on",
  },
  {
    what: "bytes in the padding",
    pieces: instead(2, encodeTarHeader({ name: "boot.img", size: boot.length }), boot, Buffer.alloc(494, 1)),
    message: "something hidden behind boot.img",
  },
  {
    what: "an end that is cut",
    pieces: instead(4, new Uint8Array(tarBlock)),
    failure: "integrity",
    message: "end",
  },
  {
    what: "an end too long",
    pieces: [...whole, new Uint8Array(20 * tarBlock + 1)],
    message: "something behind",
  },
  {
    what: "bytes after the end",
    pieces: [...whole, Buffer.from("x")],
    message: "something behind the files",
  },
];

test.each(refusals)(
  "a bundle with $what is refused",
  async ({ pieces, failure = "unsupported-package", message }) => {
    await expect(readBundle(archive(...pieces))).rejects.toMatchObject({
      name: "PackageError",
      failure,
      message: expect.stringContaining(message),
    });
  },
);

test("a bundle cut at any block, and beside it, is damaged and nothing else", async () => {
  const bytes = readFileSync(archive(...whole));
  const path = join(temporaryDirectory(), "cut");
  const lengths = [0, 1, 511];
  for (
    let at = tarBlock;
    at < bytes.length;
    at += bytes.length > 10_000 && at > 4096 ? 64 * tarBlock : tarBlock
  )
    lengths.push(at, at + 1);
  for (const length of lengths) {
    writeFileSync(path, bytes.subarray(0, length));
    await expect(readBundle(path)).rejects.toMatchObject({ failure: "integrity" });
  }
});

test("a manifest names no file that is a path, taken or listed twice", async () => {
  const names = [
    "../x",
    "a/b",
    "a..b",
    ".hidden",
    "-rf",
    "manifest.json",
    "manifest.sig",
    "x\0y",
    "ü",
    "x".repeat(100),
  ];
  const bundleOf = (...files: readonly string[]) => {
    const listed = files.map((name) => ({ name, size: 1, sha256: "0".repeat(64) }));
    const content = formatManifest({ ...signed.manifest, files: listed });
    return readBundle(archive({ name: "manifest.json", content }, signature));
  };
  for (const name of names)
    await expect(bundleOf(name)).rejects.toThrow("the name of a file is not 1 to 99 letters");
  await expect(bundleOf("a", "a")).rejects.toThrow("it lists a twice");
});
