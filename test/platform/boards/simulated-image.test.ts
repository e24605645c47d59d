import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSimulatedImage, inspectSimulatedImage } from "../../../platform/boards/simulated-image.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

const options = { name: "weather-station", version: "2.0", size: 100_000, seed: 1 };
const image = createSimulatedImage(options);
const head = `lwm2m-agent simulated image 1\n`;

function inspect(bytes: Uint8Array | string, signal = new AbortController().signal) {
  const path = join(temporaryDirectory(), "package");
  writeFileSync(path, bytes);
  const content = Buffer.from(bytes);
  const sha256 = createHash("sha256").update(content).digest("hex");
  return inspectSimulatedImage({ path, size: content.length, sha256 }, { signal });
}

test("an image says what it is", async () => {
  expect(await inspect(image)).toEqual({ name: "weather-station", version: "2.0" });
  expect(await inspect(createSimulatedImage({ ...options, size: 0 }))).toMatchObject({ version: "2.0" });
});

test("the same options give the same image, another seed another payload", () => {
  expect(createSimulatedImage(options)).toEqual(image);
  expect(createSimulatedImage({ ...options, seed: 2 })).not.toEqual(image);
});

test.each([
  ["nothing", ""],
  ["another file", "PK\u0003\u0004 some archive"],
  ["a head without a description", head],
  ["a description without an end", `${head}${"x".repeat(5000)}`],
  ["a description that is not JSON", `${head}{"name":\n`],
  ["a description that is not an object", `${head}null\n`],
  ["an incomplete description", `${head}{"name":"x","version":"2.0"}\n`],
  ["an image for another board", createSimulatedImage({ ...options, compatible: "edison" })],
])("%s is not a package for this board", async (_, bytes) => {
  await expect(inspect(bytes)).rejects.toMatchObject({ failure: "unsupported-package" });
});

test("a flipped bit is found wherever it is in the payload", async () => {
  for (const offset of [image.length - 1, image.length - options.size, image.length - 50_000]) {
    const corrupt = Uint8Array.from(image);
    corrupt[offset] = (corrupt[offset] ?? 0) ^ 1;
    await expect(inspect(corrupt)).rejects.toMatchObject({ failure: "integrity" });
  }
});

test.each([
  ["a shorter", image.subarray(0, -1)],
  ["a longer", Buffer.concat([image, Buffer.from("x")])],
])("%s payload is found", async (_, bytes) => {
  await expect(inspect(bytes)).rejects.toMatchObject({ failure: "integrity" });
});

test("a cancelled inspection ends with the reason", async () => {
  await expect(inspect(image, AbortSignal.abort(new Error("cancelled")))).rejects.toThrow("cancelled");
});
