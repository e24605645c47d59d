/** The state folder: ours alone, of a version that this program understands. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { prepareDirectory, replaceFile } from "../../platform/files/durable.js";
import { errorCode } from "../../platform/system-error.js";
import { ConfigError } from "../model/errors.js";
import type { Log } from "../ports.js";
import { ServiceFailure, serviceExitCodes } from "./exit-codes.js";
import { lockState, type StateLock } from "./state-lock.js";

/** Changes when an older version of the program could not go on with the folder. */
export const stateVersion = 1;

const versionName = "version";

/** Takes a folder from the version before to this one. Each may be repeated after a power cut. */
export type Migration = (directory: string) => Promise<void>;

/**
 * By the version that they start from. 0 are folders from before there was a version: their records are those of version 1,
 * each of which knows its own format.
 */
const migrations: readonly Migration[] = [async () => undefined];

/**
 * Makes the folder if it is not there, locks it and brings it to the present version.
 * @throws ServiceFailure saying why not, and how to go on
 */
export async function openStateFolder(directory: string, log: Log): Promise<StateLock> {
  await prepare(directory);
  const lock = await lockState(directory);
  try {
    await migrate(directory, { log, current: stateVersion, migrations });
    return lock;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** @throws ServiceFailure when the folder cannot be written to */
export async function prepare(directory: string): Promise<void> {
  try {
    await prepareDirectory(directory);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ServiceFailure(serviceExitCodes.notWritable, error.message, { cause: error });
  }
}

export async function migrate(
  directory: string,
  {
    log,
    current,
    migrations,
  }: { readonly log: Log; readonly current: number; readonly migrations: readonly Migration[] },
): Promise<void> {
  const path = join(directory, versionName);
  const found = await readVersion(path);
  if (found > current) {
    throw new ServiceFailure(
      serviceExitCodes.stateOfNewerVersion,
      `the state folder ${directory} is of version ${found}, this program knows up to ${current}: ` +
        "install the newer lwm2m-agent again, or move the folder away to begin anew (the device then registers as if it were new)",
    );
  }
  for (let version = found; version < current; version++) {
    await migrations[version]?.(directory);
    await replaceFile(path, Buffer.from(`${version + 1}\n`)); // a power cut costs the step that was not finished, no other
    if (version > 0) log.info("state migrated", { directory, from: version, to: version + 1 });
  }
}

async function readVersion(path: string): Promise<number> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
  if (/^\d{1,6}\s*$/.test(text)) return Number(text);
  throw new ServiceFailure(
    serviceExitCodes.stateOfNewerVersion,
    `${path} holds no version: restore it (this program writes ${stateVersion}), or move the folder away to begin anew`,
  );
}
