import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ImageFile, millis } from "../../../agent/ports.js";
import { createSimulatedImage } from "../../../platform/boards/simulated-image.js";
import { createSimulatedSoftware } from "../../../platform/boards/simulated-software.js";
import { createSystemClock } from "../../../platform/clock.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-software-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const { signal } = new AbortController();
const open = () =>
  createSimulatedSoftware({
    directory: join(directory, "installed"),
    clock: createSystemClock(),
    installDuration: millis(1),
  });

async function packageOf(content: Uint8Array): Promise<ImageFile> {
  const path = join(directory, "package");
  await writeFile(path, content);
  return { path, size: content.length, sha256: "" };
}

const good = () => packageOf(createSimulatedImage({ name: "app", version: "1.7", size: 1000, seed: 1 }));

test("what is installed and activated is there after a restart, and gone after Uninstall", async () => {
  const image = await good();
  expect(await open().verify(image, { signal })).toEqual({ name: "app", version: "1.7" });
  expect(await open().installed()).toBeUndefined();
  await open().install(image, { signal });
  expect(await open().installed()).toEqual({ name: "app", version: "1.7", active: false });
  await open().activate();
  expect(await open().installed()).toMatchObject({ active: true });
  await open().deactivate();
  expect(await open().installed()).toMatchObject({ active: false });
  await open().uninstall({ forUpdate: false });
  await open().uninstall({ forUpdate: false });
  expect(await open().installed()).toBeUndefined();
});

test("nothing can be activated that is not there", async () => {
  await expect(open().activate()).rejects.toThrow("no software is installed");
});

test("a package of another kind is refused", async () => {
  const image = await packageOf(Buffer.from("PK"));
  await expect(open().verify(image, { signal })).rejects.toMatchObject({ failure: "unsupported-package" });
  await expect(open().install(image, { signal })).rejects.toMatchObject({ failure: "unsupported-package" });
});

test("an installation that is broken off installs nothing", async () => {
  const abort = new AbortController();
  const software = createSimulatedSoftware({
    directory: join(directory, "installed"),
    clock: createSystemClock(),
  });
  const installing = software.install(await good(), { signal: abort.signal });
  abort.abort(new Error("the agent stops"));
  await expect(installing).rejects.toThrow("the agent stops");
  expect(await software.installed()).toBeUndefined();
});
