/**
 * The same keys, signatures and bundles by other programs: what we sign openssl verifies, what openssl and tar make a device of
 * ours takes. The commands are those of docs/firmware/signing.md.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, expect, test } from "vitest";
import { parsePublicKeys } from "../../../platform/package/keys.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";

const main = join(import.meta.dirname, "../../../dist/agent/cli/main.js");
const about = "--name gateway --version 1.4.0 --compatible acme-gateway-2";

let folder: string;
beforeEach(() => {
  folder = temporaryDirectory();
  writeFileSync(join(folder, "fw.bin"), "the image");
});

/** Runs a line in a shell, as a person does; `lwm2m-agent` is the built program. */
async function shell(line: string): Promise<string> {
  const agent = `lwm2m-agent() { ${process.execPath} ${main} "$@"; }`;
  try {
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", `${agent}; ${line}`], {
      cwd: folder,
    });
    return stdout;
  } catch (error) {
    const { stderr } = error as { stderr: string };
    const missing = /(openssl|tar): command not found/.exec(stderr)?.[1];
    throw new Error(missing === undefined ? stderr : `install the Debian package ${missing}`, {
      cause: error,
    });
  }
}

const verifyManifest =
  "openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in manifest.json -sigfile manifest.sig";

test("openssl verifies the signature beside a package", async () => {
  await shell("lwm2m-agent firmware keygen release");
  await shell(`lwm2m-agent firmware sign --key release.key ${about} fw.bin`);
  await shell("sed -n 2p fw.bin.sig | base64 -d > manifest.sig");
  await shell("tail -n +3 fw.bin.sig > manifest.json");
  expect(await shell(verifyManifest)).toContain("Signature Verified Successfully");
  writeFileSync(
    join(folder, "manifest.json"),
    readFileSync(join(folder, "manifest.json"), "utf8").replace("1.4.0", "1.4.1"),
  );
  await expect(shell(verifyManifest)).rejects.toThrow();
});

test("tar and openssl verify a bundle", async () => {
  await shell("lwm2m-agent firmware keygen release");
  await shell(`lwm2m-agent firmware sign --key release.key ${about} --bundle gateway.bundle fw.bin`);
  await shell("tar -xf gateway.bundle manifest.json manifest.sig");
  expect(await shell(verifyManifest)).toContain("Signature Verified Successfully");
  expect(await shell("tar -xOf gateway.bundle fw.bin")).toBe("the image");
});

test("keys of openssl sign and verify, and have the ID that openssl and sha256sum calculate", async () => {
  await shell("openssl genpkey -algorithm ed25519 -out release.key");
  await shell("openssl pkey -in release.key -pubout -out release.pub");
  const [key] = parsePublicKeys(readFileSync(join(folder, "release.pub"), "utf8"), "release.pub");
  expect(await shell("openssl pkey -pubin -in release.pub -outform DER | sha256sum | cut -c1-16")).toBe(
    `${key?.id}\n`,
  );
  await shell(`lwm2m-agent firmware sign --key release.key ${about} fw.bin`);
  expect(await shell("lwm2m-agent firmware verify --key release.pub fw.bin")).toContain("fw.bin: good");
});

test("an encrypted key goes both ways", async () => {
  writeFileSync(join(folder, "secret"), "a passphrase\n");
  await shell("lwm2m-agent firmware keygen --passphrase-file secret release");
  expect(await shell("openssl pkey -in release.key -passin file:secret -pubout")).toBe(
    readFileSync(join(folder, "release.pub"), "utf8").replace(/^#.*\n/, ""),
  );
  await shell("openssl genpkey -algorithm ed25519 -aes-256-cbc -pass file:secret -out other.key");
  await shell(`lwm2m-agent firmware sign --passphrase-file secret --key other.key ${about} fw.bin`);
  expect(existsSync(join(folder, "fw.bin.sig"))).toBe(true);
});

/** As a build system without our program would do it. */
async function manifestByHand(): Promise<void> {
  await shell("lwm2m-agent firmware keygen release");
  const [key] = parsePublicKeys(readFileSync(join(folder, "release.pub"), "utf8"), "release.pub");
  const sha256 = (await shell("sha256sum fw.bin | cut -c1-64")).trim();
  const manifest = {
    format: "lwm2m-agent package 1",
    name: "gateway",
    version: "1.4.0",
    compatible: ["acme-gateway-2"],
    files: [{ name: "fw.bin", size: 9, sha256 }],
    keyId: key?.id,
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  await shell("openssl pkeyutl -sign -inkey release.key -rawin -in manifest.json -out manifest.sig");
}

test("a bundle that tar and openssl made is taken", async () => {
  await manifestByHand();
  await shell("tar --format=ustar -cf gateway.bundle manifest.json manifest.sig fw.bin");
  expect(await shell("lwm2m-agent firmware verify --key release.pub gateway.bundle")).toContain("good");
});

test("a signature that openssl made is taken beside its package", async () => {
  await manifestByHand();
  await shell(
    `{ echo "lwm2m-agent signature 1"; base64 -w0 manifest.sig; echo; cat manifest.json; } > fw.bin.sig`,
  );
  expect(await shell("lwm2m-agent firmware verify --key release.pub fw.bin")).toContain("good");
});
