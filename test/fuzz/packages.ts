/** What a package may bring along: bundles, signatures, manifests; and the key files of the operator. */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { ConfigError } from "../../agent/model/errors.js";
import { PackageError } from "../../agent/ports.js";
import { type BundleSource, readContents } from "../../platform/package/bundle.js";
import { formatKeyLine, formatPublicKey, keyIdOf, parsePublicKeys } from "../../platform/package/keys.js";
import {
  formatManifest,
  type Manifest,
  parseManifest,
  type SignedManifest,
} from "../../platform/package/manifest.js";
import {
  checkSignature,
  formatSignatureFile,
  parseSignatureFile,
  signManifest,
} from "../../platform/package/signature.js";
import { encodeTarHeader, paddingAfter, tarBlock } from "../../platform/package/tar.js";
import { mutate, pick, type SeededRandom } from "./mutate.js";
import type { Target } from "./target.js";

// RFC 8410 §10.3: always the same key, so that a batch can be repeated.
const privateKey = createPrivateKey(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
`);
const publicKey = createPublicKey(privateKey);
const trusted = [{ id: keyIdOf(publicKey), key: publicKey, source: "release.pub" }];

const manifestOf = (random: SeededRandom): Omit<Manifest, "keyId"> => ({
  name: pick(["gateway", 'a "name"', "ü"], random),
  version: `${random.integer(9)}.${random.integer(99)}`,
  compatible: ["raspberry-pi", "edison"].slice(random.integer(2)),
  files: ["boot.img", "root.img"].slice(random.integer(2)).map((name) => ({
    name,
    size: 1 + random.integer(700),
    sha256: "0".repeat(64),
  })),
});

interface Sample {
  readonly signed: SignedManifest;
  readonly bundle: Uint8Array;
}

function sample(random: SeededRandom): Sample {
  const signed = signManifest(manifestOf(random), privateKey);
  const members = [
    { name: "manifest.json", content: signed.bytes },
    { name: "manifest.sig", content: signed.signature },
    ...signed.manifest.files.map(({ name, size }) => ({ name, content: random.bytes(size) })),
  ];
  const blocks = members.flatMap(({ name, content }) => [
    encodeTarHeader({ name, size: content.length }),
    content,
    new Uint8Array(paddingAfter(content.length)),
  ]);
  return { signed, bundle: Buffer.concat([...blocks, new Uint8Array(2 * tarBlock)]) };
}

/** A bundle with some bytes other, mostly in a header whose checksum is then right again. */
function mutatedBundle({ bundle }: Sample, random: SeededRandom): Uint8Array {
  const bytes = Buffer.from(bundle);
  const kind = random.integer(8);
  if (kind === 0) return bytes;
  if (kind === 1) return bytes.subarray(0, random.integer(bytes.length));
  if (kind === 2) return Buffer.concat([bytes, random.bytes(random.integer(1500))]);
  const block = tarBlock * random.integer(bytes.length / tarBlock);
  const header = bytes.subarray(block, block + tarBlock);
  const at = pick([0, 100, 124, 124, 135, 156, 157, 257, 345, random.integer(tarBlock)], random);
  header.set(mutate([header.subarray(at, at + 12)], random).subarray(0, tarBlock - at), at);
  if (kind > 3) {
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return bytes;
}

const sourceOf = (bytes: Uint8Array): BundleSource => ({
  size: bytes.length,
  read: async (offset, length) => {
    if (length > 128 * 1024) throw new Error(`${length} bytes are read at once`);
    const piece = bytes.subarray(offset, offset + length);
    if (piece.length < length) throw new PackageError("integrity", "its end is missing");
    return piece;
  },
});

const bundles: Target = {
  name: "bundle",
  weight: 1,
  begin(random) {
    const samples = Array.from({ length: 4 }, () => sample(random));
    return {
      next: () => mutatedBundle(pick(samples, random), random),
      take: (input) =>
        refusing(async () => {
          const accept = (signed: SignedManifest) => void checkSignature(signed, trusted, "it");
          const { signed, members } = await readContents(sourceOf(input), { accept });
          if (!samples.some((one) => Buffer.from(one.signed.bytes).equals(signed.bytes))) {
            throw new Error("what nobody signed was accepted");
          }
          for (const { name, offset, size } of members) {
            if (offset + size > input.length) throw new Error(`${name} ends behind the bundle`);
          }
        }),
    };
  },
};

const signatures: Target = {
  name: "signature file",
  weight: 1,
  begin(random) {
    const samples = Array.from({ length: 4 }, () => sample(random).signed);
    const files = samples.map(formatSignatureFile);
    return {
      next: () => (random.integer(4) === 0 ? pick(files, random) : mutate(files, random)),
      take: (input) =>
        refusing(() => {
          const signed = parseSignatureFile(input);
          checkSignature(signed, trusted, "it");
          if (!samples.some(({ bytes }) => Buffer.from(bytes).equals(signed.bytes))) {
            throw new Error("what nobody signed was accepted");
          }
        }),
    };
  },
};

const manifests: Target = {
  name: "manifest",
  weight: 1,
  begin(random) {
    const samples = Array.from({ length: 4 }, () => sample(random).signed.bytes);
    return {
      next: () => mutate(samples, random),
      take: (input) =>
        refusing(() => {
          const manifest = parseManifest(input);
          const again = parseManifest(formatManifest(manifest));
          if (JSON.stringify(again) !== JSON.stringify(manifest))
            throw new Error("it is another when read again");
        }),
    };
  },
};

const keyFiles: Target = {
  name: "key file",
  weight: 1,
  begin(random) {
    const samples = [formatPublicKey(publicKey), formatKeyLine(publicKey, "release")].map((text) =>
      Buffer.from(text),
    );
    return {
      next: () => mutate(samples, random),
      take: (input) =>
        refusing(() => {
          for (const { id, key } of parsePublicKeys(Buffer.from(input).toString("latin1"), "release.pub")) {
            if (id !== keyIdOf(key)) throw new Error(`${id} is another key`);
          }
        }),
    };
  },
};

async function refusing(act: () => void | Promise<void>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof PackageError || error instanceof ConfigError) return false;
    throw error;
  }
}

export const packages: readonly Target[] = [bundles, signatures, manifests, keyFiles];
