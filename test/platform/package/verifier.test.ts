import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PackageError, type PackageFailure } from "../../../agent/ports.js";
import { formatPublicKey, generateKeys, keyIdOf } from "../../../platform/package/keys.js";
import type { Manifest } from "../../../platform/package/manifest.js";
import { formatSignatureFile, signManifest } from "../../../platform/package/signature.js";
import {
  createPackageVerifier,
  type FetchSmall,
  type VerificationRules,
} from "../../../platform/package/verifier.js";
import { createRecordingLog } from "../../simulated/log.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { createTestBundle, description, imageOf, sha256, testKeys } from "./packages.js";

const content = Buffer.from("the image");
const contents = { "root.img": content };
const uri = "https://user:secret@host/fw.bin?token=secret";
const foreignKeys = generateKeys();
const keyId = keyIdOf(testKeys.publicKey);
const { signal } = new AbortController();

function keyFile(keys = testKeys): string {
  const path = join(temporaryDirectory(), "release.pub");
  writeFileSync(path, formatPublicKey(keys.publicKey));
  return path;
}

function plainImage(bytes = content) {
  const path = join(temporaryDirectory(), "fw.bin");
  writeFileSync(path, bytes);
  return imageOf(path);
}

const signatureOf = (manifest: Partial<Omit<Manifest, "keyId">> = {}, keys = testKeys) =>
  formatSignatureFile(signManifest({ ...description(contents), ...manifest }, keys.privateKey));

interface Given extends Partial<VerificationRules> {
  readonly compatible?: readonly string[];
  /** What lies beside the package, or why it cannot be had. */
  readonly beside?: Uint8Array | PackageFailure;
}

function verifierFor({ compatible = ["acme-gateway-2"], beside = "invalid-uri", ...rules }: Given) {
  const asked: string[] = [];
  const log = createRecordingLog();
  const fetchSmall: FetchSmall = async (address, { maximumBytes }) => {
    asked.push(`${address} ${maximumBytes}`);
    if (typeof beside === "string") throw new PackageError(beside, "the server says so");
    return beside;
  };
  const verifier = createPackageVerifier({
    keys: [],
    ...rules,
    compatible: async () => compatible,
    fetchSmall,
    log,
  });
  return { verifier, asked, log };
}

const refused = (failure: PackageFailure, message: string) =>
  expect.objectContaining({ name: "PackageError", failure, message: expect.stringContaining(message) });

describe("a bundle", () => {
  const verify = async (given: Given, path: string) =>
    verifierFor(given).verifier.verify(imageOf(path), { uri: undefined, signal });

  test("that a trusted key signed gives name and version", async () => {
    const { verifier, asked, log } = verifierFor({ keys: [keyFile(foreignKeys), keyFile()] });
    const image = imageOf(await createTestBundle(contents));
    expect(await verifier.verify(image, { uri, signal })).toEqual({ name: "gateway", version: "1.4.0" });
    expect(asked).toEqual([]);
    expect(log.lines).toEqual([
      expect.objectContaining({
        event: "package signature verified",
        fields: expect.objectContaining({ keyId, keyFile: expect.stringContaining("release.pub") }),
      }),
    ]);
  });

  test("of another key is refused", async () => {
    await expect(verify({ keys: [keyFile(foreignKeys)] }, await createTestBundle(contents))).rejects.toEqual(
      refused("integrity", `signed by the key ${keyId}, which is not trusted here`),
    );
  });

  test("whose manifest changed is refused, also where unsigned packages are not", async () => {
    const path = await createTestBundle(contents);
    const file = readFileSync(path).toString("latin1").replace("1.4.0", "9.9.9");
    writeFileSync(path, file, "latin1");
    for (const required of [true, false]) {
      await expect(verify({ keys: [keyFile()], required }, path)).rejects.toEqual(
        refused("integrity", `a signature that the key ${keyId} did not make`),
      );
    }
  });

  test("whose content changed is refused, with and without keys", async () => {
    const path = await createTestBundle(contents);
    writeFileSync(path, readFileSync(path).toString("latin1").replace("the image", "another 9"), "latin1");
    for (const keys of [[keyFile()], []]) {
      await expect(verify({ keys }, path)).rejects.toEqual(
        refused("integrity", "root.img does not have the SHA-256"),
      );
    }
  });

  test("for another board is refused, with and without keys", async () => {
    const path = await createTestBundle(contents, { manifest: { compatible: ["edison", "edison-2"] } });
    for (const keys of [[keyFile()], []]) {
      await expect(verify({ keys }, path)).rejects.toEqual(
        refused(
          "unsupported-package",
          'the package is made for "edison", "edison-2", and this device is "acme-gateway-2"',
        ),
      );
    }
  });

  test("that is wrong in several ways is refused for the first: signature, digest, board", async () => {
    const key = foreignKeys.privateKey;
    const options = { key, manifest: { compatible: ["edison"] } };
    const path = await createTestBundle(contents, options);
    writeFileSync(path, readFileSync(path).toString("latin1").replace("the image", "another 9"), "latin1");
    await expect(verify({ keys: [keyFile()] }, path)).rejects.toThrow("is not trusted here");
    await expect(verify({ keys: [keyFile(foreignKeys)] }, path)).rejects.toThrow("SHA-256");
  });

  test("is not accepted when no key is left", async () => {
    const path = await createTestBundle(contents);
    for (const given of [{ keys: ["/nowhere.pub"] }, { required: true }]) {
      await expect(verify(given, path)).rejects.toEqual(refused("integrity", "which is not trusted here"));
    }
  });

  test("without keys is accepted, and the log says so", async () => {
    const { verifier, log } = verifierFor({});
    const image = imageOf(await createTestBundle(contents));
    expect(await verifier.verify(image, { uri, signal })).toEqual({ name: "gateway", version: "1.4.0" });
    expect(log.lines[0]).toMatchObject({ level: "warn", fields: { keyId } });
  });

  test("is given up when the update is cancelled", async () => {
    const image = imageOf(await createTestBundle(contents));
    const { verifier } = verifierFor({ keys: [keyFile()] });
    await expect(verifier.verify(image, { uri, signal: AbortSignal.abort() })).rejects.toThrow("abort");
  });
});

describe("a package with its signature beside it", () => {
  const verify = async (given: Given, image = plainImage()) =>
    verifierFor({ keys: [keyFile()], ...given }).verifier.verify(image, { uri, signal });

  test("is accepted by the digest that was taken while it came in", async () => {
    const { verifier, asked } = verifierFor({ keys: [keyFile()], beside: signatureOf() });
    const image = plainImage();
    // Another content, of which the digest says nothing: the file is not read again.
    writeFileSync(image.path, "the imagE");
    expect(await verifier.verify(image, { uri, signal })).toEqual({ name: "gateway", version: "1.4.0" });
    expect(asked).toEqual(["https://user:secret@host/fw.bin.sig?token=secret 65649"]);
  });

  test("of another key is refused", async () => {
    await expect(verify({ beside: signatureOf({}, foreignKeys) })).rejects.toEqual(
      refused("integrity", `signed by the key ${keyIdOf(foreignKeys.publicKey)}, which is not trusted here`),
    );
  });

  test("that is another file than the signed one is refused", async () => {
    await expect(verify({ beside: signatureOf() }, plainImage(Buffer.from("another")))).rejects.toEqual(
      refused("integrity", "not the one that was signed as root.img: its SHA-256 is another"),
    );
    const longer = signatureOf({ files: [{ name: "root.img", size: 10, sha256: sha256(content) }] });
    await expect(verify({ beside: longer })).rejects.toEqual(
      refused("integrity", "the package has 9 bytes, and 10 were signed"),
    );
  });

  test("for another board is refused, after its digest", async () => {
    const beside = signatureOf({ compatible: ["edison"] });
    await expect(verify({ beside })).rejects.toEqual(
      refused("unsupported-package", 'the package is made for "edison", and this device is "acme-gateway-2"'),
    );
    await expect(verify({ beside, compatible: [] })).rejects.toThrow("this device is nothing by name");
    await expect(verify({ beside }, plainImage(Buffer.from("another")))).rejects.toThrow("SHA-256");
  });

  test("that lists several files is refused", async () => {
    const files = ["a", "b"].map((name) => ({ name, size: 9, sha256: sha256(content) }));
    await expect(verify({ beside: signatureOf({ files }) })).rejects.toEqual(
      refused("unsupported-package", "the signature lists 2 files, and the package is one"),
    );
  });

  test("that is no signature is refused", async () => {
    await expect(verify({ beside: Buffer.from("<html>") })).rejects.toEqual(
      refused("integrity", "is not a signature file"),
    );
  });

  test.each(["invalid-uri", "unsupported-protocol"] as const)(
    "is not signed when that answers %s",
    async (beside) => {
      await expect(verify({ beside })).rejects.toEqual(
        refused("integrity", "there is nothing at https://host/fw.bin.sig: the server says so"),
      );
      expect(await verify({ beside, required: false })).toEqual({});
    },
  );

  test.each(["connection", "storage"] as const)(
    "waits for better times when that answers %s",
    async (beside) => {
      for (const required of [true, false]) {
        await expect(verify({ beside, required })).rejects.toEqual(
          refused(beside, "the signature of the package cannot be had: the server says so"),
        );
      }
    },
  );

  test("a wrong signature is refused also where none is needed", async () => {
    await expect(verify({ beside: signatureOf({}, foreignKeys), required: false })).rejects.toEqual(
      refused("integrity", "is not trusted here"),
    );
  });
});

describe("a package without a signature", () => {
  test("that a Server pushed is refused when signatures are required", async () => {
    const { verifier, asked } = verifierFor({ keys: [keyFile()], beside: signatureOf() });
    await expect(verifier.verify(plainImage(), { uri: undefined, signal })).rejects.toEqual(
      refused("integrity", "it was pushed, and it is no bundle"),
    );
    expect(asked).toEqual([]);
  });

  test.each([
    ["no keys are configured", {}, false],
    ["the board has keys of its own", { signedByBoard: true }, false],
    ["the board has keys of its own beside ours", { signedByBoard: true }, true],
  ])("is accepted, and nobody is asked, when %s", async (_, rules, withKeys) => {
    const { verifier, asked } = verifierFor({ ...rules, keys: withKeys ? [keyFile()] : [] });
    for (const from of [uri, undefined]) {
      expect(await verifier.verify(plainImage(), { uri: from, signal })).toEqual({});
    }
    expect(asked).toEqual([]);
  });

  test("needs one all the same when that is said", async () => {
    const { verifier } = verifierFor({ signedByBoard: true, required: true, keys: [keyFile()] });
    await expect(verifier.verify(plainImage(), { uri, signal })).rejects.toEqual(
      refused("integrity", "the package is not signed"),
    );
  });
});

describe("check finds", () => {
  const findings = async (given: Given) =>
    (await verifierFor(given).verifier.findings()).map(({ level, found }) => `${level}: ${found}`);

  test("that nothing is verified", async () => {
    expect(await findings({})).toEqual([expect.stringMatching(/^warning: no keys are configured/)]);
    expect(await findings({ signedByBoard: true })).toEqual([]);
  });

  test("which keys and names count", async () => {
    const path = keyFile();
    expect(await findings({ keys: [path] })).toEqual([
      `info: packages signed by the key ${keyId} (${path}) are installed`,
      'info: packages made for "acme-gateway-2" are installed',
    ]);
  });

  test("that nothing can be installed", async () => {
    const noKey = expect.stringMatching(/^error: packages have to be signed, and there is no key/);
    expect(await findings({ required: true })).toEqual([noKey]);
    expect(await findings({ keys: ["/nowhere.pub"], compatible: [] })).toEqual([
      expect.stringMatching(/^error: the key file \/nowhere.pub cannot be read/),
      noKey,
      expect.stringMatching(/^error: this device has no name/),
    ]);
  });

  test("that unsigned packages pass beside signed ones", async () => {
    expect(await findings({ keys: [keyFile()], required: false })).toContainEqual(
      expect.stringMatching(/^warning: packages without a signature are accepted/),
    );
  });
});

test("a key that is withdrawn or added counts from the next package on", async () => {
  const path = keyFile();
  const { verifier } = verifierFor({ keys: [path] });
  const image = imageOf(await createTestBundle(contents));
  await verifier.verify(image, { uri, signal });
  writeFileSync(path, formatPublicKey(foreignKeys.publicKey));
  await expect(verifier.verify(image, { uri, signal })).rejects.toThrow("is not trusted here");
  writeFileSync(path, formatPublicKey(foreignKeys.publicKey) + formatPublicKey(testKeys.publicKey));
  await verifier.verify(image, { uri, signal });
});
