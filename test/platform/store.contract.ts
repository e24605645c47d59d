import { describe, expect, test } from "vitest";
import type { Store } from "../../agent/ports.js";

const bytes = (value: string) => new TextEncoder().encode(value);
const text = (record: Uint8Array | undefined) => record && new TextDecoder().decode(record);

/** What every Store does. `reopen` gives a second one on the same records, as after a restart. */
export function storeContract(
  name: string,
  create: () => Promise<{ store: Store; reopen: () => Store }>,
): void {
  describe(`${name} keeps the contract of a store`, () => {
    test("a record that was never written is undefined", async () => {
      const { store } = await create();
      expect(await store.read("absent")).toBeUndefined();
    });

    test("a record is read back, also after a restart", async () => {
      const { store, reopen } = await create();
      await store.write("server-1.record", bytes("lifetime 300"));
      expect(text(await store.read("server-1.record"))).toBe("lifetime 300");
      expect(text(await reopen().read("server-1.record"))).toBe("lifetime 300");
    });

    test("an empty record is a record", async () => {
      const { store } = await create();
      await store.write("empty", new Uint8Array(0));
      expect(await store.read("empty")).toHaveLength(0);
    });

    test("a shorter record replaces a longer one entirely", async () => {
      const { store } = await create();
      await store.write("record", bytes("a long old value"));
      await store.write("record", bytes("new"));
      expect(text(await store.read("record"))).toBe("new");
    });

    test("the last of many writes at once wins", async () => {
      const { store, reopen } = await create();
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => store.write("record", bytes(`write ${n}`.padEnd(n * 500)))),
      );
      expect(text(await reopen().read("record"))?.trim()).toBe("write 19");
    });

    test("the bytes belong to the caller again as soon as write is called", async () => {
      const { store } = await create();
      const record = bytes("kept");
      const written = store.write("record", record);
      record.fill(0);
      await written;
      expect(text(await store.read("record"))).toBe("kept");
    });

    test("changing what was read does not change the record", async () => {
      const { store } = await create();
      await store.write("record", bytes("kept"));
      (await store.read("record"))?.fill(0);
      expect(text(await store.read("record"))).toBe("kept");
    });

    test("a removed record is gone, and removing it again is harmless", async () => {
      const { store, reopen } = await create();
      await store.write("record", bytes("x"));
      await store.remove("record");
      await store.remove("record");
      expect(await store.read("record")).toBeUndefined();
      expect(await reopen().read("record")).toBeUndefined();
    });

    test.each(["", ".", "..", ".hidden", "a/b", "../a", "a~", "a b", "a\0", "ä", "x".repeat(201)])(
      "the name %j is refused",
      async (name) => {
        const { store } = await create();
        await expect(store.read(name)).rejects.toThrow(RangeError);
        await expect(store.write(name, bytes("x"))).rejects.toThrow(RangeError);
        await expect(store.remove(name)).rejects.toThrow(RangeError);
      },
    );
  });
}
