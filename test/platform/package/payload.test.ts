import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSimulatedImage, inspectSimulatedImage } from "../../../platform/boards/simulated-image.js";
import { payloadOf } from "../../../platform/package/payload.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { createTestBundle, imageOf, sha256 } from "./packages.js";

const content = Buffer.from("the image");
const { signal } = new AbortController();

test("a file that is no bundle is all payload", async () => {
  const path = join(temporaryDirectory(), "fw.bin");
  writeFileSync(path, content);
  const image = imageOf(path);
  expect(await payloadOf(image)).toEqual({ ...image, offset: 0 });
});

test("of a bundle the payload is its one file", async () => {
  const image = imageOf(await createTestBundle({ "fw.bin": content }));
  expect(await payloadOf(image)).toEqual({
    path: image.path,
    offset: expect.any(Number),
    size: content.length,
    sha256: sha256(content),
  });
});

test("a bundle of several files has no payload", async () => {
  const image = imageOf(await createTestBundle({ "boot.img": content, "root.img": content }));
  await expect(payloadOf(image)).rejects.toMatchObject({
    failure: "unsupported-package",
    message: "the bundle has several files, and this board installs one",
  });
});

test("the simulated board finds its image in a bundle, and what is wrong with it", async () => {
  const bytes = createSimulatedImage({ name: "test", version: "2.0", size: 5000, seed: 1 });
  const good = imageOf(await createTestBundle({ "fw.bin": bytes }));
  expect(await inspectSimulatedImage(good, { signal })).toEqual({ name: "test", version: "2.0" });
  const cut = imageOf(await createTestBundle({ "fw.bin": bytes.subarray(0, -1) }));
  await expect(inspectSimulatedImage(cut, { signal })).rejects.toMatchObject({
    failure: "integrity",
    message: "the payload has 4999 bytes and should have 5000",
  });
  const other = imageOf(await createTestBundle({ "fw.bin": content }));
  await expect(inspectSimulatedImage(other, { signal })).rejects.toMatchObject({
    failure: "unsupported-package",
  });
});
