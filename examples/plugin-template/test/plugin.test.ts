import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createValve } from "../src/plugin.js";
import { startPlugin } from "./fake-agent.js";

let folder: string;
let file: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "valve-"));
  file = join(folder, "position");
  await writeFile(file, "30\n");
});
after(() => rm(folder, { recursive: true }));

test("the valve is read, set and closed", async () => {
  const { object, stop } = await startPlugin(createValve(file));
  const { position, close } = object(33_010);
  assert.equal(await position?.read?.(), 30);
  await position?.write?.(75 as never);
  assert.equal(await readFile(file, "utf8"), "75\n");
  await close?.execute?.(new Map());
  assert.equal(await position?.read?.(), 0);
  await stop();
});

test("what moves it by hand is told", async () => {
  const { changes, stop } = await startPlugin(createValve(file, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await writeFile(file, "10\n");
  await changes.next("position");
  await stop();
});

test("a driver that says nonsense is an error, not a position", async () => {
  const { object, stop } = await startPlugin(createValve(file));
  await writeFile(file, "open\n");
  const { position } = object(33_010);
  await assert.rejects(async () => position?.read?.(), /no position/);
  await stop();
});
