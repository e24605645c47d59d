/** Whom we trust over https, and who we are there. */
import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { checkServerIdentity, type PeerCertificate, type SecureContextOptions } from "node:tls";
import { isClockSet } from "../../agent/download/clock-check.js";
import { type DownloadTlsOptions, parsePin } from "../../agent/download/options.js";
import { PackageError } from "../../agent/ports.js";
import { describeError, errorCode } from "../system-error.js";

export interface TlsSettings extends SecureContextOptions {
  readonly checkServerIdentity?: typeof checkServerIdentity;
}

/**
 * Reads the files anew for each download: a certificate that was renewed counts.
 * @throws PackageError naming the file that cannot be read
 */
export async function loadTls(options: DownloadTlsOptions): Promise<TlsSettings> {
  const [ca, cert, key] = await Promise.all([
    load("authoritiesFile", options.authoritiesFile),
    load("certificateFile", options.certificateFile),
    load("keyFile", options.keyFile),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(options.pinnedKeys && { checkServerIdentity: checkPins(options.pinnedKeys) }),
  };
}

async function load(name: keyof DownloadTlsOptions, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  return await readFile(path).catch((cause: unknown) => {
    throw new PackageError(
      "connection",
      `cannot read ${path} (downloads.tls.${name}): ${describeError(cause)}. Put the file there, readable for this user`,
      { cause },
    );
  });
}

/** Called when the chain is trusted, before the first byte of the request goes out. */
function checkPins(pins: readonly string[]): typeof checkServerIdentity {
  const known = new Set(pins.map(parsePin));
  return (host, certificate) => {
    const fault = checkServerIdentity(host, certificate);
    if (fault !== undefined) return fault;
    const key = keyDigest(certificate);
    return known.has(key)
      ? undefined
      : new Error(`the public key of the server is not pinned here (its SHA-256 is ${key})`);
  };
}

const keyDigest = ({ raw }: PeerCertificate): string => {
  const { publicKey } = new X509Certificate(raw);
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
};

/** Why a connection did not come to stand; names a clock that makes each certificate look wrong. */
export function describeConnectionError(error: unknown, now: Date): string {
  const code = errorCode(error);
  const isAboutTime = code === "CERT_NOT_YET_VALID" || code === "CERT_HAS_EXPIRED";
  if (!isAboutTime || isClockSet(now)) return describeError(error);
  return `the certificate of the server cannot be checked, as the clock of this device is not set: it shows ${now.toISOString()} (${code})`;
}
