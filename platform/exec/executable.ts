/** Looks whether a program of the operator's can be run, and whether somebody else could have put it there. */
import { realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import type { Finding } from "../../agent/ports.js";
import { describeError } from "../system-error.js";

const executable = 0o111;
const writableByAll = 0o002;
const writableByGroup = 0o020;
const sticky = 0o1000;

/**
 * What is wrong with a program that we run, as sentences; empty when all is well.
 * @param what what it is for, as a sentence begins: "the program of the step apply"
 */
export async function checkExecutable(path: string, what: string): Promise<readonly Finding[]> {
  const finding = (level: Finding["level"], fault: string, remedy: string): Finding => ({
    level,
    found: `${what}, ${path}, ${fault}`,
    remedy,
  });
  if (!isAbsolute(path)) return [finding("error", "has no absolute path", "Give the whole path, from /")];
  let real: string;
  try {
    real = await realpath(path);
  } catch (cause) {
    return [finding("error", `cannot be used: ${describeError(cause)}`, "Install it or correct its path")];
  }
  const { mode, uid, gid } = await stat(real);
  const findings: Finding[] = [];
  const folder = (await openFolder(dirname(real))) ?? (await openFolder(dirname(path)));
  if ((mode & executable) === 0 || !isRegular(mode))
    findings.push(
      finding("error", "is not an executable file", `Name an executable file, or: chmod +x ${path}`),
    );
  if (mode & writableByAll)
    findings.push(finding("error", "can be changed by every user", `chmod go-w ${real}`));
  else if (mode & writableByGroup && gid !== 0)
    findings.push(finding("warning", `can be changed by the group ${gid}`, `chmod g-w ${real}`));
  if (!isTrusted(uid))
    findings.push(finding("error", `belongs to the user ${uid}, who could change it`, `chown root ${real}`));
  if (folder !== undefined)
    findings.push(
      finding(
        "error",
        `lies below ${folder}, where somebody else could replace it`,
        `Let ${folder} belong to root and be writable for root alone, or put the program elsewhere`,
      ),
    );
  return findings;
}

/** The first folder, from the file up, in which another user may rename things; undefined when there is none. */
export async function openFolder(folder: string): Promise<string | undefined> {
  const { mode, uid } = await stat(folder);
  const isOpen = (mode & writableByAll) !== 0 && (mode & sticky) === 0;
  if (isOpen || !isTrusted(uid)) return folder;
  return folder === "/" ? undefined : openFolder(dirname(folder));
}

const isRegular = (mode: number) => (mode & 0o170000) === 0o100000;
export const isTrusted = (uid: number) => uid === 0 || uid === process.getuid?.();
