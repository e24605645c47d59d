import { generateKeyPairSync, sign, verify } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError } from "../../../agent/model/errors.js";
import {
  formatKeyLine,
  formatPrivateKey,
  formatPublicKey,
  generateKeys,
  keyIdOf,
  parsePrivateKey,
  parsePublicKeys,
} from "../../../platform/package/keys.js";
import { loadTrustedKeys } from "../../../platform/package/trusted-keys.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { testKeys } from "./packages.js";

const { privateKey, publicKey } = testKeys;
const pem = formatPublicKey(publicKey);
const line = formatKeyLine(publicKey, "release 2026");
const never = () => Promise.reject(new Error("asked for a passphrase"));

// RFC 8410 §10.1 and §10.3: a key pair as it appears there.
const rfcPublic = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;
const rfcPrivate = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
`;
/** `openssl pkey -pubin -outform DER | sha256sum`, its first 16 digits. */
const rfcKeyId = "a1e9156054e04fac";

test("the keys of RFC 8410 are read, and belong to each other", async () => {
  const [key] = parsePublicKeys(rfcPublic, "rfc.pub");
  expect(key?.id).toBe(rfcKeyId);
  const secret = await parsePrivateKey(rfcPrivate, "rfc.key", never);
  expect(keyIdOf(secret)).toBe(rfcKeyId);
  const message = Buffer.from("message");
  expect(key && verify(null, message, key.key, sign(null, message, secret))).toBe(true);
});

test("one file holds keys in both forms, with comments between them", () => {
  const other = generateKeys().publicKey;
  const keys = parsePublicKeys(`# of the release team\r\n\n${pem}\n${formatKeyLine(other)}\n`, "keys");
  expect(keys.map(({ id, source }) => [id, source])).toEqual([
    [keyIdOf(publicKey), "keys"],
    [keyIdOf(other), "keys"],
  ]);
});

test("a line names the key by its ID, and may say whose it is", () => {
  expect(line).toMatch(/^ed25519 [0-9a-f]{16} [A-Za-z0-9+/]{43}= release 2026$/);
  expect(parsePublicKeys(line, "keys")[0]?.key.equals(publicKey)).toBe(true);
});

const ecKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
const asPem = { format: "pem" } as const;
const ecPublic = ecKeys.publicKey.export({ ...asPem, type: "spki" }).toString();
const refusals: readonly (readonly [what: string, text: string, message: string])[] = [
  ["nothing", "# no key yet\n", "keys holds no public key"],
  ["a private key", formatPrivateKey(privateKey, undefined), "keys holds a private key"],
  ["an encrypted private key", formatPrivateKey(privateKey, "secret"), "keys holds a private key"],
  ["a key of another kind", ecPublic, "keys holds a key for ec"],
  ["a broken key", pem.replace("MCow", "MCxw"), "keys is not a public key in PEM"],
  ["a key without an end", pem.split("-----END")[0] ?? "", "the key that begins at line 2 has no end"],
  ["another text", "ssh-ed25519 AAAA me", 'keys, line 1: expected "ed25519 KEY-ID BASE64 COMMENT"'],
  ["a key that is too short", line.replace(/[A-Za-z0-9+/]{4}= /, " "), "keys, line 1: expected"],
  ["another key ID", line.replace(/ [0-9a-f]{16} /, ` ${"0".repeat(16)} `), "not as the line says"],
  ["a good key and then a fault", `${line}\noops`, "keys, line 2: expected"],
];

test.each(refusals)("a key file with %s is refused", (_, text, message) => {
  expect(() => parsePublicKeys(text, "keys")).toThrow(ConfigError);
  expect(() => parsePublicKeys(text, "keys")).toThrow(message);
});

test("a private key comes back, with its passphrase where it has one", async () => {
  const plain = formatPrivateKey(privateKey, undefined);
  expect((await parsePrivateKey(plain, "key", never)).equals(privateKey)).toBe(true);
  const encrypted = formatPrivateKey(privateKey, "secret");
  expect((await parsePrivateKey(encrypted, "key", async () => "secret")).equals(privateKey)).toBe(true);
  await expect(parsePrivateKey(encrypted, "key", async () => "Secret")).rejects.toThrow(
    "key cannot be decrypted: is the passphrase right?",
  );
});

test("what is no private key for Ed25519 is refused, and not quoted", async () => {
  const ec = ecKeys.privateKey.export({ ...asPem, type: "pkcs8" }).toString();
  await expect(parsePrivateKey(ec, "key", never)).rejects.toThrow("key is a key for ec");
  for (const text of ["hunter2", ""]) {
    await expect(parsePrivateKey(text, "key", never)).rejects.toThrow(/^key is not a private key in PEM$/);
  }
  await expect(parsePrivateKey(pem, "key", never)).rejects.toThrow(
    /^key holds a public key, which only checks signatures: name the private one$/,
  );
});

// ---- Files -----------------------------------------------------------------------------------------------------

function keyFile(name: string, content: string, mode = 0o644): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

test("keys come from files and from folders of them", async () => {
  const folder = temporaryDirectory();
  const other = generateKeys().publicKey;
  writeFileSync(join(folder, "b.pub"), formatPublicKey(other));
  writeFileSync(join(folder, "a.pem"), rfcPublic);
  writeFileSync(join(folder, "README"), "no key");
  const { keys, findings } = await loadTrustedKeys([keyFile("release.pub", pem), folder]);
  expect(keys.map(({ id }) => id)).toEqual([keyIdOf(publicKey), rfcKeyId, keyIdOf(other)]);
  expect(findings).toEqual([]);
});

test("a file that cannot be used is named, and the others count", async () => {
  const good = keyFile("release.pub", pem);
  const bad = keyFile("bad.pub", "oops");
  const large = keyFile("large.pub", "#".repeat(64 * 1024 + 1));
  const empty = temporaryDirectory();
  const folder = join(temporaryDirectory(), "folder.pub");
  mkdirSync(folder);
  const { keys, findings } = await loadTrustedKeys(["/nowhere.pub", bad, large, empty, folder, good]);
  expect(keys.map(({ source }) => source)).toEqual([good]);
  expect(findings.map(({ level, found }) => `${level}: ${found}`)).toEqual([
    "error: the key file /nowhere.pub cannot be read: no such file or directory (ENOENT)",
    `error: ${bad}, line 1: expected "ed25519 KEY-ID BASE64 COMMENT", or a key in PEM`,
    `error: ${large} is larger than 65536 bytes`,
    `error: ${empty} holds no file *.pub or *.pem`,
    `error: ${folder} holds no file *.pub or *.pem`,
  ]);
});

test("a pipe is not waited for", async () => {
  const { keys, findings } = await loadTrustedKeys(["/dev/zero"]);
  expect(keys).toEqual([]);
  expect(findings[0]?.found).toBe("/dev/zero is not a file");
});

test("a key that everybody may replace is trusted, and reported", async () => {
  const path = keyFile("release.pub", pem, 0o666);
  const { keys, findings } = await loadTrustedKeys([path]);
  expect(keys).toHaveLength(1);
  expect(findings).toEqual([expect.objectContaining({ level: "warning", remedy: `chmod o-w ${path}` })]);
});
