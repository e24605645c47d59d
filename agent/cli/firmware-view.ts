/** What the firmware commands say to a person. */
import type { Inspection } from "../../platform/package/inspection.js";
import { formatKeyLine, type PublicKey } from "../../platform/package/keys.js";
import type { Manifest } from "../../platform/package/manifest.js";

export const renderKeys = (name: string, { id, key, source }: PublicKey): string =>
  lines(
    `${name}.key  the private key: keep it where packages are signed, and a copy in a safe place`,
    `${source}  the public key ${id}, for the devices. As a line:`,
    `  ${formatKeyLine(key)}`,
  );

export const renderSigned = (output: string, manifest: Manifest): string =>
  lines(`${output}`, ...renderManifest(manifest));

export const renderVerified = (file: string, manifest: Manifest): string =>
  lines(`${file}: good`, ...renderManifest(manifest));

export function renderInspection(file: string, inspection: Inspection): string {
  switch (inspection.kind) {
    case "bundle":
      return lines(
        `${file}: a bundle${inspection.fault === undefined ? "" : `, DAMAGED: ${inspection.fault}`}`,
        ...renderManifest(inspection.manifest),
        notChecked,
      );
    case "signature":
      return lines(`${file}: a signature`, ...renderManifest(inspection.manifest), notChecked);
    case "public keys":
      return lines(
        `${file}: public keys for packages`,
        ...inspection.keys.map(({ key }) => `  ${formatKeyLine(key)}`),
      );
    case "private key":
      return `${file}: a private key, of which nothing is shown`;
    case "file":
      return lines(...renderPlain(file, inspection));
  }
}

const notChecked = "Its signature was not checked: lwm2m-agent firmware verify does that.";

function renderPlain(file: string, inspection: Extract<Inspection, { kind: "file" }>): string[] {
  const { size, sha256, signature, fault } = inspection;
  const about = [`  size        ${size} bytes`, `  sha256      ${sha256}`];
  if (signature === undefined)
    return [`${file}: not signed: no bundle, and no ${file}.sig beside it`, ...about];
  if (fault !== undefined) return [`${file}: not signed: ${fault}`, ...about];
  return [`${file}: a package with its signature beside it`, ...renderManifest(signature), notChecked];
}

const renderManifest = ({ name, version, compatible, keyId, files }: Manifest): string[] => [
  `  name        ${name}`,
  `  version     ${version}`,
  ...compatible.map((each, index) => `  ${index === 0 ? "compatible" : "          "}  ${each}`),
  `  key         ${keyId}`,
  ...files.map(
    (file, index) =>
      `  ${index === 0 ? "files     " : "          "}  ${file.name}, ${file.size} bytes, sha256 ${file.sha256}`,
  ),
];

/** The same for a program. */
export const valueOfInspection = (inspection: Inspection): object =>
  inspection.kind === "public keys"
    ? {
        kind: inspection.kind,
        keys: inspection.keys.map(({ id, key }) => ({ id, line: formatKeyLine(key) })),
      }
    : inspection;

const lines = (...all: readonly string[]): string => all.join("\n");
