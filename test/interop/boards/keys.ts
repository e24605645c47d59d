/** Certificate authorities and signers, made by openssl as an integrator makes them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./programs.js";

export interface Signer {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/**
 * A CA and a certificate that it signed.
 * @param madeAt what the clock said then (faketime); both are valid for a year
 */
export function createSigner(directory: string, name: string, madeAt?: string): Signer {
  const folder = join(directory, name);
  mkdirSync(folder, { recursive: true });
  const path = (file: string) => join(folder, file);
  const openssl = (...argv: string[]) =>
    madeAt === undefined ? run("openssl", argv) : run("faketime", ["-f", madeAt, "openssl", ...argv]);
  openssl(
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "365"],
    ...["-subj", `/CN=${name} CA`, "-keyout", path("ca.key"), "-out", path("ca.pem")],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  );
  openssl(
    ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"],
    ...["-subj", `/CN=${name} signer`, "-keyout", path("signer.key"), "-out", path("signer.csr")],
  );
  writeFileSync(path("extensions"), "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n");
  openssl(
    ...["x509", "-req", "-in", path("signer.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key")],
    ...["-CAcreateserial", "-days", "365", "-extfile", path("extensions"), "-out", path("signer.pem")],
  );
  return { ca: path("ca.pem"), certificate: path("signer.pem"), key: path("signer.key") };
}
