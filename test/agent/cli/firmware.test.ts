import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import yargs from "yargs";
import { createFirmwareCommand } from "../../../agent/cli/firmware.js";
import { parseSignatureFile } from "../../../platform/package/signature.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";

interface Outcome {
  readonly out: string;
  readonly err: string;
  /** 0 unless the command said another. */
  readonly code: number;
}

/** Runs a command line in which `%` stands for the folder. What the whole program would end with 2 for rejects. */
async function run(folder: string, line: string, ...answers: string[]): Promise<Outcome> {
  const outcome = { out: "", err: "", code: 0 };
  const command = createFirmwareCommand({
    out: (text) => void (outcome.out += `${text}\n`),
    err: (text) => void (outcome.err += `${text}\n`),
    exitCode: (code) => void (outcome.code = code),
    ask: async (question) => {
      const answer = answers.shift();
      if (answer === undefined) throw new Error(`asked: ${question}`);
      return answer;
    },
  });
  await yargs(line.split(" ").map((word) => word.replaceAll("%", folder)))
    .scriptName("lwm2m-agent")
    .command(command)
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    })
    .parseAsync();
  return outcome;
}

const about = "--name gateway --version 1.4.0 --compatible acme-gateway-2 --compatible acme-gateway-3";

/** Keys, an image and its signature. */
async function prepared(): Promise<string> {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, "fw.bin"), "the image");
  await run(folder, "firmware keygen %/release");
  await run(folder, `firmware sign --key %/release.key ${about} %/fw.bin`);
  return folder;
}

describe("keygen", () => {
  test("writes a private key for the owner alone, and says the public one", async () => {
    const folder = temporaryDirectory();
    const { out } = await run(folder, "firmware keygen %/release");
    expect(statSync(join(folder, "release.key")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, "release.key"), "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(readFileSync(join(folder, "release.pub"), "utf8")).toMatch(
      /^# lwm2m-agent package key [0-9a-f]{16}\n-----BEGIN PUBLIC KEY-----\n/,
    );
    expect(out).toContain("ed25519 ");
    expect((await run(folder, "firmware inspect %/release.pub")).out).toContain(/ed25519 .*/.exec(out)?.[0]);
    expect((await run(folder, "firmware inspect %/release.key")).out).toBe(
      `${folder}/release.key: a private key, of which nothing is shown\n`,
    );
  });

  test("never replaces a key, and leaves nothing half", async () => {
    const folder = temporaryDirectory();
    writeFileSync(join(folder, "release.pub"), "older");
    await expect(run(folder, "firmware keygen %/release")).rejects.toThrow("release.pub is there already");
    expect(readdirSync(folder)).toEqual(["release.pub"]);
    writeFileSync(join(folder, "other.key"), "older");
    await expect(run(folder, "firmware keygen %/other")).rejects.toThrow("other.key is there already");
    expect(readFileSync(join(folder, "other.key"), "utf8")).toBe("older");
    await expect(run(folder, "firmware keygen %/nowhere/release")).rejects.toThrow(
      "nowhere/release.key cannot be written: no such file or directory",
    );
  });

  test("encrypts the key with a passphrase that a person types twice", async () => {
    const folder = temporaryDirectory();
    writeFileSync(join(folder, "fw.bin"), "the image");
    await expect(run(folder, "firmware keygen --passphrase %/release", "one", "other")).rejects.toThrow(
      "the passphrases differ; nothing was written",
    );
    await run(folder, "firmware keygen --passphrase %/release", "secret", "secret");
    expect(readFileSync(join(folder, "release.key"), "utf8")).toMatch(
      /^-----BEGIN ENCRYPTED PRIVATE KEY-----/,
    );
    const sign = `firmware sign --key %/release.key ${about} %/fw.bin`;
    await expect(run(folder, sign, "wrong")).rejects.toThrow("is the passphrase right?");
    await run(folder, sign, "secret");
    expect((await run(folder, "firmware verify --key %/release.pub %/fw.bin")).code).toBe(0);
  });

  test("takes the passphrase from a file, for a build machine", async () => {
    const folder = temporaryDirectory();
    writeFileSync(join(folder, "fw.bin"), "the image");
    writeFileSync(join(folder, "secret"), "of one line\nnot this\n");
    writeFileSync(join(folder, "empty"), "\n");
    await run(folder, "firmware keygen --passphrase-file %/secret %/release");
    const sign = (file: string) =>
      run(folder, `firmware sign --passphrase-file %/${file} --key %/release.key ${about} %/fw.bin`);
    expect((await sign("secret")).out).toContain("gateway");
    await expect(sign("empty")).rejects.toThrow("empty: its first line is empty");
    await expect(sign("nowhere")).rejects.toThrow("nowhere cannot be read: no such file");
    await expect(run(folder, "firmware keygen --passphrase --passphrase-file x %/y")).rejects.toThrow(
      "mutually exclusive",
    );
  });
});

describe("sign", () => {
  test("writes the signature beside the package", async () => {
    const folder = await prepared();
    const { manifest } = parseSignatureFile(readFileSync(join(folder, "fw.bin.sig")));
    expect(manifest).toMatchObject({
      name: "gateway",
      version: "1.4.0",
      compatible: ["acme-gateway-2", "acme-gateway-3"],
      files: [{ name: "fw.bin", size: 9 }],
    });
  });

  test("writes where it is told, and a bundle of several files", async () => {
    const folder = await prepared();
    writeFileSync(join(folder, "boot.img"), "boot");
    await run(folder, `firmware sign --key %/release.key ${about} --output %/other.sig %/fw.bin`);
    expect(existsSync(join(folder, "other.sig"))).toBe(true);
    const line = `firmware sign --json --key %/release.key ${about} --bundle %/gateway.bundle %/boot.img %/fw.bin`;
    const { out } = await run(folder, line);
    expect(JSON.parse(out)).toMatchObject({
      output: `${folder}/gateway.bundle`,
      manifest: { files: [{ name: "boot.img" }, { name: "fw.bin" }] },
    });
    expect((await run(folder, "firmware verify --key %/release.pub %/gateway.bundle")).code).toBe(0);
  });

  test.each([
    ["%/fw.bin %/release.pub", "several files make a package only as a bundle"],
    ["--output %/fw.bin %/fw.bin", "fw.bin would be written over itself"],
    ["--bundle %/release.key %/fw.bin", "release.key would be written over itself"],
    ["%/nowhere.bin", "nowhere.bin cannot be read: no such file or directory"],
    ["%", "is not a file"],
    ["%/empty", "empty is empty"],
    ["%/.hidden", "the name of a file in a package"],
    ["--bundle %/x --output %/y %/fw.bin", "mutually exclusive"],
    ["--output %/nowhere/x.sig %/fw.bin", "nowhere/x.sig cannot be written: no such file"],
    ["--bundle %/twice %/fw.bin %/fw.bin", "it lists fw.bin twice"],
  ])("refuses %s", async (words, message) => {
    const folder = await prepared();
    writeFileSync(join(folder, "empty"), "");
    writeFileSync(join(folder, ".hidden"), "x");
    const before = readdirSync(folder);
    await expect(run(folder, `firmware sign --key %/release.key ${about} ${words}`)).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(before);
  });

  test("refuses what cannot be a key, a name or a version", async () => {
    const folder = await prepared();
    const sign = (words: string) => run(folder, `firmware sign ${words} %/fw.bin`);
    await expect(sign(`--key %/release.pub ${about}`)).rejects.toThrow("release.pub holds a public key");
    await expect(sign(`--key %/nowhere ${about}`)).rejects.toThrow(
      "the key %/nowhere cannot be read".replace("%", folder),
    );
    await expect(sign("--key %/release.key --name x --version 1")).rejects.toThrow("compatible");
    await expect(
      sign(`--key %/release.key --name x --version ${"1".repeat(129)} --compatible x`),
    ).rejects.toThrow('its "version" is not a text of 1 to 128 visible characters');
  });
});

describe("verify", () => {
  test("says that a package is good, and what it is", async () => {
    const folder = await prepared();
    const { out, code } = await run(folder, "firmware verify --key %/release.pub %/fw.bin");
    expect([code, out]).toEqual([0, expect.stringMatching(/fw\.bin: good\n {2}name {8}gateway\n/)]);
    const json = await run(
      folder,
      "firmware verify --json --compatible acme-gateway-3 --key %/release.pub %/fw.bin",
    );
    expect(JSON.parse(json.out)).toMatchObject({ accepted: true, manifest: { version: "1.4.0" } });
  });

  test.each([
    ["--key %/other.pub %/fw.bin", "integrity", "which is not trusted here"],
    ["--key %/release.pub %/changed.bin --signature %/fw.bin.sig", "integrity", "its SHA-256 is another"],
    ["--key %/release.pub %/unsigned.bin", "integrity", "the package is not signed"],
    ["--key %/release.pub %/fw.bin.sig", "integrity", "the package is not signed"],
    ["--key %/release.pub --compatible edison %/fw.bin", "unsupported-package", 'this device is "edison"'],
  ])("refuses %s", async (words, failure, reason) => {
    const folder = await prepared();
    await run(folder, "firmware keygen %/other");
    for (const name of ["changed.bin", "unsigned.bin"]) writeFileSync(join(folder, name), "an image");
    const { err, code } = await run(folder, `firmware verify ${words}`);
    expect([code, err]).toEqual([1, expect.stringContaining(`refused: `)]);
    expect(err).toContain(reason);
    const json = await run(folder, `firmware verify --json ${words}`);
    expect([json.code, JSON.parse(json.out)]).toEqual([
      1,
      { accepted: false, failure, reason: expect.stringContaining(reason) },
    ]);
  });

  test("takes keys from a folder, and refuses to work with a broken one", async () => {
    const folder = await prepared();
    expect((await run(folder, "firmware verify --key % %/fw.bin")).code).toBe(0);
    writeFileSync(join(folder, "broken.pub"), "oops");
    await expect(run(folder, "firmware verify --key % %/fw.bin")).rejects.toThrow("broken.pub, line 1");
    await expect(run(folder, "firmware verify --key %/release.pub %/nowhere")).rejects.toThrow(
      "nowhere cannot be read",
    );
  });
});

describe("inspect", () => {
  test("shows a package, its signature and a bundle", async () => {
    const folder = await prepared();
    await run(folder, `firmware sign --key %/release.key ${about} --bundle %/gateway.bundle %/fw.bin`);
    for (const [name, what] of [
      ["fw.bin", "a package with its signature beside it"],
      ["fw.bin.sig", "a signature"],
      ["gateway.bundle", "a bundle"],
    ]) {
      const { out, code } = await run(folder, `firmware inspect %/${name}`);
      expect([code, out]).toEqual([0, expect.stringContaining(`${name}: ${what}\n  name        gateway`)]);
      expect(out).toContain("compatible  acme-gateway-2\n              acme-gateway-3\n");
      expect(out).toContain("Its signature was not checked");
      expect((await run(folder, `firmware inspect --json %/${name}`)).out).toContain('"version":"1.4.0"');
    }
  });

  test("tells a damaged bundle, and a signature of another file", async () => {
    const folder = await prepared();
    const bundle = join(folder, "gateway.bundle");
    await run(folder, `firmware sign --key %/release.key ${about} --bundle %/gateway.bundle %/fw.bin`);
    writeFileSync(bundle, readFileSync(bundle, "latin1").replace("the image", "an image9"), "latin1");
    expect(await run(folder, "firmware inspect %/gateway.bundle")).toMatchObject({
      code: 1,
      out: expect.stringContaining("DAMAGED: the bundle is damaged: fw.bin does not have the SHA-256"),
    });
    writeFileSync(join(folder, "fw.bin"), "changed");
    expect(await run(folder, "firmware inspect %/fw.bin")).toMatchObject({
      code: 1,
      out: expect.stringContaining("fw.bin.sig belongs to another file"),
    });
    writeFileSync(bundle, readFileSync(bundle).subarray(0, 700));
    expect(await run(folder, "firmware inspect %/gateway.bundle")).toMatchObject({
      code: 1,
      err: "refused: the bundle is damaged: its end is missing, from manifest.json on\n",
    });
  });

  test("shows size and digest of anything else", async () => {
    const folder = temporaryDirectory();
    writeFileSync(join(folder, "file"), "");
    const { out, code } = await run(folder, "firmware inspect %/file");
    expect([code, out]).toEqual([0, expect.stringContaining("not signed: no bundle, and no")]);
    expect(out).toContain("size        0 bytes\n  sha256      e3b0c44298fc1c14");
    await expect(run(folder, "firmware inspect %/nowhere")).rejects.toThrow(
      "nowhere cannot be read: no such file",
    );
    chmodSync(join(folder, "file"), 0o600);
    await expect(run(folder, "firmware inspect %")).rejects.toThrow("cannot be read");
  });
});
