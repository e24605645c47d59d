/** The public keys that an operator trusts, from the files and folders that the configuration names. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../agent/model/errors.js";
import type { Finding } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { maximumKeyFile, type PublicKey, parsePublicKeys } from "./keys.js";

export interface TrustedKeys {
  readonly keys: readonly PublicKey[];
  /** Files that cannot be used, and those that others than their owner may change. */
  readonly findings: readonly Finding[];
}

const maximumFiles = 64;

/**
 * Reads them anew: a key is added, replaced or withdrawn by its file. A file that cannot be used gives no key and a finding,
 * and keeps none of the others from being trusted.
 * @param paths files, or folders of which each `*.pub` and `*.pem` counts
 */
export async function loadTrustedKeys(paths: readonly string[]): Promise<TrustedKeys> {
  const keys: PublicKey[] = [];
  const findings: Finding[] = [];
  const attempt = async <T>(path: string, act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      findings.push(unusable(path, error));
      return undefined;
    }
  };
  for (const path of paths) {
    for (const file of (await attempt(path, () => filesAt(path))) ?? []) {
      const read = await attempt(file, () => readKeyFile(file));
      keys.push(...(read?.keys ?? []));
      if (read?.isOpen) findings.push(writableByAll(file));
    }
  }
  return { keys, findings };
}

async function filesAt(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(pub|pem)$/.test(name)).sort();
  if (names.length === 0) throw new ConfigError(`${path} holds no file *.pub or *.pem`);
  if (names.length > maximumFiles) throw new ConfigError(`${path} holds more than ${maximumFiles} key files`);
  return names.map((name) => join(path, name));
}

async function readKeyFile(path: string): Promise<{ readonly keys: PublicKey[]; readonly isOpen: boolean }> {
  const about = await stat(path);
  if (!about.isFile()) throw new ConfigError(`${path} is not a file`);
  if (about.size > maximumKeyFile) throw new ConfigError(`${path} is larger than ${maximumKeyFile} bytes`);
  const keys = parsePublicKeys(await readFile(path, "utf8"), path);
  return { keys, isOpen: (about.mode & 0o002) !== 0 };
}

const unusable = (path: string, error: unknown): Finding => ({
  level: "error",
  found:
    error instanceof ConfigError
      ? error.message
      : `the key file ${path} cannot be read: ${describeError(error)}`,
  remedy: "Put a public key there as `lwm2m-agent firmware keygen` makes it, readable for the agent.",
});

const writableByAll = (path: string): Finding => ({
  level: "warning",
  found: `every user may write to the key file ${path}, and so decide whose packages are installed`,
  remedy: `chmod o-w ${path}`,
});
