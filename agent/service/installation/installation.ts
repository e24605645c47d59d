/**
 * The service of an agent that came by npm: what has to be done to make it one, and to undo that. Both may be repeated; a
 * file that somebody else wrote is never touched.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../../platform/system-error.js";
import { ConfigError } from "../../model/errors.js";
import { checkProgram } from "./program-place.js";
import type { Step } from "./steps.js";
import {
  agentUnit,
  foldersOf,
  hasOwnUser,
  helperUnit,
  type InstalledProgram,
  isOurs,
  sysusersPath,
  tmpfilesPath,
  unitFiles,
  unitPaths,
} from "./units.js";

export interface Place {
  /** The root of the system: `/`, or that of an image. */
  readonly root: string;
  /** The package's `systemd/`. */
  readonly units: string;
  readonly program: InstalledProgram;
  /** Is systemd running here? Then it is told. */
  readonly isLive: boolean;
}

const user = "lwm2m-agent";

// ---- Install -------------------------------------------------------------------------------------------------------

/**
 * @param start also enables the agent, and with `helper` what some boards need beside it
 * @throws ConfigError when it would not work, or take what belongs to others
 */
export async function planInstallation(
  place: Place,
  { start, helper }: { readonly start: boolean; readonly helper: boolean },
): Promise<readonly Step[]> {
  const { root, units, program, isLive } = place;
  await refuseBesidePackage(root);
  await checkProgram(program);
  if (start && isLive && !(await hasConfiguration(root))) {
    throw new ConfigError(
      "there is no /etc/lwm2m-agent/agent.yaml to start with: write one with `lwm2m-agent init`, or leave --now out",
    );
  }
  const writes: Step[] = [];
  for (const { path, content } of await unitFiles(units, program)) {
    const present = await textOf(join(root, path));
    if (present !== undefined && !isOurs(present)) {
      throw new ConfigError(
        `${join(root, path)} was written by somebody else: move it away, or keep it and do without this command`,
      );
    }
    if (present !== content) writes.push({ do: "write", path: join(root, path), content });
  }
  const below = root === "/" ? [] : [`--root=${root}`];
  const enabled = [agentUnit, ...(helper ? [helperUnit] : [])];
  return [
    ...writes,
    run("systemd-sysusers", ...below, join(root, sysusersPath)),
    run("systemd-tmpfiles", "--create", ...below, join(root, tmpfilesPath)),
    ...(isLive ? [run("systemctl", "daemon-reload")] : []),
    ...(start ? [run("systemctl", ...below, "enable", ...(isLive ? ["--now"] : []), ...enabled)] : []),
  ];
}

const run = (program: string, ...words: readonly string[]): Extract<Step, { do: "run" }> => ({
  do: "run",
  program,
  arguments: words,
});

/** Two sets of units with the same names: the one below /etc would win in silence, and outlast every upgrade. */
async function refuseBesidePackage(root: string): Promise<void> {
  if ((await textOf(join(root, "var/lib/dpkg/info/lwm2m-agent.list"))) !== undefined) {
    throw new ConfigError(
      "the Debian package lwm2m-agent is installed and has units of its own: use those, or apt remove lwm2m-agent first",
    );
  }
  for (const folder of ["usr/lib/systemd/system", "lib/systemd/system"]) {
    const path = join(root, folder, agentUnit);
    if ((await textOf(path)) === undefined) continue;
    throw new ConfigError(
      `${path} came with this system and would be hidden: use it, or remove its package first`,
    );
  }
}

// ---- Uninstall -----------------------------------------------------------------------------------------------------

const stateFolders = ["var/lib/lwm2m-agent", "var/cache/lwm2m-agent"];
const helperFolders = ["var/lib/lwm2m-agent-helper", "var/cache/lwm2m-agent-helper"];

/**
 * Takes away what the installation brought. The user stays while files of the agent do: its number must not be given to
 * somebody else who could then read them.
 * @param purge also removes what the agent keeps: accounts with their keys, packages
 */
export async function planRemoval(
  { root, isLive }: Pick<Place, "root" | "isLive">,
  { purge }: { readonly purge: boolean },
): Promise<readonly Step[]> {
  const files: string[] = [];
  for (const path of unitPaths) {
    const content = await textOf(join(root, path));
    if (content !== undefined && isOurs(content)) files.push(join(root, path));
  }
  if (files.length === 0) {
    throw new ConfigError(`nothing of \`lwm2m-agent service install\` is in ${root}`);
  }
  const owned = [...stateFolders, ...helperFolders].map((path) => join(root, path));
  const kept = purge ? [] : await Promise.all(owned.map(isFilled));
  const below = root === "/" ? [] : [`--root=${root}`];
  const passwd = (await textOf(join(root, "etc/passwd"))) ?? "";
  const removesUser = hasOwnUser(passwd) && !kept.includes(true);
  const folders = foldersOf((await textOf(join(root, tmpfilesPath))) ?? "");
  return [
    run("systemctl", ...below, "disable", ...(isLive ? ["--now"] : []), agentUnit, helperUnit),
    ...(isLive ? [run("systemctl", "stop", "lwm2m-agent-helper.service")] : []),
    ...files.map((path): Step => ({ do: "remove", path })),
    ...(isLive ? [run("systemctl", "daemon-reload")] : []),
    ...owned.map((path): Step => (purge ? { do: "removeAll", path } : { do: "removeEmpty", path })),
    ...folders.map((path): Step => ({ do: "removeEmpty", path: join(root, path) })),
    ...(removesUser ? userRemoval(root) : []),
  ];
}

/** groupdel(8) */
const noSuchGroup = 6;

/** Whether the group goes with its user is a matter of login.defs. */
function userRemoval(root: string): readonly Step[] {
  const below = root === "/" ? [] : ["--prefix", root];
  return [run("userdel", ...below, user), { ...run("groupdel", ...below, user), accepts: noSuchGroup }];
}

const isFilled = async (folder: string): Promise<boolean> =>
  (await readdir(folder).catch(() => [])).length > 0;

// ---- State ---------------------------------------------------------------------------------------------------------

export interface InstallationState {
  /** `differs`: of another version, or for another place of the program */
  readonly files: readonly {
    readonly path: string;
    readonly state: "installed" | "differs" | "missing" | "of somebody else";
  }[];
  readonly hasUser: boolean;
  readonly hasConfiguration: boolean;
}

export async function installationState({ root, units, program }: Place): Promise<InstallationState> {
  const files = await unitFiles(units, program);
  return {
    files: await Promise.all(
      files.map(async ({ path, content }) => {
        const present = await textOf(join(root, path));
        return { path: join(root, path), state: stateOf(present, content) };
      }),
    ),
    hasUser: await hasUser(root),
    hasConfiguration: await hasConfiguration(root),
  };
}

const stateOf = (present: string | undefined, content: string) =>
  present === undefined
    ? "missing"
    : !isOurs(present)
      ? "of somebody else"
      : present === content
        ? "installed"
        : "differs";

const hasConfiguration = async (root: string): Promise<boolean> =>
  (await stat(join(root, "etc/lwm2m-agent/agent.yaml")).catch(() => undefined)) !== undefined;

const hasUser = async (root: string): Promise<boolean> =>
  new RegExp(`^${user}:`, "m").test((await textOf(join(root, "etc/passwd"))) ?? "");

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    if (errorCode(error) === "EACCES") {
      throw new ConfigError(`${path} is not for this user to see: use sudo`, { cause: error });
    }
    throw error;
  }
}
