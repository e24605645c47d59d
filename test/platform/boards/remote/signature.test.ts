import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Board, ImageFile } from "../../../../agent/ports.js";
import { acceptanceOf } from "../../../../agent/verification.js";
import { keepSignature, keptSignature } from "../../../../platform/boards/remote/signature.js";
import { formatPublicKey, generateKeys } from "../../../../platform/package/keys.js";
import { formatSignatureFile, signManifest } from "../../../../platform/package/signature.js";
import { createPackageVerifier } from "../../../../platform/package/verifier.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { createTestBundle, description, imageOf, testKeys } from "../../package/packages.js";
import { createHelperWorld } from "./world.js";

const never = new AbortController().signal;
const foreignKeys = generateKeys();
const content = Buffer.from("the image");

/** A helper with the operator's key, an agent that it does not trust, and a board that takes everything. */
async function world(runningVersion = "1.0.0") {
  const applied: ImageFile[] = [];
  const behind = {
    name: "anything",
    describe: async () => ({ firmwareVersion: runningVersion }),
    inspect: async () => ({ name: "fw", version: "?" }),
    apply: async (image: ImageFile) => {
      applied.push(image);
      return "restart" as const;
    },
    commit: async () => {},
  } as unknown as Board; // the helper asks for no more of it here
  const key = join(temporaryDirectory(), "release.pub");
  writeFileSync(key, formatPublicKey(testKeys.publicKey));
  const helper = await createHelperWorld(behind, (vault) => ({
    acceptance: acceptanceOf({}),
    verifier: createPackageVerifier({
      keys: [key],
      fetchSmall: keptSignature(vault),
      log: createRecordingLog(),
    }),
  }));
  const apply = (image: ImageFile) =>
    helper.board.apply(image, { signal: never, progress: () => {}, attempt: "attempt-1" });
  const keep = (path: string) => {
    copyFileSync(path, join(helper.packages, "package"));
    return imageOf(join(helper.packages, "package"));
  };
  const plainPackage = () => {
    writeFileSync(join(helper.packages, "package"), content);
    return imageOf(join(helper.packages, "package"));
  };
  return { helper, apply, applied, keep, plainPackage };
}

const signatureBy = (keys: typeof testKeys, bytes: Buffer = content) =>
  formatSignatureFile(signManifest(description({ "root.img": bytes }), keys.privateKey));

test("a bundle that is signed by the operator is installed", async () => {
  const { apply, applied, keep } = await world();
  expect(await apply(keep(await createTestBundle({ "root.img": content })))).toBe("restart");
  expect(applied).toHaveLength(1);
});

test("a bundle of somebody else is not, whatever the agent says", async () => {
  const { apply, applied, keep } = await world();
  const foreign = await createTestBundle({ "root.img": content }, { key: foreignKeys.privateKey });
  await expect(apply(keep(foreign))).rejects.toMatchObject({
    failure: "integrity",
    message: expect.stringContaining("which is not trusted here"),
  });
  expect(applied).toEqual([]);
});

test("an image counts with the signature that the agent fetched for it", async () => {
  const { apply, plainPackage, helper } = await world();
  const image = plainPackage();
  await expect(apply(image)).rejects.toMatchObject({
    failure: "integrity",
    message: expect.stringContaining("not signed"),
  });
  const fetchSmall = keepSignature(async () => signatureBy(testKeys), helper.packages);
  const fetched = await fetchSmall("https://host/fw.bin.sig", { signal: never, maximumBytes: 100_000 });
  expect(fetched).toEqual(signatureBy(testKeys));
  expect(await apply(image)).toBe("restart");
});

test.each([
  ["by somebody else", signatureBy(foreignKeys)],
  ["for another image", signatureBy(testKeys, Buffer.from("another"))],
  ["that is none", Buffer.from("trust me")],
])("a signature %s does not help an agent that was taken over", async (_, signature) => {
  const { apply, applied, plainPackage, helper } = await world();
  writeFileSync(join(helper.packages, "package.sig"), signature);
  await expect(apply(plainPackage())).rejects.toMatchObject({ name: "PackageError" });
  expect(applied).toEqual([]);
});

test("an older version is refused, though it was signed once", async () => {
  const { apply, applied, keep } = await world("2.0.0");
  await expect(apply(keep(await createTestBundle({ "root.img": content })))).rejects.toMatchObject({
    failure: "unsupported-package",
    message: "version 1.4.0 is older than 2.0.0, which runs here",
  });
  expect(applied).toEqual([]);
});
