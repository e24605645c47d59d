import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { DownloadStorage, PackageSource } from "../../agent/ports.js";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const bytes = (length: number) => Uint8Array.from({ length }, (_, n) => (n * 7 + (n >> 8)) & 255);
const uri = "https://example.com/fw.bin";
const source: PackageSource = { uri, size: 900_000, validator: '"1"' };
const { signal } = new AbortController();

/** What every DownloadStorage does. Its limit is to be 1,000,000 bytes; `reopen` gives a second one, as after a restart. */
export function downloadStorageContract(
  name: string,
  create: () => { storage: DownloadStorage; reopen: () => DownloadStorage },
): void {
  /** Stores the first part of a package and ends. */
  const suspend = async (storage: DownloadStorage, part: Uint8Array, from = source) => {
    const writer = await storage.begin(from);
    await writer.write(part);
    await writer.suspend();
  };

  describe(`${name} keeps the contract of a storage for downloads`, () => {
    test.each([0, 1, 262_144, 700_001])("a package is taken up after %d bytes", async (received) => {
      const { storage, reopen } = create();
      const content = bytes(900_000);
      await suspend(storage, content.subarray(0, received));
      const part = await reopen().resume(uri, { signal });
      expect(part).toMatchObject({ source, received });
      await part?.writer.write(content.subarray(received));
      expect(await part?.writer.finish()).toMatchObject({ size: 900_000, sha256: sha256(content) });
      expect(await reopen().resume(uri, { signal })).toBeUndefined();
    });

    test("a package is taken up more than once", async () => {
      const { storage, reopen } = create();
      const content = bytes(900_000);
      await suspend(storage, content.subarray(0, 300_000));
      const second = await reopen().resume(uri, { signal });
      await second?.writer.write(content.subarray(300_000, 300_001));
      await second?.writer.suspend();
      await second?.writer.discard();
      const third = await reopen().resume(uri, { signal });
      expect(third?.received).toBe(300_001);
      await third?.writer.write(content.subarray(300_001));
      expect(await third?.writer.finish()).toMatchObject({ sha256: sha256(content) });
    });

    test("nothing is kept for another URI, nor where nothing identifies the package", async () => {
      const { storage, reopen } = create();
      await suspend(storage, bytes(1000));
      expect(await reopen().resume(`${uri}?2`, { signal })).toBeUndefined();
      await suspend(storage, bytes(1000), { ...source, validator: undefined });
      expect(await reopen().resume(uri, { signal })).toBeUndefined();
    });

    test("nothing is kept of what was discarded, finished or cleared", async () => {
      const { storage, reopen } = create();
      const discarded = await storage.begin(source);
      await discarded.write(bytes(1000));
      await discarded.discard();
      await discarded.suspend();
      expect(await reopen().resume(uri, { signal })).toBeUndefined();
      const finished = await storage.begin(source);
      await finished.finish();
      await finished.suspend();
      expect(await reopen().resume(uri, { signal })).toBeUndefined();
      await suspend(storage, bytes(1000));
      await storage.clear();
      expect(await reopen().resume(uri, { signal })).toBeUndefined();
    });

    test("a new package takes the place of the part of an old one", async () => {
      const { storage, reopen } = create();
      await suspend(storage, bytes(1000));
      await suspend(storage, bytes(10), { ...source, validator: '"2"' });
      const part = await reopen().resume(uri, { signal });
      expect(part).toMatchObject({ received: 10, source: { validator: '"2"' } });
      await part?.writer.discard();
    });

    test("what comes after a part is bounded as the whole is", async () => {
      const { storage, reopen } = create();
      await suspend(storage, bytes(900_000), { ...source, size: undefined });
      const part = await reopen().resume(uri, { signal });
      await expect(part?.writer.write(bytes(100_001))).rejects.toMatchObject({ failure: "storage" });
      await part?.writer.discard();
      await expect(storage.begin({ ...source, size: 1_000_001 })).rejects.toMatchObject({
        failure: "storage",
      });
    });

    test("taking up ends with the reason of the signal", async () => {
      const { storage, reopen } = create();
      await suspend(storage, bytes(900_000));
      const reason = new Error("not any more");
      await expect(reopen().resume(uri, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const part = await reopen().resume(uri, { signal });
      expect(part).toBeDefined();
      await part?.writer.discard();
    });
  });
}
