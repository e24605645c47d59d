/** The state folder: what lies in it, and what of that may be shown. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Directories } from "../../config/defaults.js";
import { secretPath } from "../../config/secrets.js";
import type { ServiceConfig } from "../../config/service-config.js";
import type { SecretSource } from "../../config/values.js";
import { secretsOfAccounts, showRecord } from "./redaction.js";

/** Records are small; what is not is no record. */
const maximumRecord = 1024 * 1024;
const maximumRecords = 500;

export interface StateRecords {
  readonly listing: readonly string[];
  readonly records: readonly { readonly name: string; readonly content: string }[];
}

export async function stateRecords(directories: Directories): Promise<StateRecords> {
  const listing: string[] = [];
  const records: { name: string; content: string }[] = [];
  for (const [purpose, folder] of Object.entries(directories)) {
    listing.push(`${purpose}: ${folder}`);
    for (const name of await namesIn(folder, listing)) {
      const path = join(folder, name);
      const { size, mtime, mode, uid } = await stat(path);
      listing.push(
        `  ${name}  ${size} bytes  ${(mode & 0o7777).toString(8)}  user ${uid}  ${mtime.toISOString()}`,
      );
      if (purpose !== "state" || size > maximumRecord) continue;
      const content = showRecord(name, await readFile(path, "utf8"));
      if (content !== undefined) records.push({ name: name.replaceAll("/", "-"), content });
    }
  }
  return { listing, records };
}

async function namesIn(folder: string, listing: string[]): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .filter((name) => name.length <= 80)
      .sort()
      .slice(0, maximumRecords);
  } catch (error) {
    listing.push(`  ${(error as Error).message}`);
    return [];
  }
}

/** Keys and passwords that lie on this device, as far as this user may read them; to be searched for, never to be shown. */
export async function knownSecrets(
  directories: Directories,
  config: ServiceConfig | undefined,
): Promise<readonly Uint8Array[]> {
  const accounts = await readFile(join(directories.state, "accounts"), "utf8").catch(() => "");
  const files = await Promise.all(
    secretSources(config?.stated).map(async (source) => {
      try {
        const context = { key: "", credentialsDirectory: process.env["CREDENTIALS_DIRECTORY"], uid: 0 };
        return trimmed(await readFile(secretPath(source, context)));
      } catch {
        return new Uint8Array();
      }
    }),
  );
  return [...secretsOfAccounts(accounts), ...files];
}

/** Wherever the configuration says where a secret lies. */
function secretSources(value: unknown): readonly SecretSource[] {
  if (typeof value !== "object" || value === null) return [];
  const [[key, only] = [], ...rest] = Object.entries(value);
  if (rest.length === 0 && (key === "file" || key === "credential") && typeof only === "string") {
    return [key === "file" ? { file: only } : { credential: only }];
  }
  return Object.values(value).flatMap(secretSources);
}

const trimmed = (bytes: Buffer): Uint8Array => Buffer.from(bytes.toString("utf8").trim());
