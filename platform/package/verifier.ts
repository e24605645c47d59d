/**
 * Decides whether a package may go to the board: signed by a key that the operator trusts, complete, and made for this kind
 * of board. In this order: signature, digest, size, compatibility. Whether its version suits is asked by whoever knows which
 * one runs.
 */
import {
  type Finding,
  type ImageFile,
  type Log,
  PackageError,
  type PackageInfo,
  type PackageVerifier,
} from "../../agent/ports.js";
import { checkMembers, isBundle, readBundle } from "./bundle.js";
import type { PublicKey } from "./keys.js";
import type { Manifest, SignedManifest } from "./manifest.js";
import { checkSignature, maximumSignatureFile, parseSignatureFile } from "./signature.js";
import { displayUri, signatureUri } from "./signature-uri.js";
import { loadTrustedKeys } from "./trusted-keys.js";

/**
 * Fetches a small file.
 * @throws PackageError `invalid-uri` when there is none, otherwise why it cannot be had
 */
export type FetchSmall = (
  uri: string,
  options: { readonly signal: AbortSignal; readonly maximumBytes: number },
) => Promise<Uint8Array>;

export interface VerificationRules {
  /** Files of public keys, or folders of them; read for each package. */
  readonly keys: readonly string[];
  /** Refuse what is not signed: yes when there are keys, unless the board checks signatures itself. */
  readonly required?: boolean;
  /** The board has keys of its own, as RAUC and SWUpdate have: then a package needs no signature of ours. */
  readonly signedByBoard?: boolean;
}

export interface PackageVerifierOptions extends VerificationRules {
  /** Names by which a package may say that it is for this device; when not given, it may be for any. */
  readonly compatible?: () => Promise<readonly string[]>;
  /** Fetches the signature that lies beside a package. */
  readonly fetchSmall: FetchSmall;
  readonly log: Log;
}

export interface SignatureVerifier extends PackageVerifier {
  /** For the operator who asks `check`: which keys count, and what is wrong with them. */
  findings(): Promise<readonly Finding[]>;
}

export function createPackageVerifier(options: PackageVerifierOptions): SignatureVerifier {
  const { keys: paths, signedByBoard = false, log } = options;
  const required = options.required ?? (paths.length > 0 && !signedByBoard);

  /** @throws PackageError `integrity` unless one of the trusted keys made the signature, where there are any */
  function trust(signed: SignedManifest, keys: readonly PublicKey[]): void {
    const { name, version, keyId } = signed.manifest;
    if (paths.length === 0 && !required) {
      log.warn("package accepted without a key to check its signature", { name, version, keyId });
      return;
    }
    const { source } = checkSignature(signed, keys, "the package");
    log.info("package signature verified", { name, version, keyId, keyFile: source });
  }

  async function checkCompatible({ compatible }: Manifest): Promise<void> {
    const names = await options.compatible?.();
    if (names === undefined || compatible.some((name) => names.includes(name))) return;
    throw new PackageError(
      "unsupported-package",
      `the package is made for ${list(compatible)}, and this device is ${list(names) || "nothing by name"}`,
    );
  }

  async function verifyBundle(image: ImageFile, keys: readonly PublicKey[], signal: AbortSignal) {
    const bundle = await readBundle(image.path, { accept: (signed) => trust(signed, keys) });
    await checkMembers(bundle, { signal });
    await checkCompatible(bundle.manifest);
    return infoOf(bundle.manifest);
  }

  async function verifyDetached(image: ImageFile, keys: readonly PublicKey[], signature: Uint8Array) {
    const signed = parseSignatureFile(signature);
    trust(signed, keys);
    const { manifest } = signed;
    const [file, another] = manifest.files;
    if (file === undefined || another !== undefined) {
      throw new PackageError(
        "unsupported-package",
        `the signature lists ${manifest.files.length} files, and the package is one`,
      );
    }
    // Taken while the package came in: it is not read again.
    if (file.sha256 !== image.sha256) {
      throw new PackageError(
        "integrity",
        `the package is not the one that was signed as ${file.name}: its SHA-256 is another`,
      );
    }
    if (file.size !== image.size) {
      throw new PackageError(
        "integrity",
        `the package has ${image.size} bytes, and ${file.size} were signed`,
      );
    }
    await checkCompatible(manifest);
    return infoOf(manifest);
  }

  async function fetchSignature(uri: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const beside = signatureUri(uri);
    try {
      return await options.fetchSmall(beside, { signal, maximumBytes: maximumSignatureFile });
    } catch (cause) {
      if (!(cause instanceof PackageError)) throw cause;
      const { failure, message } = cause;
      if (!isAbsence(failure)) {
        throw new PackageError(failure, `the signature of the package cannot be had: ${message}`, { cause });
      }
      if (!required) return undefined;
      throw new PackageError(
        "integrity",
        `the package is not signed: it is no bundle, and there is nothing at ${displayUri(beside)}: ${message}`,
        { cause },
      );
    }
  }

  return {
    async verify(image, { uri, signal }): Promise<Partial<PackageInfo>> {
      const { keys, findings } = await loadTrustedKeys(paths);
      for (const { found } of findings) log.warn("package key", { found });
      if (await isBundle(image.path)) return verifyBundle(image, keys, signal);
      if (!required && (paths.length === 0 || signedByBoard)) return {};
      if (uri === undefined && required) {
        throw new PackageError("integrity", "the package is not signed: it was pushed, and it is no bundle");
      }
      const signature = uri === undefined ? undefined : await fetchSignature(uri, signal);
      signal.throwIfAborted();
      if (signature !== undefined) return verifyDetached(image, keys, signature);
      log.warn("package accepted without a signature", { sha256: image.sha256 });
      return {};
    },

    async findings() {
      const { keys, findings } = await loadTrustedKeys(paths);
      return [
        ...findings,
        ...rulesInWords({ paths, keys, required, signedByBoard }),
        ...(paths.length > 0 && options.compatible ? compatibleInWords(await options.compatible()) : []),
      ];
    },
  };
}

/** Nothing is there, or there is no way to ask: then the package has no signature beside it. */
const isAbsence = (failure: PackageError["failure"]) =>
  failure === "invalid-uri" || failure === "unsupported-protocol";

const infoOf = ({ name, version }: Manifest): PackageInfo => ({ name, version });

const list = (names: readonly string[]) => names.map((name) => JSON.stringify(name)).join(", ");

// ---- For `check` -----------------------------------------------------------------------------------------------

interface Rules {
  readonly paths: readonly string[];
  readonly keys: readonly PublicKey[];
  readonly required: boolean;
  readonly signedByBoard: boolean;
}

function rulesInWords({ paths, keys, required, signedByBoard }: Rules): Finding[] {
  if (keys.length === 0) {
    if (paths.length > 0 || required) return [noKeyLeft];
    return signedByBoard ? [] : [notVerified];
  }
  const trusted = keys.map(
    ({ id, source }): Finding => ({
      level: "info",
      found: `packages signed by the key ${id} (${source}) are installed`,
      remedy: "",
    }),
  );
  return required || signedByBoard ? trusted : [...trusted, unsignedPass];
}

const compatibleInWords = (names: readonly string[]): Finding[] =>
  names.length > 0
    ? [{ level: "info", found: `packages made for ${list(names)} are installed`, remedy: "" }]
    : [
        {
          level: "error",
          found: "this device has no name by which a package may say that it is for it: all are refused",
          remedy: "Say in the configuration which names count as compatible.",
        },
      ];

const makeKeys =
  "Make keys with `lwm2m-agent firmware keygen`, and name the public one in the configuration.";

const notVerified: Finding = {
  level: "warning",
  found:
    "no keys are configured: whoever controls the server, or the way to it, decides what this board runs",
  remedy: makeKeys,
};

const noKeyLeft: Finding = {
  level: "error",
  found: "packages have to be signed, and there is no key that can be used: every package will be refused",
  remedy: makeKeys,
};

const unsignedPass: Finding = {
  level: "warning",
  found: "packages without a signature are accepted, although keys are configured",
  remedy: "Require signatures as soon as all packages have one.",
};
