/** Keys and passwords: from files or credentials of systemd, never from the configuration itself. */
import { open } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { describeError } from "../../platform/system-error.js";
import { ConfigError } from "../model/errors.js";
import type { SecretSource } from "./values.js";

/** Nothing that is typed or generated as a secret comes near. */
const maximumSize = 64 * 1024;

export interface SecretContext {
  /** As in `downloads.proxy.password`, for messages. */
  readonly key: string;
  /** $CREDENTIALS_DIRECTORY, systemd.exec(5); undefined outside of a unit with LoadCredential=. */
  readonly credentialsDirectory: string | undefined;
  readonly uid: number;
}

/**
 * Reads a secret; one line break at its end does not belong to it.
 * @throws ConfigError naming key, file and remedy; never what is in the file
 */
export async function readSecret(source: SecretSource, context: SecretContext): Promise<Uint8Array> {
  const { key } = context;
  const path = secretPath(source, context);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw new ConfigError(`${key}: ${path} cannot be read: ${describeError(cause)}`, { cause });
  }
  try {
    const { uid, mode, size, isFile } = await file.stat().then((stats) => ({
      ...{ uid: stats.uid, mode: stats.mode, size: stats.size, isFile: stats.isFile() },
    }));
    if (!isFile) throw new ConfigError(`${key}: ${path} is no file`);
    // systemd lends credentials read-only, to the user of the unit alone, whatever the owner.
    if ("file" in source) checkRights({ path, uid, mode }, context);
    if (size === 0) throw new ConfigError(`${key}: ${path} is empty`);
    if (size > maximumSize) throw new ConfigError(`${key}: ${path} has more than ${maximumSize} bytes`);
    const content = await file.readFile();
    return content.at(-1) === 0x0a ? content.subarray(0, content.at(-2) === 0x0d ? -2 : -1) : content;
  } finally {
    await file.close();
  }
}

/**
 * For those who read the file themselves.
 * @throws ConfigError as `readSecret` does
 */
export async function secretFile(source: SecretSource, context: SecretContext): Promise<string> {
  await readSecret(source, context);
  return secretPath(source, context);
}

/** @throws ConfigError when there is no such credential */
export function secretPath(source: SecretSource, { key, credentialsDirectory }: SecretContext): string {
  if ("file" in source) return source.file;
  if (credentialsDirectory !== undefined && isAbsolute(credentialsDirectory)) {
    return join(credentialsDirectory, source.credential);
  }
  throw new ConfigError(
    `${key}: the credential ${source.credential} is not there: add LoadCredential=${source.credential}:/path to the unit (systemctl edit lwm2m-agent), or name a file`,
  );
}

function checkRights(
  { path, uid, mode }: { readonly path: string; readonly uid: number; readonly mode: number },
  { key, uid: self }: SecretContext,
): void {
  if (uid !== self && uid !== 0) {
    throw new ConfigError(
      `${key}: ${path} belongs to user ${uid}, who could change it: chown it to root or to user ${self}`,
    );
  }
  if ((mode & 0o007) !== 0 || (mode & 0o020) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(3, "0");
    throw new ConfigError(
      `${key}: ${path} is open to other users (mode ${shown}): chmod 600 it, or 640 with the agent's group`,
    );
  }
}
