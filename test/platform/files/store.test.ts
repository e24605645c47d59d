import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createFileStore } from "../../../platform/files/store.js";
import { createMemoryStore } from "../../simulated/store.js";
import { storeContract } from "../store.contract.js";
import { temporaryDirectory } from "./temporary-directory.js";

const bytes = (value: string) => new TextEncoder().encode(value);
const text = (record: Uint8Array | undefined) => record && new TextDecoder().decode(record);

storeContract("the store on disk", async () => {
  const directory = temporaryDirectory();
  return { store: createFileStore(directory), reopen: () => createFileStore(directory) };
});

storeContract("the store in memory", async () => {
  const store = createMemoryStore();
  return { store, reopen: () => createMemoryStore(store.records) };
});

test("nothing is touched until the first operation", async () => {
  const directory = join(temporaryDirectory(), "state");
  const store = createFileStore(directory);
  expect(existsSync(directory)).toBe(false);
  await store.read("record");
  expect(existsSync(directory)).toBe(true);
});

test("only the owner can read records and list them", async () => {
  const directory = join(temporaryDirectory(), "below", "state");
  await createFileStore(directory).write("keys", bytes("secret"));
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "keys")).mode & 0o777).toBe(0o600);
});

test("what a crash left half-written is removed, and nothing else", async () => {
  const directory = temporaryDirectory();
  for (const name of ["record", "record~", "notes.txt", "~", "a b~"])
    writeFileSync(join(directory, name), "x");
  await createFileStore(directory).read("record");
  expect(readdirSync(directory).sort()).toEqual(["a b~", "notes.txt", "record", "~"]);
});

test("a directory that cannot be one is a ConfigError which names it, each time anew", async () => {
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  const store = createFileStore(join(file, "state"));
  for (let time = 0; time < 2; time++) {
    await expect(store.read("record")).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining(`cannot write to the directory ${file}/state: a part of the path`),
    });
  }
});

test("a directory where nobody may write is a ConfigError", async () => {
  await expect(createFileStore("/proc").read("record")).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("cannot write to the directory /proc: "),
  });
});

test("a record that cannot be read is an error, not an absent record", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "record"));
  await expect(createFileStore(directory).read("record")).rejects.toThrow(/^cannot read the record .*EISDIR/);
});

describe("a write that is interrupted", () => {
  const script = join(import.meta.dirname, "rewrite-record.mjs");
  /** Open, write, sync, close and rename the draft; open, sync and close the directory. */
  const steps = 8;

  async function rewrite(step: number, fault: string) {
    const directory = temporaryDirectory();
    await createFileStore(directory).write("record", bytes("the old record"));
    const child = execFile(process.execPath, [script, directory, String(step), fault]);
    let output = "";
    child.stdout?.on("data", (data) => {
      output += data;
    });
    child.stderr?.on("data", (data) => {
      output += data;
    });
    const [, signal] = await once(child, "close");
    const record = text(await createFileStore(directory).read("record"));
    return { record, output: output.trim(), signal, files: readdirSync(directory) };
  }

  test("consists of the steps that are broken below", async () => {
    const { output, record } = await rewrite(steps + 1, "kill");
    expect(output).toBe(`written in ${steps} steps`);
    expect(record).toBe("the new record");
  });

  const renamedBy = 6;
  test.each(Array.from({ length: steps }, (_, n) => n + 1))(
    "by a kill at step %d leaves a whole record",
    async (step) => {
      const { record, signal, files } = await rewrite(step, "kill");
      expect(signal).toBe("SIGKILL");
      expect(record).toBe(step < renamedBy ? "the old record" : "the new record");
      expect(files).toEqual(["record"]);
    },
  );

  test.each(Array.from({ length: steps }, (_, n) => n + 1))(
    "by a full disk at step %d rejects and leaves a whole record",
    async (step) => {
      const { record, output, files } = await rewrite(step, "ENOSPC");
      expect(output).toMatch(/^cannot write the record .*: no space left on the device \(ENOSPC\)$/);
      expect(record).toBe(step < renamedBy ? "the old record" : "the new record");
      expect(files).toEqual(["record"]);
    },
  );

  test("by a kill at any moment leaves a whole record", async () => {
    const directory = temporaryDirectory();
    await createFileStore(directory).write("record", new Uint8Array(100_000).fill(97));
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, [script, directory, "loop"]);
      await once(child.stdout, "data");
      await delay(Math.random() * 20);
      child.kill("SIGKILL");
      await once(child, "exit");
      const record = (await createFileStore(directory).read("record")) ?? new Uint8Array();
      expect(record).toHaveLength(100_000);
      expect(new Set(record).size).toBe(1);
    }
  });
});
