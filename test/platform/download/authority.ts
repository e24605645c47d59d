/** A certificate authority of openssl's making, for servers and clients of tests. */
import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../files/temporary-directory.js";

export interface Identity {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
  /** Lower-case hexadecimal SHA-256 of the public key. */
  readonly pin: string;
}

export interface Authority {
  readonly certificateFile: string;
  readonly cert: string;
  /** Signs a certificate for localhost, unless told something else. */
  issue(options?: {
    readonly names?: string;
    /** As `YYMMDDHHMMSSZ`. */
    readonly validFrom?: string;
    readonly validTo?: string;
  }): Identity;
}

/** @param directory of its files; one of the running test when not given */
export function createAuthority(directory: string = temporaryDirectory()): Authority {
  const path = (name: string) => join(directory, name);
  const openssl = (...argv: readonly string[]) =>
    execFileSync("openssl", argv, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  const createKey = (name: string) =>
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path(name));
  writeFileSync(path("index"), "");
  writeFileSync(
    path("ca.conf"),
    `[ca]
default_ca = this
[this]
database = ${path("index")}
new_certs_dir = ${directory}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
`,
  );
  createKey("ca.key");
  const extensions = ["-addext", "basicConstraints=critical,CA:TRUE"];
  openssl(
    "req",
    "-x509",
    "-key",
    "ca.key",
    "-subj",
    "/CN=Test CA",
    "-days",
    "2",
    ...extensions,
    "-out",
    "ca.pem",
  );
  let issued = 0;
  return {
    certificateFile: path("ca.pem"),
    cert: readFileSync(path("ca.pem"), "utf8"),
    issue({ names = "DNS:localhost,IP:127.0.0.1", validFrom, validTo = "491231235959Z" } = {}) {
      const name = `issued-${issued++}`;
      createKey(`${name}.key`);
      const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`];
      openssl("req", "-new", "-key", `${name}.key`, ...subject, "-out", `${name}.csr`);
      const dates = [...(validFrom === undefined ? [] : ["-startdate", validFrom]), "-enddate", validTo];
      const files = ["-cert", "ca.pem", "-keyfile", "ca.key", "-in", `${name}.csr`, "-out", `${name}.pem`];
      openssl("ca", "-batch", "-notext", "-config", "ca.conf", ...dates, ...files);
      const [certificateFile, keyFile] = [path(`${name}.pem`), path(`${name}.key`)];
      const cert = readFileSync(certificateFile, "utf8");
      const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
      const pin = createHash("sha256").update(key).digest("hex");
      return { certificateFile, keyFile, cert, key: readFileSync(keyFile, "utf8"), pin };
    },
  };
}
