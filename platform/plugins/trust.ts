/** Whose code the agent takes for its own. */
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isTrusted, openFolder } from "../exec/executable.js";
import { describeError } from "../system-error.js";

const writableByAll = 0o002;
const writableByGroup = 0o020;

/** Why a module is not loaded, with the remedy, as a sentence goes on; undefined when only root and the agent's user could change it. */
export async function whyNotTrusted(path: string): Promise<string | undefined> {
  let real: string;
  try {
    real = await realpath(path);
  } catch (cause) {
    return `cannot be read: ${describeError(cause)}`;
  }
  const { uid, gid, mode } = await stat(real);
  if (!isTrusted(uid)) {
    return `belongs to user ${uid}, who is neither root nor the user of the agent: chown root ${real}`;
  }
  if (mode & writableByAll) return `can be changed by every user: chmod go-w ${real}`;
  if (mode & writableByGroup && gid !== 0 && gid !== process.getgid?.()) {
    return `can be changed by the group ${gid}: chmod g-w ${real}`;
  }
  const folder = (await openFolder(dirname(real))) ?? (await openFolder(dirname(path)));
  if (folder === undefined) return undefined;
  return `lies below ${folder}, where somebody else could replace it: chown root ${folder} && chmod go-w ${folder}`;
}
