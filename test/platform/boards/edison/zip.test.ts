import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FilePart, listZip, openZipMember } from "../../../../platform/boards/edison/zip.js";
import { createSeededRandom } from "../../../simulated/random.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { type ZipContent, zipOf } from "./zip-writer.js";

function archiveOf(bytes: Uint8Array, before = 0, after = 0): FilePart {
  const path = join(temporaryDirectory(), "archive");
  writeFileSync(path, Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(after, 7)]));
  return { path, offset: before, size: bytes.length };
}

const digestOf = (content: Uint8Array) =>
  `${content.length} ${createHash("sha256").update(content).digest("hex")}`;

/** What comes out, by its digest. */
async function unpack(archive: FilePart): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const member of await listZip(archive)) {
    const pieces: Buffer[] = [];
    for await (const piece of openZipMember(archive, member)) pieces.push(piece);
    contents[member.name] = digestOf(Buffer.concat(pieces));
  }
  return contents;
}

const random = createSeededRandom(1);
const contents: readonly ZipContent[] = [
  { name: "ota_update.scr", content: random.bytes(500) },
  { name: "big.ext4", content: Buffer.alloc(3_000_000, "abc") },
  { name: "noise.bin", content: random.bytes(700_000), stored: true },
  { name: "empty", content: new Uint8Array(), stored: true },
  { name: "folder/", content: new Uint8Array(), stored: true },
  { name: "folder/file", content: Buffer.from("x") },
];
const expected = Object.fromEntries(
  contents.filter(({ name }) => !name.endsWith("/")).map(({ name, content }) => [name, digestOf(content)]),
);

test("stored and deflated members come back, folders are left out", async () => {
  expect(await unpack(archiveOf(zipOf(contents)))).toEqual(expected);
});

test("an archive may lie inside another file, and end with a comment", async () => {
  expect(await unpack(archiveOf(zipOf(contents, { comment: "PK\x05\x06 not the end" }), 1536, 4000))).toEqual(
    expected,
  );
});

const one = (claims: ZipContent["claims"], name = "a", stored = false): readonly ZipContent[] => [
  { name, content: Buffer.alloc(10_000, "y"), stored, ...(claims && { claims }) },
];

test.each<[string, readonly ZipContent[], string]>([
  ["a member that grows beyond its size", one({ size: 9_999 }), "integrity"],
  ["a member that is shorter than its size", one({ size: 10_001 }), "integrity"],
  ["a wrong checksum", one({ crc32: 1 }), "integrity"],
  ["another name in the local header", one({ localName: "b" }), "integrity"],
  ["a stored member of two sizes", one({ size: 10 }, "a", true), "integrity"],
  ["an encrypted member", one({ flags: 1 }), "unsupported-package"],
  ["another method", one({ method: 12 }), "unsupported-package"],
  ["a symbolic link", one({ mode: 0o120777 }), "unsupported-package"],
  ["a device", one({ mode: 0o060644 }), "unsupported-package"],
  ["ZIP64 sizes", one({ size: 0xffffffff }), "unsupported-package"],
  ["the same name in other letters", [...one({}), ...one({}, "A")], "unsupported-package"],
  ...["../a", "a/../b", "/a", "a//b", "./a", "a\\b", "c:a", "a\0", "a\nb", "", "ä"].map(
    (name) => [`the name ${JSON.stringify(name)}`, one({}, name), "unsupported-package"] as const,
  ),
] as [string, readonly ZipContent[], string][])("%s is refused", async (_, members, failure) => {
  await expect(unpack(archiveOf(zipOf(members)))).rejects.toMatchObject({ failure });
});

test("a bomb is stopped at the size that its list says", async () => {
  const content = Buffer.alloc(20_000_000);
  const archive = archiveOf(zipOf([{ name: "bomb", content, claims: { size: 1000 } }]));
  const [member] = await listZip(archive);
  let received = 0;
  const reading = async () => {
    for await (const piece of openZipMember(archive, member as never)) received += piece.length;
  };
  await expect(reading()).rejects.toThrow("larger than the 1000 bytes");
  expect(received).toBeLessThanOrEqual(1000);
});

test("too many members are not even listed", async () => {
  const members = Array.from({ length: 1025 }, (_, index) => ({
    name: `${index}`,
    content: new Uint8Array(),
    stored: true,
  }));
  await expect(listZip(archiveOf(zipOf(members)))).rejects.toMatchObject({ failure: "unsupported-package" });
});

test("anything else is not a zip archive, an archive that was cut is damaged", async () => {
  await expect(listZip(archiveOf(Buffer.alloc(0)))).rejects.toMatchObject({ failure: "unsupported-package" });
  await expect(listZip(archiveOf(Buffer.alloc(500, "<html>")))).rejects.toMatchObject({
    failure: "unsupported-package",
  });
  const whole = zipOf(contents.slice(0, 1));
  for (let length = 4; length < whole.length; length++) {
    await expect(listZip(archiveOf(whole.subarray(0, length)))).rejects.toMatchObject({
      failure: "integrity",
    });
  }
});

test("whatever is changed in an archive, it unpacks to what it was, or not at all", async () => {
  const small = contents.map(({ content, ...rest }) => ({ ...rest, content: content.slice(0, 400) }));
  const whole = zipOf(small);
  const truth = await unpack(archiveOf(whole));
  const path = archiveOf(whole).path;
  for (let round = 0; round < 250; round++) {
    const bytes = Buffer.from(whole);
    const at = Math.floor(random.fraction() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random.fraction() * 8));
    writeFileSync(path, bytes);
    try {
      const found = await unpack({ path, offset: 0, size: bytes.length });
      // Names and the list itself carry no checksum: there, less or other names may come out, never other content.
      for (const content of Object.values(found)) {
        expect(Object.values(truth)).toContain(content);
      }
    } catch (error) {
      expect(error).toHaveProperty("failure");
    }
  }
});

test("an abort ends the stream", async () => {
  const archive = archiveOf(zipOf(contents));
  const members = await listZip(archive);
  const cut = new AbortController();
  for (const name of ["big.ext4", "noise.bin"]) {
    const member = members.find((candidate) => candidate.name === name);
    const reading = async () => {
      for await (const _ of openZipMember(archive, member as never, { signal: cut.signal }))
        cut.abort(new Error("the power went"));
    };
    await expect(reading()).rejects.toThrow("the power went");
  }
});
