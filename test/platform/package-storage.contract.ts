import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { PackageStorage } from "../../agent/ports.js";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const bytes = (length: number, seed = 7) =>
  Uint8Array.from({ length }, (_, n) => (n * seed + (n >> 8)) & 255);

/** What every PackageStorage does. Its limit is to be 1,000,000 bytes; `reopen` gives a second one, as after a restart. */
export function packageStorageContract(
  name: string,
  create: () => { storage: PackageStorage; reopen: () => PackageStorage },
): void {
  const store = async (storage: PackageStorage, content: Uint8Array, pieceSize = 1024) => {
    const writer = await storage.create(content.length);
    for (let offset = 0; offset < content.length; offset += pieceSize) {
      await writer.write(content.subarray(offset, offset + pieceSize));
    }
    return writer.finish();
  };

  describe(`${name} keeps the contract of a package storage`, () => {
    test.each([0, 1, 1024, 262_144, 262_145, 1_000_000])("a package of %d bytes is kept", async (size) => {
      const { storage, reopen } = create();
      const content = bytes(size);
      const image = await store(storage, content, 1000);
      expect(image).toMatchObject({ size, sha256: sha256(content) });
      expect(await storage.verify(image)).toBe(true);
      expect(await reopen().verify(image)).toBe(true);
    });

    test("the bytes of a piece belong to the caller again when write resolves", async () => {
      const { storage } = create();
      const writer = await storage.create(undefined);
      const piece = new Uint8Array(1000).fill(1);
      await writer.write(piece);
      piece.fill(2);
      expect((await writer.finish()).sha256).toBe(sha256(new Uint8Array(1000).fill(1)));
    });

    test("an announced size over the limit is refused before the first byte", async () => {
      const { storage } = create();
      await expect(storage.create(1_000_001)).rejects.toMatchObject({ failure: "storage" });
    });

    test("a package that was not announced ends at the limit", async () => {
      const { storage } = create();
      const writer = await storage.create(undefined);
      await writer.write(bytes(999_999));
      await expect(writer.write(bytes(2))).rejects.toMatchObject({ failure: "storage" });
      await writer.discard();
    });

    test("a new package takes the place of the old one", async () => {
      const { storage } = create();
      const first = await store(storage, bytes(1000, 3));
      const second = await store(storage, bytes(1000, 5));
      expect(await storage.verify(first)).toBe(false);
      expect(await storage.verify(second)).toBe(true);
    });

    test("a package that is begun while another one is under way wins", async () => {
      const { storage } = create();
      const abandoned = await storage.create(undefined);
      await abandoned.write(bytes(500));
      const image = await store(storage, bytes(1000));
      await expect(abandoned.write(bytes(500))).rejects.toThrow();
      await expect(abandoned.finish()).rejects.toThrow();
      await abandoned.discard();
      expect(await storage.verify(image)).toBe(true);
    });

    test("nothing is left of a discarded package, and discarding a finished one is harmless", async () => {
      const { storage } = create();
      const writer = await storage.create(undefined);
      await writer.write(bytes(1000));
      await writer.discard();
      await writer.discard();
      const finished = await storage.create(undefined);
      const image = await finished.finish();
      await finished.discard();
      expect(await storage.verify(image)).toBe(true);
    });

    test("a cleared package is gone, and clearing again is harmless", async () => {
      const { storage } = create();
      const image = await store(storage, bytes(1000));
      await storage.clear();
      await storage.clear();
      expect(await storage.verify(image)).toBe(false);
    });

    test("another size or digest is another package", async () => {
      const { storage } = create();
      const image = await store(storage, bytes(1000));
      expect(await storage.verify({ ...image, size: 999 })).toBe(false);
      expect(await storage.verify({ ...image, sha256: "0".repeat(64) })).toBe(false);
      expect(await storage.verify({ ...image, path: "/elsewhere/package" })).toBe(false);
    });
  });
}
