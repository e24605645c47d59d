/**
 * The keys that packages are signed with: Ed25519, private ones as PKCS#8 and public ones as SubjectPublicKeyInfo, in PEM
 * as openssl reads and writes it, or public ones as a line of ours: `ed25519 KEY-ID BASE64 COMMENT`.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { ConfigError } from "../../agent/model/errors.js";

export interface PublicKey {
  /** The first 16 hexadecimal digits of the SHA-256 of the key (its SubjectPublicKeyInfo in DER). */
  readonly id: string;
  readonly key: KeyObject;
  /** The file that it comes from. */
  readonly source: string;
}

/** Bytes of a key file. */
export const maximumKeyFile = 64 * 1024;

/** What precedes the 32 bytes of a key in its SubjectPublicKeyInfo, RFC 8410 §4. */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");
const rawKeySize = 32;

export const keyIdOf = (key: KeyObject): string =>
  createHash("sha256").update(spkiOf(key)).digest("hex").slice(0, 16);

const spkiOf = (key: KeyObject): Buffer =>
  (key.type === "private" ? createPublicKey(key) : key).export({ type: "spki", format: "der" });

/** A public key as one line, to be pasted into a file of several. */
export const formatKeyLine = (key: KeyObject, comment = ""): string =>
  `ed25519 ${keyIdOf(key)} ${spkiOf(key).subarray(spkiPrefix.length).toString("base64")} ${comment}`.trimEnd();

/** A public key as PEM, under a line that names it; openssl ignores that line. */
export const formatPublicKey = (key: KeyObject): string =>
  `# lwm2m-agent package key ${keyIdOf(key)}\n${key.export({ type: "spki", format: "pem" })}`;

/** @param passphrase encrypts it (PBES2 with AES-256) */
export function formatPrivateKey(key: KeyObject, passphrase: string | undefined): string {
  const form = { type: "pkcs8", format: "pem" } as const;
  if (passphrase === undefined) return key.export(form) as string;
  return key.export({ ...form, cipher: "aes-256-cbc", passphrase }) as string;
}

export const generateKeys = (): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } =>
  generateKeyPairSync("ed25519");

/**
 * Reads a file of public keys: PEM, lines of ours, comments that begin with `#`.
 * @throws ConfigError when anything in it is not understood, or when it has no key: a typing error must not leave an
 *   operator with fewer keys than they think
 */
export function parsePublicKeys(text: string, source: string): PublicKey[] {
  const keys: PublicKey[] = [];
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = (lines[index] ?? "").trim();
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("-----BEGIN ")) {
      const end = lines.findIndex((candidate, at) => at > index && candidate.startsWith("-----END "));
      if (end < 0) throw new ConfigError(`${source}: the key that begins at line ${index + 1} has no end`);
      keys.push(publicKeyOf(lines.slice(index, end + 1).join("\n"), source));
      index = end;
    } else {
      keys.push(parseKeyLine(line, `${source}, line ${index + 1}`, source));
    }
  }
  if (keys.length === 0) throw new ConfigError(`${source} holds no public key`);
  return keys;
}

function publicKeyOf(pem: string, source: string): PublicKey {
  if (pem.startsWith("-----BEGIN") && /^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw new ConfigError(`${source} holds a private key: keep that secret, and put the public one here`);
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: "pem" });
  } catch (cause) {
    throw new ConfigError(`${source} is not a public key in PEM`, { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new ConfigError(
      `${source} holds a key for ${key.asymmetricKeyType}, and packages are signed by Ed25519`,
    );
  }
  return { id: keyIdOf(key), key, source };
}

function parseKeyLine(line: string, place: string, source: string): PublicKey {
  const [type, id, base64 = ""] = line.split(/\s+/);
  const raw = Buffer.from(base64, "base64");
  if (type !== "ed25519" || raw.length !== rawKeySize || raw.toString("base64") !== base64) {
    throw new ConfigError(`${place}: expected "ed25519 KEY-ID BASE64 COMMENT", or a key in PEM`);
  }
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" });
  if (keyIdOf(key) !== id)
    throw new ConfigError(`${place}: the key is ${keyIdOf(key)}, not as the line says`);
  return { id, key, source };
}

/**
 * Reads a private key.
 * @param passphrase asked for when the key is encrypted
 * @throws ConfigError that never quotes what is in the file
 */
export async function parsePrivateKey(
  pem: string,
  source: string,
  passphrase: () => Promise<string>,
): Promise<KeyObject> {
  const isEncrypted = pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  const given = isEncrypted ? { passphrase: await passphrase() } : {};
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: "pem", ...given });
  } catch {
    throw new ConfigError(
      isEncrypted
        ? `${source} cannot be decrypted: is the passphrase right?`
        : pem.includes("-----BEGIN PUBLIC KEY-----")
          ? `${source} holds a public key, which only checks signatures: name the private one`
          : `${source} is not a private key in PEM`,
    );
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new ConfigError(
      `${source} is a key for ${key.asymmetricKeyType}, and packages are signed by Ed25519`,
    );
  }
  return key;
}
